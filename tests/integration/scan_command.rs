//! `oktsec scan`: the real program over real files.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::AWS_KEY;
use crate::support::process::{command, root, run, text};

/// A directory with files, which is the home and the working directory of the program.
struct Files {
    dir: TempDir,
}

// === impl Files ===

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = TempDir::new().expect("there is room");
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("it is below the directory"))
                .expect("the directory is ours");
            fs::write(path, bytes).expect("the directory is ours");
        }
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    #[track_caller]
    fn oktsec(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = command(env!("CARGO_BIN_EXE_oktsec"));
        command
            .env("HOME", self.path())
            .current_dir(self.path())
            .args(arguments);
        let output = run(&mut command, input);
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(!shown.contains(AWS_KEY), "{shown}");
        output
    }

    #[track_caller]
    fn scan(&self, arguments: &[&str]) -> Output {
        self.oktsec(&[&["scan"], arguments].concat(), b"")
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn rows(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect()
}

fn places(rows: &[Value]) -> Vec<(String, u64, u64, String)> {
    rows.iter()
        .map(|row| {
            (
                row["file"].as_str().unwrap_or_default().to_owned(),
                row["line"].as_u64().unwrap_or(0),
                row["column"].as_u64().unwrap_or(0),
                row["location"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

#[test]
fn every_file_below_a_directory_is_looked_into() {
    let key = AWS_KEY.as_bytes();
    let encoded = format!("é: {}\n", STANDARD.encode(format!("the key {AWS_KEY}")));
    let utf16: Vec<u8> = format!("\n{AWS_KEY}\n")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let files = Files::new(&[
        ("tree/b.txt", encoded.as_bytes()),
        (
            "tree/a/plain.txt",
            format!("one\ntwo {AWS_KEY}\n").as_bytes(),
        ),
        ("tree/a/.hidden", key),
        ("tree/c.gz", &gzip(key)),
        ("tree/d.bin", &[b"\0\x01\xff", key, b"\0"].concat()),
        ("tree/e.utf16", &utf16),
        ("tree/z.txt", b"nothing\n"),
    ]);
    let output = files.scan(&["tree", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let rows = rows(&output);
    let expected = [
        ("tree/a/.hidden", 1, 1, ""),
        ("tree/a/plain.txt", 2, 5, ""),
        ("tree/b.txt", 1, 4, "base64"),
        ("tree/c.gz", 1, 1, "gzip"),
        ("tree/d.bin", 1, 4, ""),
    ];
    let found = places(&rows);
    for (file, line, column, location) in expected {
        let place = (file.to_owned(), line, column, location.to_owned());
        assert!(found.contains(&place), "{place:?} in {found:?}");
    }
    assert!(
        found
            .iter()
            .any(|(file, line, ..)| file == "tree/e.utf16" && *line == 2)
    );
    let names: Vec<&String> = found.iter().map(|(file, ..)| file).collect();
    assert!(names.is_sorted(), "{names:?}");
    for row in &rows {
        assert_eq!(row["schema"], 1);
        assert_eq!(row["rule"], "aws-access-key-id");
        assert_eq!(row["category"], "credentials");
        assert_eq!(row["redacted"], "AKIA••••2WXC");
        assert_eq!(row["fingerprint"], rows[0]["fingerprint"]);
    }
    let again = files.scan(&["tree", "--json"]);
    assert_eq!(places(&self::rows(&again)), found, "the order is stable");
}

#[test]
fn people_get_lines_and_a_summary() {
    let files = Files::new(&[("a.txt", format!("x\nkey {AWS_KEY}").as_bytes())]);
    let output = files.scan(&["a.txt", "--color", "never"]);
    let line = text(&output.stdout);
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(
        words,
        ["a.txt:2:5", "high", "aws-access-key-id", "AKIA••••2WXC"]
    );
    let summary = text(&output.stderr);
    assert!(
        summary.starts_with("1 finding in 1 file (1 high); 1 file scanned"),
        "{summary}"
    );

    let clean = Files::new(&[("a.txt", b"nothing here")]).scan(&["a.txt"]);
    assert_eq!(clean.status.code(), Some(0));
    assert_eq!(text(&clean.stdout), "");
    assert!(text(&clean.stderr).starts_with("nothing found"));

    let input = format!(
        "one line.\n{}",
        STANDARD.encode(format!("a key: {AWS_KEY}"))
    );
    let output = files.oktsec(&["scan", "-"], input.as_bytes());
    assert_eq!(output.status.code(), Some(3));
    let line = text(&output.stdout);
    assert!(
        line.starts_with("<stdin>:2:1 ") && line.contains("(base64)"),
        "{line}"
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let files = Files::new(&[
        ("a.txt", AWS_KEY.as_bytes()),
        ("clean/b.txt", b"nothing"),
        ("clean/c.xz", b"\xfd7zXZ\0 and so on"),
    ]);
    for missing in ["missing.txt", "/proc/self/mem"] {
        let output = files.scan(&[missing, "clean/b.txt"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            text(&output.stderr).contains(&format!("error: {missing}: ")),
            "{output:?}"
        );
        assert!(text(&output.stderr).contains("1 not read"), "{output:?}");
        let output = files.scan(&[missing, "a.txt"]);
        assert_eq!(output.status.code(), Some(3), "what was found counts more");
    }
    std::os::unix::fs::symlink("../a.txt", files.path().join("clean/link")).expect("it is ours");
    let output = files.scan(&["clean"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let talk = text(&output.stderr);
    assert!(
        talk.contains("uninspectable: clean/c.xz: a file that cannot be opened (xz)"),
        "{talk}"
    );
    assert!(talk.contains("1 symbolic links not followed"), "{talk}");
    let named = files.scan(&["clean/link"]);
    assert_eq!(
        named.status.code(),
        Some(3),
        "a link that is named is meant"
    );
    let output = files.scan(&["clean", "--config", "no-such.yaml"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[test]
fn large_files_are_scanned_in_windows() {
    let line = "ordinary text, and nothing in it, line after line\n";
    let mut large = line.repeat(16_000);
    let lines_before = [1_000, 5_300, 15_999];
    for (number, before) in lines_before.iter().enumerate() {
        let key = format!("{}{}", &AWS_KEY[..19], ["A", "B", "C"][number]);
        let at = before * line.len();
        large.replace_range(at + 4..at + 24, &format!("{key} ")[..20]);
    }
    let files = Files::new(&[("large.txt", large.as_bytes())]);
    let cut = files.scan(&["large.txt", "--json", "--max-size", "256KiB"]);
    let whole = files.scan(&["large.txt", "--json"]);
    let expected: Vec<(String, u64, u64, String)> = lines_before
        .iter()
        .map(|before| ("large.txt".to_owned(), *before as u64 + 1, 5, String::new()))
        .collect();
    assert_eq!(places(&rows(&cut)), expected);
    assert_eq!(places(&rows(&whole)), expected);
}

#[test]
fn findings_are_filtered() {
    let body = format!("{AWS_KEY}\nssn: 536-22-8726, social security number\n");
    let files = Files::new(&[("a.txt", body.as_bytes())]);
    let rules = |arguments: &[&str]| -> Vec<String> {
        let output = files.scan(&[&["a.txt", "--json"], arguments].concat());
        rows(&output)
            .iter()
            .map(|row| row["rule"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let key = ["aws-access-key-id".to_owned()];
    assert_eq!(rules(&["--category", "credential-leak"]), key);
    assert_eq!(rules(&["--rule", "aws-access-key-id"]), key);
    assert!(!rules(&["--category", "pii"]).contains(&key[0]));
    assert_eq!(
        rules(&["--severity", "critical", "--rule", "aws-access-key-id"]),
        [""; 0]
    );
    for (arguments, hint) in [
        (
            ["--rule", "aws-acces-key-id"],
            "did you mean `aws-access-key-id`?",
        ),
        (["--category", "credential"], "did you mean `credentials`?"),
        (["--severity", "grave"], "low, medium, high or critical"),
        (["--max-size", "huge"], "64MiB"),
    ] {
        let output = files.scan(&[&["a.txt"], arguments.as_slice()].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(hint), "{output:?}");
    }
}

#[test]
fn sarif_has_its_shape() {
    let files = Files::new(&[
        ("in a/b.txt", format!("x\n  {AWS_KEY}").as_bytes()),
        ("in a/c.xz", b"\xfd7zXZ\0"),
    ]);
    let document = |files: &Files| -> Value {
        let output = files.scan(&["in a", "gone", "--format", "sarif"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("it is one document")
    };
    let sarif = document(&files);
    assert_eq!(sarif["version"], "2.1.0");
    assert!(
        sarif["$schema"]
            .as_str()
            .is_some_and(|schema| schema.contains("sarif-2.1.0"))
    );
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "oktsec");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let result = &run["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap_or(99)).unwrap_or(99);
    let rule = &run["tool"]["driver"]["rules"][index];
    assert_eq!(rule["id"], result["ruleId"]);
    assert!(rule["shortDescription"]["text"].is_string() && rule["helpUri"].is_string());
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "in%20a/b.txt");
    assert_eq!(place["region"]["startLine"], 2);
    assert_eq!(place["region"]["startColumn"], 3);
    assert_eq!(place["region"]["byteLength"], 20);
    let prints = &result["partialFingerprints"];
    assert!(prints["place/v1"].is_string() && prints["value/v1"].is_null());
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let told: Vec<&Value> = invocation["toolExecutionNotifications"]
        .as_array()
        .expect("it is a list")
        .iter()
        .map(|notification| &notification["descriptor"]["id"])
        .collect();
    assert_eq!(told, ["unreadable", "uninspectable"]);

    // With an installation's key, values can be compared between runs.
    let audit = files.path().join(".local/share/oktsec/audit");
    fs::create_dir_all(&audit).expect("the directory is ours");
    fs::write(audit.join("fingerprint.key"), [7; 32]).expect("the directory is ours");
    let (one, other) = (document(&files), document(&files));
    let print = |sarif: &Value| sarif["runs"][0]["results"][0]["partialFingerprints"].clone();
    assert!(print(&one)["value/v1"].is_string());
    assert_eq!(print(&one), print(&other));
    assert_eq!(print(&one)["place/v1"], prints["place/v1"]);
}

#[test]
fn own_rules_are_added() {
    let rules = root().join("testdata/rules");
    let path = |name: &str| rules.join(name).to_string_lossy().into_owned();
    let body =
        format!("{AWS_KEY} acme_live_k3v9q2m7x1c5b8n4z6w0d2f1\nNightingale ships in Q3 2031\n");
    let files = Files::new(&[("a.txt", body.as_bytes())]);
    let output = files.scan(&["a.txt", "--json", "--rules-dir", &path("aguara.yaml")]);
    let mut found: Vec<String> = rows(&output)
        .iter()
        .map(|row| format!("{} {}", row["rule"], row["category"]).replace('"', ""))
        .collect();
    found.sort();
    found.dedup();
    let expected = [
        "acme-001 credentials",
        "acme-002 project-names",
        "aws-access-key-id credentials",
    ];
    assert_eq!(found, expected);
    let output = files.scan(&["a.txt", "--rules-dir", &path("own-mistakes.yaml")]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let talk = text(&output.stderr);
    let place = format!(
        "{}:22: `pattern` matches the empty text",
        path("own-mistakes.yaml")
    );
    assert!(talk.contains(&place), "{talk}");
    assert_eq!(text(&output.stdout), "");
}
