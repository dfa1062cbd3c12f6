//! The finders together: values in sentences, forms, tables and JSON, and what only looks like them.

use oktsec_model::Category;
use proptest::prelude::*;

use super::{Kind, Rules};
use crate::builtin;
use crate::collect::Hits;
use crate::loader;
use crate::rule::Rule;

fn rules() -> &'static (Vec<Rule>, Rules) {
    static RULES: std::sync::LazyLock<(Vec<Rule>, Rules)> = std::sync::LazyLock::new(|| {
        let Ok(list) = loader::load(&builtin::FILES, &[], builtin::Examples::Kept) else {
            panic!("the rules have mistakes")
        };
        let rules = Rules::new(&list);
        (list, rules)
    });
    &RULES
}

/// The ids of the rules that speak, with what they say it of.
fn found(text: &str, field: &str) -> Vec<(String, String)> {
    let (list, rules) = rules();
    let mut hits = Hits::default();
    rules.find(text.as_bytes(), field, &mut hits);
    let mut found: Vec<(String, String)> = (hits.list.into_iter())
        .map(|hit| {
            let value = String::from_utf8_lossy(&text.as_bytes()[hit.span]).into_owned();
            (list[hit.rule].id.as_str().to_owned(), value)
        })
        .collect();
    found.sort();
    found
}

fn ids(text: &str) -> Vec<String> {
    found(text, "").into_iter().map(|(id, _)| id).collect()
}

#[test]
fn every_kind_has_a_rule() {
    for kind in Kind::ALL {
        let rule = rules()
            .0
            .iter()
            .find(|rule| rule.id.as_str() == kind.name());
        let category = rule.map(|rule| rule.category.clone());
        assert!(
            category.is_some_and(|Category(name)| &*name != "exfiltration"),
            "{}",
            kind.name()
        );
    }
}

#[test]
fn ordinary_texts_say_nothing() {
    for text in [
        "2026-11-25T03:12:45.123Z GET /v1/users/219456781/orders/4711 200 1732358400000",
        "{\"id\":\"8f14e45f-ceea-467f-a6d5-2f1c1f3a9c11\",\"at\":1732358400000,\"n\":123456782}",
        "10.12.34.56 192.168.100.200 255.255.255.0 1.2.3.4",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "v1.22.333 2.0.0-rc.1 1.75.0-nightly (82e1608df 2023-12-21)",
        "commit 12345678 parent 87654321 tree 11112222",
        "backup-20241123-1534.tar.gz backup-241123-1534.log",
        "float 0.4111111111111111 3.14159265358979 1e-10",
        "-122.4194155 37.7749295 12.345.678",
        "call 415-555-0132 once, then 5 x 1000 = 5000",
        "64 bytes from 8.8.8.8: icmp_seq=1 ttl=117 time=12.3 ms",
        "ISBN 9780306406157, EAN 4006381333931",
        "950C 2341 2341 2346 5EDE 92C5 4539 5787 6362 1486 9E4E",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26",
    ] {
        assert_eq!(ids(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_name_of_the_field_is_context() {
    let ssn = |field: &str| found("219456781", field).len();
    assert_eq!(
        (
            ssn("customer[ssn]"),
            ssn("socialSecurityNumber"),
            ssn("order")
        ),
        (1, 1, 0)
    );
    assert_eq!(
        found("44051401359", "pesel"),
        [("pl-pesel".to_owned(), "44051401359".to_owned())]
    );
}

#[test]
fn neighbours_end_a_number() {
    for text in [
        "1219-45-67812",
        "219-45-6781-22",
        "x219-45-6781",
        "219-45-6781x",
        "219-45-67.81",
        "4111111111111111.5",
        "41111111111111112222",
        "4111 1111 1111 1111 1111",
        "4111-1111-1111-1112",
    ] {
        assert_eq!(ids(text), Vec::<String>::new(), "{text}");
    }
    for text in [
        "(219-45-6781)",
        "219-45-6781.",
        "\"219-45-6781\",",
        "ssn=219-45-6781&x=1",
        "a;219-45-6781;b",
        "nummer：219-45-6781。",
    ] {
        assert_eq!(ids(text), ["us-ssn"], "{text}");
    }
}

#[test]
fn values_are_found_at_every_offset_of_a_block() {
    for offset in 0..140 {
        for (value, id) in [
            ("219-45-6781", "us-ssn"),
            ("4111 1111 1111 1111", "payment-card"),
            ("DE89 3704 0044 0532 0130 00", "iban"),
            ("AB 12 34 56 C", "uk-nino"),
            ("1EG4-TE5-MK73", "us-mbi"),
            ("RSSMRA85T10A562S", "it-codice-fiscale"),
            ("131052-308T", "fi-hetu"),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bitcoin-address"),
        ] {
            let text = format!("{}{value} and so on", " ".repeat(offset));
            let expected = [(id.to_owned(), value.to_owned())];
            assert_eq!(found(&text, ""), expected, "offset {offset}");
        }
    }
}

#[test]
fn a_phrase_is_found_wherever_it_begins() {
    let phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    for offset in 0..90 {
        let text = format!("{} {phrase}. The end of it.", "-".repeat(offset));
        assert_eq!(
            found(&text, ""),
            [("seed-phrase".to_owned(), phrase.to_owned())],
            "{offset}"
        );
    }
}

#[test]
fn lists_need_their_count() {
    let phones = |count: usize| -> String {
        (0..count)
            .map(|n| format!("tel: +1415555{n:04}\n"))
            .collect()
    };
    assert_eq!(ids(&phones(2)), Vec::<String>::new());
    assert_eq!(ids(&phones(3)), ["phone-list"]);
    let national = "phone,name\n0301234567,a\n0301234568,b\n0301234569,c\n";
    assert_eq!(ids(national), ["phone-list"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_spans_fit(text in "([0-9]{1,20}|[A-Z]{1,3}|[-./ +:()@<,\"]|ssn|0x|bc1|é|[a-f0-9]{8}){0,60}") {
        for (_, value) in found(&text, "id") {
            prop_assert!(!value.is_empty());
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut hits = Hits::default();
        rules().1.find(&bytes, "", &mut hits);
        prop_assert!(hits.list.iter().all(|hit| hit.span.end <= bytes.len()));
    }

    #[test]
    fn a_wrong_digit_is_no_card(place in 0_usize..16, other in 0_u8..10) {
        let mut card = *b"4539578763621486";
        let right = card[place];
        card[place] = b'0' + other;
        let text = String::from_utf8_lossy(&card).into_owned();
        prop_assert_eq!(ids(&text).contains(&"payment-card".to_owned()), right == card[place]);
    }
}
