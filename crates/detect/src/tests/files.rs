//! Files within files: what lies in them is found, and named by the way to it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::{detector, gzip};
use crate::archive::tar::tests::entry;

#[test]
fn text_that_is_full_of_escapes_is_looked_into() {
    let line = r#"print("a\tb\n", r'\d+\\n', u"\u00e9\u200b", '&amp;lt;', "%20%3d", "=3D", '\x41\101') # é"#;
    let source = format!("{line}\n").repeat(10_000);
    let json = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{{\"content\":\"{}\"}}", text.replace('\n', "\\n"))
    };
    for text in [source.clone(), json(&source), json(&json(&source))] {
        let scan = detector().scan_text(text.as_bytes());
        assert_eq!(scan.uninspectable, None, "{}", text.len());
    }
}

#[test]
fn files_within_files_are_no_disguise() {
    let text = concat!("gh", "p_q3EGrVT5yLNz2WxCd8Kf0Hs6Jb4Mn1Pa7Rt9");
    let data = STANDARD.encode(STANDARD.encode(text));
    let member = format!(
        "{{\"data\":\"{data}\",\"map\":\"{}\"}}",
        STANDARD.encode("an ordinary text, of some length")
    );
    let archive = gzip(&entry("package/a.json", b'0', member.as_bytes()));
    let head = b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.tgz\"\r\n\r\n";
    let body = [head, archive.as_slice(), b"\r\n--B--\r\n"].concat();
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-type",
        "multipart/form-data; boundary=B".parse().unwrap(),
    );
    let scan = detector().scan_body(&headers, &body);
    assert_eq!(scan.uninspectable, None);
    let places: Vec<String> = (scan.findings.iter())
        .map(|finding| finding.location.to_string())
        .collect();
    assert_eq!(
        places,
        ["body > part f > gzip > tar a.json > json $.data > base64 > base64"]
    );
}
