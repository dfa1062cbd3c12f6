//! How fast a scan is, printed as MB/s: plain timing, to compare engines with on one machine.
#![expect(
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oktsec_detect::{Detector, FingerprintKey, Limits};

/// Runs each text for about this long.
const MILLIS_PER_TEXT: u128 = 500;

/// Repeated anchors: each must stay linear.
const HOSTILE: [&str; 21] = [
    "ghp_",
    "password=",
    "-----BEGIN ",
    "@@@@",
    "1111",
    "eyJ",
    ".eyJ",
    "eyJ.",
    "sk-",
    "postgres://a:",
    "AKIA",
    "token:\"",
    "\\u0041",
    "%25",
    "{\"",
    "4111 ",
    "basic AAAA",
    "&#6",
    "00 ",
    "a@b.co ",
    "\0a",
];

fn main() {
    let begun = Instant::now();
    let Ok(detector) = Detector::builtin(FingerprintKey::new([1; 32]), Limits::default()) else {
        println!("the rules have mistakes");
        return;
    };
    println!(
        "start-up            {:>8.1} ms",
        begun.elapsed().as_secs_f64() * 1000.0
    );
    let source = include_str!("../src/scanner.rs").repeat(50);
    let chat = chat_json(&source, 100_000);
    let random: Vec<u8> = (0..750_000_u64)
        .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[1])
        .collect();
    let base64 = format!("{{\"image\":\"{}\"}}", STANDARD.encode(random));
    measure("source text", &detector, source.as_bytes());
    measure("JSON chat", &detector, chat.as_bytes());
    measure("base64", &detector, base64.as_bytes());
    measure(
        "1 KB request",
        &detector,
        chat_json(&source, 800).as_bytes(),
    );
    for pattern in HOSTILE {
        let name = pattern.escape_default().to_string();
        measure(
            &name,
            &detector,
            pattern.repeat(1_000_000 / pattern.len()).as_bytes(),
        );
    }
}

/// A request to a chat API whose messages hold source text.
fn chat_json(source: &str, bytes: usize) -> String {
    let messages: Vec<String> = source
        .as_bytes()
        .chunks(2000)
        .take(bytes.div_ceil(2000))
        .map(|chunk| {
            let chunk = chunk.get(..bytes.min(chunk.len())).unwrap_or_default();
            let text = String::from_utf8_lossy(chunk).replace('\\', "\\\\");
            let text = text.replace('"', "\\\"").replace('\n', "\\n");
            format!("{{\"role\":\"user\",\"content\":\"{text}\"}}")
        })
        .collect();
    format!(
        "{{\"model\":\"some-model\",\"messages\":[{}]}}",
        messages.join(",")
    )
}

fn measure(name: &str, detector: &Detector, text: &[u8]) {
    if let Some(only) = std::env::args().nth(1).filter(|arg| !arg.starts_with('-'))
        && !name.contains(&only)
    {
        return;
    }
    let begun = Instant::now();
    let mut rounds = 0_u32;
    let mut findings = 0;
    while begun.elapsed().as_millis() < MILLIS_PER_TEXT {
        findings = detector.scan_text(text).findings.len();
        rounds += 1;
    }
    let seconds = begun.elapsed().as_secs_f64() / f64::from(rounds);
    let size = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    println!(
        "{name:<16} {size:>9} bytes {:>10.1} µs {:>8.1} MB/s {findings} findings",
        seconds * 1e6,
        size / seconds / 1e6
    );
}
