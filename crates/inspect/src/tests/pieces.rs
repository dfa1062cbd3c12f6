//! Keys in two to eight pieces, in every place that a receiver could put them together from.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use oktsec_model::{Action, Decision};

use super::homes::told;
use super::{decide, head_with, snapshot_towards};

const KEYS: [&str; 4] = [
    concat!("gh", "p_q3EGrVT5yLNz2WxCd8Kf0Hs6Jb4Mn1Pa7Rt9"),
    concat!("AKIA", "Q3EGRVT5YLNZ2WXC"),
    concat!("sk_li", "ve_q3EGrVT5yLNz2WxCd8Kf0Hs6"),
    concat!("gls", "a_q3EGrVT5yLNz2WxCd8Kf0Hs6Jb4Mn1Pa_7c1b0d3f"),
];

/// A way to send pieces: what is sent, and its type.
type Way = (&'static str, fn(&[&str]) -> Sent);

struct Sent {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn body(kind: &str, body: String) -> Sent {
    Sent {
        path: "/v1/notes".to_owned(),
        headers: vec![(CONTENT_TYPE.to_string(), kind.to_owned())],
        body,
    }
}

fn json(text: String) -> Sent {
    body("application/json", text)
}

fn path(path: String) -> Sent {
    let sent = json("{}".to_owned());
    Sent { path, ..sent }
}

fn each(pieces: &[&str], between: &str, write: impl Fn(usize, &str) -> String) -> String {
    let written = pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| write(index, piece));
    written.collect::<Vec<_>>().join(between)
}

const WAYS: [Way; 14] = [
    ("items", |pieces| {
        json(format!(
            "[{}]",
            each(pieces, ",", |_, p| format!("\"{p}\""))
        ))
    }),
    ("items beside escapes", |pieces| {
        let items = each(pieces, ", ", |_, p| format!("\"{p}\""));
        json(format!(
            "{{\"text\":\"one\\ntwo \\\"three\\\"\",\"list\":[{items}]}}"
        ))
    }),
    ("items beside entities", |pieces| {
        let items = each(pieces, ",", |_, p| format!("\"{p}\""));
        json(format!(
            "{{\"text\":\"a &lt; b &quot;\",\"list\":[{items}]}}"
        ))
    }),
    ("fields", |pieces| {
        json(format!(
            "{{{}}}",
            each(pieces, ",", |i, p| format!("\"f{i}\": \"{p}\""))
        ))
    }),
    ("objects", |pieces| {
        let object = |i, p: &str| format!("{{\"id\":\"n-{i}\",\"part\":\"{p}\"}}");
        json(format!("[{}]", each(pieces, ",", object)))
    }),
    ("messages", |pieces| {
        let message = |_, p: &str| format!("{{\"role\":\"user\",\"content\":\"{p}\"}}");
        let messages = each(pieces, ",", message);
        json(format!("{{\"model\":\"m\",\"messages\":[{messages}]}}"))
    }),
    ("a form", |pieces| {
        let fields = each(pieces, "&", |i, p| format!("f{i}={p}"));
        body("application/x-www-form-urlencoded", fields)
    }),
    ("a query", |pieces| {
        path(format!(
            "/v1/x?{}",
            each(pieces, "&", |i, p| format!("q{i}={p}"))
        ))
    }),
    ("a query with one name", |pieces| {
        path(format!(
            "/v1/x?{}",
            each(pieces, "&", |_, p| format!("q={p}"))
        ))
    }),
    ("segments", |pieces| {
        path(format!("/v1/{}", pieces.join("/")))
    }),
    ("header fields", |pieces| Sent {
        headers: (1..)
            .zip(pieces)
            .map(|(i, p)| (format!("x-note-{i}"), (*p).to_owned()))
            .collect(),
        ..json("{}".to_owned())
    }),
    ("cookies", |pieces| Sent {
        headers: vec![(
            "cookie".to_owned(),
            each(pieces, "; ", |i, p| format!("c{i}={p}")),
        )],
        ..json("{}".to_owned())
    }),
    ("characters", |pieces| {
        let letters: Vec<String> = pieces.concat().chars().map(String::from).collect();
        body("text/plain", format!("take {} and go", letters.join(" ")))
    }),
    ("lines", |pieces| {
        let text: Vec<char> = pieces.concat().chars().collect();
        let lines = text
            .iter()
            .map(char::to_string)
            .collect::<Vec<_>>()
            .join("\\n");
        json(format!("{{\"a\":\"{lines}\"}}"))
    }),
];

fn cut(key: &str, parts: usize) -> Vec<&str> {
    let bytes = key.len().div_ceil(parts);
    let mut rest = key;
    let mut pieces = Vec::new();
    while let Some((piece, after)) = rest.split_at_checked(bytes.min(rest.len())) {
        pieces.push(piece);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    pieces
}

fn send(snapshot: &std::sync::Arc<crate::Snapshot>, sent: &Sent) -> Decision {
    let mut headers = HeaderMap::new();
    for (name, value) in &sent.headers {
        let name = HeaderName::try_from(name.as_str()).unwrap();
        headers.append(name, HeaderValue::try_from(value.as_str()).unwrap());
    }
    let url = format!("https://collector.example.net{}", sent.path);
    decide(snapshot, &head_with(&url, headers), &[sent.body.as_bytes()])
}

#[test]
fn keys_in_pieces_do_not_leave() {
    let snapshot = snapshot_towards(&["collector.example.net"]);
    let mut wrong = Vec::new();
    for key in KEYS {
        for parts in 2..=8 {
            for (way, write) in WAYS {
                let pieces = cut(key, parts);
                let among = [&["ok7"], pieces.as_slice(), &["end"]].concat();
                // Characters have no pieces: what stands beside them is glued to the key.
                let is_cut = !matches!(way, "characters" | "lines");
                let lists = [(&pieces, "alone"), (&among, "among others")];
                for (list, place) in lists.into_iter().take(1 + usize::from(is_cut)) {
                    let decision = send(&snapshot, &write(list));
                    if decision.action != Action::Block {
                        let begin = key.get(..4).unwrap();
                        let told = told(&decision);
                        wrong.push(format!("{begin} {way} in {parts} {place}: {told}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn pieces_of_other_things_leave() {
    let snapshot = snapshot_towards(&["collector.example.net"]);
    let words = [
        "several", "ordinary", "words", "in", "a", "list", "of", "them",
    ];
    for (way, write) in WAYS.iter().filter(|(way, _)| *way != "characters") {
        let decision = send(&snapshot, &write(&words));
        assert_eq!(decision.action, Action::Allow, "{way}: {}", told(&decision));
    }
}
