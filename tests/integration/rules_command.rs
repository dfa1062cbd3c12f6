//! `oktsec rules`: the real program over the built-in rules and files of `testdata/rules`.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::support::AWS_KEY;
use crate::support::process::{command, root, run, text};

/// Runs `oktsec rules` where the rule files are.
#[track_caller]
fn rules(arguments: &[&str], input: &str) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_oktsec"));
    command
        .env("HOME", "/nonexistent")
        .current_dir(root().join("testdata/rules"))
        .arg("rules")
        .args(arguments);
    let output = run(&mut command, input.as_bytes());
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert!(!shown.contains(AWS_KEY), "{shown}");
    output
}

fn rows(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect()
}

#[test]
fn rules_are_listed() {
    let all = rows(&rules(&["list", "--json"], ""));
    assert!(all.len() > 50);
    let ids: Vec<&str> = all.iter().filter_map(|row| row["id"].as_str()).collect();
    assert!(ids.is_sorted() && ids.contains(&"aws-access-key-id"));
    let wanted = ["list", "--json", "--category", "pii", "--severity", "HIGH"];
    let some = rows(&rules(&wanted, ""));
    assert!(!some.is_empty() && some.len() < all.len());
    for row in &some {
        assert_eq!(
            (&row["schema"], &row["category"]),
            (&1.into(), &"pii".into())
        );
        assert!(["high", "critical"].contains(&row["severity"].as_str().unwrap_or_default()));
    }
    let table = text(&rules(&["list", "--rules-dir", "aguara.yaml"], "").stdout);
    assert!(table.starts_with("RULE "), "{table}");
    assert!(
        table.lines().any(|line| line.starts_with("acme-001 ")),
        "{table}"
    );
}

#[test]
fn a_rule_is_shown() {
    let shown = text(&rules(&["show", "acme-001", "--rules-dir", "aguara.yaml"], "").stdout);
    for part in [
        "acme-001   Acme deployment key",
        "critical",
        "acme_(?:live|stage)_[a-z0-9]{24}",
        "-----begin acme deployment key-----",
        "Revoke it in the console.",
        "aguara.yaml:3",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let row = &rows(&rules(&["show", "aws-access-key-id", "--json"], ""))[0];
    assert_eq!(row["builtin"], true);
    assert!(row["patterns"][0].is_string() && row["homes"].is_array());
    let unknown = rules(&["show", "aws-acces-key-id"], "");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `aws-access-key-id`?"));
}

#[test]
fn rules_are_tested() {
    let own = ["--rules-dir", "aguara.yaml"];
    let test = |arguments: &[&str], input: &str| {
        let output = rules(&[&["test"], arguments, &own].concat(), input);
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, out, _) = test(&["acme-001"], "");
    assert_eq!(
        (code, out.contains("2 examples, 2 counter-examples")),
        (Some(0), true)
    );
    let key = format!("k {AWS_KEY}");
    let (code, out, _) = test(&["aws-access-key-id", &key], "");
    assert_eq!(
        (code, out.trim_end()),
        (Some(0), "aws-access-key-id  high  AKIA••••2WXC")
    );
    let (code, out, err) = test(&["acme-001", "-"], &key);
    assert_eq!((code, out.as_str()), (Some(3), ""));
    assert!(
        err.contains("acme-001 does not match; others do: aws-access-key-id"),
        "{err}"
    );
    let (code, out, _) = test(&["--all", "-", "--json"], &key);
    assert!(
        code == Some(0) && out.contains("\"rule\":\"aws-access-key-id\""),
        "{out}"
    );
    assert_eq!(test(&["--all", "nothing"], "").0, Some(3));
    assert_eq!(test(&[], "").0, Some(2), "a rule or --all");
    let broken = rules(&["test", "acme-009", "--rules-dir", "broken.yaml"], "");
    assert_eq!(broken.status.code(), Some(3), "{broken:?}");
    assert!(
        text(&broken.stdout).contains("does not match example 1"),
        "{broken:?}"
    );
}

#[test]
fn rule_files_are_linted() {
    for name in [
        "aguara",
        "aguara-single",
        "aguara-mistakes",
        "own",
        "own-mistakes",
    ] {
        let file = format!("{name}.yaml");
        let expected = root().join(format!("testdata/rules/{name}.expected"));
        let expected = fs::read_to_string(expected).expect("it is beside the rules");
        let output = rules(&["lint", &file], "");
        let lines = text(&output.stdout);
        let said: Vec<&str> = lines
            .lines()
            .map(|line| line.split("   (").next().unwrap_or(line))
            .collect();
        let meant: Vec<&str> = expected
            .lines()
            .map(|line| line.rsplit_once(" (").map_or(line, |(line, _)| line))
            .collect();
        assert_eq!(said, meant, "{name}");
        let code = if expected.contains(": error: ") { 3 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{name}");
    }
    assert_eq!(
        rules(&["lint", "own.yaml", "--strict"], "").status.code(),
        Some(3)
    );
    assert_eq!(
        rules(&["lint", "aguara-single.yaml", "--strict"], "")
            .status
            .code(),
        Some(0)
    );
    assert_eq!(rules(&["lint", "missing.yaml"], "").status.code(), Some(1));
    for row in rows(&rules(&["lint", "--json", "own-mistakes.yaml"], "")) {
        assert_eq!(
            (&row["schema"], &row["file"]),
            (&1.into(), &"own-mistakes.yaml".into())
        );
        assert!(row["line"].as_u64().is_some() && row["message"].is_string());
    }
}

#[test]
fn the_documented_rules_load_and_keep_their_promises() {
    let page = root().join("docs/reference/rules.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let dir = tempfile::TempDir::new().expect("there is room");
    let mut blocks = 0;
    for (number, block) in page.split("```yaml\n").skip(1).enumerate() {
        let yaml = block.split("```").next().unwrap_or_default();
        let path = dir.path().join(format!("{number}.yaml"));
        fs::write(path, yaml).expect("the directory is ours");
        blocks += 1;
    }
    assert!(blocks >= 2);
    let output = rules(&["lint", "--strict", &dir.path().to_string_lossy()], "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
