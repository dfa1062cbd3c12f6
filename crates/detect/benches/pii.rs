//! How fast personal data is looked for, printed as MB/s: plain timing, on texts of different kinds and
//! on hostile repetitions. The other rules do not take part.
#![expect(
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::Instant;

use oktsec_detect::{Detector, FingerprintKey, Limits};

/// Runs each text for about this long.
const MILLIS_PER_TEXT: u128 = 300;

/// Repeated anchors: each must stay linear.
const HOSTILE: [&str; 28] = [
    "1",
    "11 ",
    "1-",
    "11-",
    "111-",
    "1111 ",
    "@",
    "a@",
    "a@b.co ",
    "abandon ",
    "abandon about ",
    "219-45-6781 ",
    "219456781 ",
    "ssn 219456781 ",
    "{\"ssn\":219456781},",
    "DE89370400440532013000 ",
    "DE89370400440532013001 ",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD ",
    "AA11",
    "A1B2",
    "12345678Z ",
    "1234567890123 ",
    "1EG4TE5MK73 ",
    "1111111a",
    "<1234567<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<11 ",
    "+1",
];

fn main() {
    let Ok(detector) = Detector::builtin(FingerprintKey::new([1; 32]), Limits::default()) else {
        println!("the rules have mistakes");
        return;
    };
    let prose = "It was the best of times, it was the worst of times. Nobody could tell them apart; \
                 so they wrote it down, and went on about their ordinary business until the evening.\n"
        .repeat(6000);
    let source = include_str!("../src/scanner.rs").repeat(80);
    measure("prose", &detector, &prose);
    measure("source code", &detector, &source);
    measure("log", &detector, &log());
    measure("numbers", &detector, &numbers());
    measure(
        "1 KB of JSON",
        &detector,
        &log().chars().take(1000).collect::<String>(),
    );
    for pattern in HOSTILE {
        measure(
            pattern.trim(),
            &detector,
            &pattern.repeat(1_000_000 / pattern.len()),
        );
    }
}

/// Lines as servers write them.
fn log() -> String {
    (0..8000_u64)
        .map(|line| {
            let noise = line.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            format!(
                "2026-11-25T03:{:02}:{:02}.{:03}Z INFO request id={noise:016x} user={} took {}us \
                 status=200 bytes={} peer=10.{}.{}.7:{} at={}\n",
                line / 60 % 60,
                line % 60,
                noise % 1000,
                noise % 1_000_000_000,
                noise % 100_000,
                noise % 10_000_000,
                noise % 200,
                noise % 250,
                noise % 60000,
                1_764_000_000_000 + line * 37,
            )
        })
        .collect()
}

/// Columns of numbers of all lengths.
fn numbers() -> String {
    (0..100_000_u64)
        .map(|line| {
            format!(
                "{} ",
                line.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (line % 60)
            )
        })
        .collect()
}

fn measure(name: &str, detector: &Detector, text: &str) {
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let begun = Instant::now();
    let mut rounds = 0_u32;
    let mut findings = 0;
    while begun.elapsed().as_millis() < MILLIS_PER_TEXT {
        findings = detector.personal_data(text.as_bytes());
        rounds += 1;
    }
    let seconds = begun.elapsed().as_secs_f64() / f64::from(rounds);
    let size = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    println!(
        "{name:<48.48} {size:>9} bytes {:>10.1} µs {:>8.1} MB/s {findings} findings",
        seconds * 1e6,
        size / seconds / 1e6
    );
}
