//! How fast a scan is: plain timing, to compare engines with on one machine, in one run. Beside the
//! detector the reference: one set of an eighth of the patterns over the same text, nothing decoded.
//!
//! `cargo bench -p oktsec-detect --bench scan [-- NAME]`
#![expect(
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oktsec_detect::{Detector, FingerprintKey, Limits, Setup};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// Runs each text for about this long.
const TIME_PER_TEXT: Duration = Duration::from_millis(500);

/// Repeated triggers: each must stay linear.
const HOSTILE: [&str; 26] = [
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
    "A",
    "abandon ",
    "xai-xai-",
    "CCIPAT_",
    "1-1-1-",
];

/// Ordinary source text: this crate's own.
const SOURCES: [&str; 39] = [
    include_str!("../src/archive.rs"),
    include_str!("../src/assignment.rs"),
    include_str!("../src/builtin.rs"),
    include_str!("../src/bytes.rs"),
    include_str!("../src/coding.rs"),
    include_str!("../src/collect.rs"),
    include_str!("../src/decode.rs"),
    include_str!("../src/derive.rs"),
    include_str!("../src/detector.rs"),
    include_str!("../src/encodings.rs"),
    include_str!("../src/entropy.rs"),
    include_str!("../src/escape.rs"),
    include_str!("../src/exfiltration.rs"),
    include_str!("../src/fingerprint.rs"),
    include_str!("../src/form.rs"),
    include_str!("../src/fuzzing.rs"),
    include_str!("../src/grams.rs"),
    include_str!("../src/home.rs"),
    include_str!("../src/issue.rs"),
    include_str!("../src/joined.rs"),
    include_str!("../src/json.rs"),
    include_str!("../src/lib.rs"),
    include_str!("../src/lint.rs"),
    include_str!("../src/llm.rs"),
    include_str!("../src/loader.rs"),
    include_str!("../src/multipart.rs"),
    include_str!("../src/pattern.rs"),
    include_str!("../src/pii.rs"),
    include_str!("../src/plan.rs"),
    include_str!("../src/rule.rs"),
    include_str!("../src/runs.rs"),
    include_str!("../src/scanner.rs"),
    include_str!("../src/secret.rs"),
    include_str!("../src/segment.rs"),
    include_str!("../src/unicode.rs"),
    include_str!("../src/validate.rs"),
    include_str!("../src/view.rs"),
    include_str!("../src/walk.rs"),
    include_str!("../src/yaml.rs"),
];

fn main() {
    let begun = Instant::now();
    let Ok(detector) = Detector::builtin(FingerprintKey::new([1; 32]), Limits::default()) else {
        println!("the rules have mistakes");
        return;
    };
    let start_up = begun.elapsed();
    println!(
        "{} rules, start-up {:.1} ms, {:.1} MB resident",
        detector.rules().count(),
        start_up.as_secs_f64() * 1000.0,
        resident_mb()
    );
    let source = SOURCES.concat();
    let source = source.repeat(10_000_000 / source.len());
    let chat = chat_json(&source, 100_000);
    let request = chat_json(&source, 900);
    let image = format!("{{\"image\":\"{}\"}}", STANDARD.encode(noise(750_000)));
    let log = log(1_000_000);
    let secrets = secrets_json(5_000_000);
    let texts = [
        ("1 KB request", request.as_bytes()),
        ("100 KB chat", chat.as_bytes()),
        ("10 MB source", source.as_bytes()),
        ("1 MB log", log.as_bytes()),
        ("1 MB base64", image.as_bytes()),
        ("5 MB secrets", secrets.as_bytes()),
    ];
    for (name, text) in texts {
        measure(name, text, || detector.scan_text(text).findings.len());
    }
    if std::env::args()
        .nth(1)
        .is_some_and(|arg| !arg.starts_with('-'))
    {
        return;
    }
    let Some(set) = reference(&detector) else {
        println!("the reference cannot be built");
        return;
    };
    for (name, text) in texts {
        let text = text.get(..text.len().min(100_000)).unwrap_or_default();
        measure(&format!("{name} (set)"), text, || {
            set.find_iter(text).count()
        });
    }
    for pattern in HOSTILE {
        let text = pattern.repeat(1_000_000 / pattern.len());
        let name = pattern.escape_default().to_string();
        measure(&name, text.as_bytes(), || {
            detector.scan_text(text.as_bytes()).findings.len()
        });
    }
}

/// Every so-manieth pattern, as one set: all of them would take minutes to compile.
fn reference(detector: &Detector) -> Option<Regex> {
    const STEP: usize = 8;
    let patterns = detector.rules().flat_map(|rule| rule.patterns());
    let patterns: Vec<&str> = patterns.step_by(STEP).collect();
    println!("reference: {} of the patterns", patterns.len());
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(None))
        .build_many(&patterns)
        .ok()
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

/// All that the rules look for, over and over, in JSON.
fn secrets_json(bytes: usize) -> String {
    let setup = Setup {
        key: FingerprintKey::new([1; 32]),
        limits: Limits::default(),
        rules: Vec::new(),
        secrets: Vec::new(),
    };
    let Ok(detector) = Detector::with_examples(setup) else {
        return String::new();
    };
    let examples = detector.rules().flat_map(|rule| &rule.examples);
    let texts: String = examples
        .map(|text| format!("{{\"content\":{text:?}}},"))
        .collect();
    format!("[{}0]", texts.repeat(bytes / texts.len()))
}

/// Lines of an access log.
fn log(bytes: usize) -> String {
    let mut text = String::new();
    let mut number = 1_u64;
    while text.len() < bytes {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let [a, b, c, d, ..] = number.to_be_bytes();
        let line = format!(
            "10.{a}.{b}.{c} - - [25/Nov/2026:02:31:{:02} +0000] \"GET /items/{}/view?page={d} HTTP/1.1\" 200 {} \"-\" \"curl/8.5.0\" {number:016x}\n",
            d % 60,
            number >> 40,
            number >> 50,
        );
        text.push_str(&line);
    }
    text
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[4]
    })
    .take(bytes)
    .collect()
}

/// The memory of this process, where the system says it.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1000.0
}

fn measure(name: &str, text: &[u8], mut scan: impl FnMut() -> usize) {
    if let Some(only) = std::env::args().nth(1).filter(|arg| !arg.starts_with('-'))
        && !name.contains(&only)
    {
        return;
    }
    // Patterns are compiled when they are first needed.
    let mut findings = scan();
    let begun = Instant::now();
    let mut rounds = 0_u32;
    while begun.elapsed() < TIME_PER_TEXT {
        findings = scan();
        rounds += 1;
    }
    let seconds = begun.elapsed().as_secs_f64() / f64::from(rounds);
    let size = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    println!(
        "{name:<20} {size:>9} bytes {:>11.1} µs {:>8.1} MB/s {findings} findings",
        seconds * 1e6,
        size / seconds / 1e6
    );
}
