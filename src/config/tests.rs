//! Every file of `testdata/config/` against the `.expected` beside it; then what needs more than a
//! file: variables, flags, origins, limits. `UPDATE_EXPECTED=1` rewrites what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const DATA: &str = "testdata/config";

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// What `config check` says of a file.
fn said(path: &Path) -> String {
    let env = variables(&[
        ("HOME", "/home/operator"),
        ("RATE", "250"),
        ("HOST", "api.example.com"),
        ("SECRET", "hunter2 not a host"),
    ]);
    let (verdict, diagnostics) = match load(path, &env, &[]) {
        Ok(loaded) => ("ok", loaded.warnings),
        Err(errors) => ("refused", errors.diagnostics),
    };
    let mut out = format!("{verdict}: {}\n", count(&diagnostics));
    for diagnostic in &diagnostics {
        out.push('\n');
        out.push_str(&anstream::adapter::strip_str(&render::frame(diagnostic)).to_string());
        out.push('\n');
    }
    out
}

fn load_text(text: &str, env: &[(&str, &str)], flags: &[Override]) -> Result<Loaded, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("oktsec.yaml");
    fs::write(&path, text).unwrap();
    load(&path, &variables(env), flags)
}

fn codes(result: Result<Loaded, ConfigErrors>) -> Vec<&'static str> {
    let diagnostics = match result {
        Ok(loaded) => loaded.warnings,
        Err(errors) => errors.diagnostics,
    };
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.id)
        .collect()
}

#[test]
fn files_get_the_expected_answers() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut files: Vec<PathBuf> = fs::read_dir(DATA)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    for path in files {
        let expected = path.with_extension("expected");
        let said = said(&path);
        assert!(!said.contains("hunter2"), "{said}");
        if update {
            fs::write(&expected, said).unwrap();
            continue;
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert!(
            said == wanted,
            "{}:\n{said}\n--- expected ---\n{wanted}",
            path.display()
        );
    }
}

#[test]
fn the_seed_means_what_it_says() {
    let loaded = load(Path::new("testdata/config/seed.yaml"), &[], &[]).unwrap();
    assert!(loaded.boot.enabled);
    assert_eq!(loaded.boot.port, 8080);
    let bind: Vec<String> = loaded.boot.bind.iter().map(ToString::to_string).collect();
    assert_eq!(bind, ["127.0.0.1", "::1"]);
    assert_eq!(loaded.settings.body_bytes_max, 1 << 20);
    assert!(loaded.settings.intercept);
    assert_eq!(loaded.settings.identity_header, "x-oktsec-agent");
    assert_eq!(loaded.settings.timeouts.connect_ms, 10_000);
    let agents: Vec<&str> = loaded
        .effective
        .agents()
        .iter()
        .map(|agent| agent.name.as_str())
        .collect();
    assert_eq!(agents, ["researcher", "coder", "coordinator"]);
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let text = "forward_proxy: {port: 1000, blocked_domains: [a.example]}\n";
    let variable = [("OKTSEC_FORWARD_PROXY__PORT", "2000")];
    let flag = Override {
        flag: "--port".to_owned(),
        key: "forward_proxy.port".to_owned(),
        value: "3000".to_owned(),
    };
    let port = |text, env: &[_], flags: &[_]| load_text(text, env, flags).unwrap().boot.port;
    assert_eq!(
        port("forward_proxy: {blocked_domains: [a.example]}", &[], &[]),
        8080
    );
    assert_eq!(port(text, &[], &[]), 1000);
    assert_eq!(port(text, &variable, &[]), 2000);
    assert_eq!(port(text, &variable, &[flag]), 3000);
}

#[test]
fn variables_follow_the_schema() {
    let text = "agents: {big-agent: {egress: {allowed_domains: [a.example]}}}\n";
    let env = [
        ("OKTSEC_FORWARD_PROXY__ENABLED", "true"),
        ("OKTSEC_FORWARD_PROXY__MAX_BODY_SIZE", "2MiB"),
        (
            "OKTSEC_FORWARD_PROXY__BLOCKED_DOMAINS",
            "a.example, b.example",
        ),
        ("OKTSEC_AGENTS__BIG_AGENT__EGRESS__RATE_LIMIT", "7"),
        ("OKTSEC_AGENT", "not a setting"),
        ("OKTSEC_FORWARD_PROXY__PROT", "1"),
        ("OKTSEC_AGENTS__NOBODY__SUSPENDED", "true"),
    ];
    let loaded = load_text(text, &env, &[]).unwrap();
    assert!(loaded.boot.enabled);
    assert_eq!(loaded.settings.body_bytes_max, 2 << 20);
    let raw = &loaded.effective;
    assert_eq!(raw.at("forward_proxy.blocked_domains").items().len(), 2);
    let limit = raw.at("agents.big-agent.egress.rate_limit");
    assert_eq!(limit.integer(), Some(7));
    assert_eq!(
        limit.span.origin(),
        "$OKTSEC_AGENTS__BIG_AGENT__EGRESS__RATE_LIMIT"
    );
    let codes = codes(Ok(loaded));
    assert_eq!(
        codes.iter().filter(|code| **code == "W100").count(),
        2,
        "{codes:?}"
    );
    let wrong = [
        ("OKTSEC_FORWARD_PROXY__PORT", "many"),
        ("OKTSEC_FORWARD_PROXY__RESOLVE", "a"),
    ];
    assert_eq!(
        self::codes(load_text(text, &wrong, &[]))[..2],
        ["E010", "E010"]
    );
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |text: &str| load_text(text, &[], &[]).unwrap().digest;
    let one = digest("forward_proxy: {max_body_size: 1MiB, allowed_domains: [a.example]}\n");
    let same = digest(
        "# a note\nforward_proxy:\n  allowed_domains:\n    - a.example\n  port: 8080\nx-note: 1\n",
    );
    let other = digest("forward_proxy: {allowed_domains: [b.example]}\n");
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert!(one.starts_with("sha256:") && one.len() == 71, "{one}");
}

#[test]
fn what_cannot_change_while_running_is_named() {
    let boot = |text: &str| load_text(text, &[], &[]).unwrap().boot;
    let base = boot("audit: {dir: /a}\ntls: {ca: {dir: /c}}\n");
    assert_eq!(base.first_difference(&base.clone()), None);
    let cases = [
        (
            "forward_proxy: {port: 9}\naudit: {dir: /a}\ntls: {ca: {dir: /c}}\n",
            "forward_proxy.port",
        ),
        ("audit: {dir: /b}\ntls: {ca: {dir: /c}}\n", "audit.dir"),
        (
            "audit: {dir: /a}\ntls: {ca: {dir: /c}, upstream_roots: webpki}\n",
            "tls.upstream_roots",
        ),
    ];
    for (text, key) in cases {
        assert_eq!(boot(text).first_difference(&base), Some(key));
    }
    let reloadable = "mode: observe\naudit: {dir: /a}\ntls: {ca: {dir: /c}}\n";
    assert_eq!(boot(reloadable).first_difference(&base), None);
}

#[test]
fn paths_are_relative_to_the_file_and_data_has_a_home() {
    let env = [("XDG_DATA_HOME", "/data")];
    let loaded = load_text("audit: {dir: trail}\n", &env, &[]).unwrap();
    assert_eq!(loaded.boot.audit_dir, loaded.path.with_file_name("trail"));
    assert_eq!(loaded.boot.ca_dir, Path::new("/data/oktsec/ca"));
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    for file in ["seed.yaml", "everything.yaml"] {
        let loaded = load(&Path::new(DATA).join(file), &[], &[]).unwrap();
        let shown = show::yaml(&loaded.effective, false);
        let again = load_text(&shown, &[], &[]).unwrap_or_else(|e| panic!("{shown}\n{e:?}"));
        assert_eq!(again.digest, loaded.digest, "{file}: {shown}");
        let origins = show::yaml(&loaded.effective, true);
        let again = load_text(&origins, &[], &[]).unwrap_or_else(|e| panic!("{origins}\n{e:?}"));
        assert_eq!(again.digest, loaded.digest, "{file}: {origins}");
    }
    let seed = load(Path::new("testdata/config/seed.yaml"), &[], &[]).unwrap();
    let origins = show::yaml(&seed.effective, true);
    assert!(
        origins.contains("# testdata/config/seed.yaml:26"),
        "{origins}"
    );
    assert!(
        origins.contains("port: 8080") && origins.contains("# default"),
        "{origins}"
    );
    let object = show::object(&seed.effective);
    let limit = &object["settings"]["agents.researcher.egress.rate_limit"];
    assert_eq!(limit["value"], 200);
}

#[test]
fn what_is_too_large_is_refused() {
    let laughs = format!(
        "x-a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n{}",
        ('b'..='i')
            .zip('a'..)
            .map(|(name, of)| format!(
                "x-{name}: &{name} [{}]\n",
                vec![format!("*{of}"); 10].join(", ")
            ))
            .collect::<String>()
    );
    let deep = format!("x-deep: {}{}\n", "[".repeat(40), "]".repeat(40));
    let block = (0..40)
        .map(|depth| format!("{}x-d:\n", " ".repeat(depth)))
        .collect::<String>();
    let large = format!("x-note: {}\n", "a".repeat(2 << 20));
    assert_eq!(codes(load_text(&laughs, &[], &[])), ["E004"]);
    assert_eq!(codes(load_text(&deep, &[], &[])), ["E004"]);
    assert_eq!(codes(load_text(&block, &[], &[])), ["E004"]);
    assert_eq!(codes(load_text(&large, &[], &[])), ["E008"]);
    let missing = load(Path::new("testdata/config/none.yaml"), &[], &[]);
    assert_eq!(codes(missing), ["E008"]);
}

#[test]
fn many_mistakes_are_counted_and_not_all_told() {
    let text: String = (0..1000)
        .map(|number| format!("wrong{number}: 1\n"))
        .collect();
    let codes = codes(load_text(&text, &[], &[]));
    assert_eq!(codes.len(), 201);
    assert_eq!(codes.last(), Some(&"E004"));
}

#[test]
fn anything_is_answered_and_never_panics() {
    let seed = fs::read_to_string("testdata/config/seed.yaml").unwrap();
    // Every cut, and every cut with a character that means something to YAML behind it.
    for (cut, _) in seed.char_indices().step_by(3) {
        for tail in [
            "", "\t", "[", "{", ": ", "- ", "\"", "&a", "*a", "!!x", "<<: 1\n", "\u{0}",
        ] {
            let text = format!("{}{tail}", &seed[..cut]);
            let source = node::Source::inline(node::SourceKind::File, "cut.yaml", &text);
            let mut diagnostics = Vec::new();
            match yaml::parse(&source) {
                Ok(root) => {
                    walk::document(&root, &mut diagnostics);
                }
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
            for diagnostic in &diagnostics {
                assert!(!render::frame(diagnostic).is_empty());
                assert!(render::github(diagnostic).starts_with("::"));
            }
        }
    }
}

#[test]
fn annotations_and_objects_carry_the_place() {
    let path = Path::new("testdata/config/mistakes.yaml");
    let errors = load(path, &[], &[]).err().unwrap();
    let unknown = errors
        .diagnostics
        .iter()
        .find(|d| d.code.id == "E003")
        .unwrap();
    let annotation = render::github(unknown);
    assert!(
        annotation.starts_with("::error file=testdata/config/mistakes.yaml,line=6,col=3,endColumn=17,title=E003::unknown key `blocked_domain` in forward_proxy%0A"),
        "{annotation}"
    );
    let object = render::object(unknown);
    assert_eq!(object["line"], 6);
    assert_eq!(object["end_column"], 17);
}
