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
        ("OTHER", "hunter2 something else"),
        ("EMPTY", ""),
    ]);
    let checked = load_strictly(path, &env, &[]).and_then(|mut loaded| {
        loaded.read_secrets(&env)?;
        Ok(loaded.warnings)
    });
    let (verdict, diagnostics) = match checked {
        Ok(warnings) => ("ok", warnings),
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
        let beside = |text: &str| {
            let directory = tempfile::tempdir().unwrap();
            let rules = fs::canonicalize(DATA).unwrap().join("rules");
            std::os::unix::fs::symlink(rules, directory.path().join("rules")).unwrap();
            let path = directory.path().join("oktsec.yaml");
            fs::write(&path, text).unwrap();
            load(&path, &[], &[])
        };
        let shown = show::yaml(&loaded.effective, false);
        let again = beside(&shown).unwrap_or_else(|e| panic!("{shown}\n{e:?}"));
        assert_eq!(again.digest, loaded.digest, "{file}: {shown}");
        let origins = show::yaml(&loaded.effective, true);
        let again = beside(&origins).unwrap_or_else(|e| panic!("{origins}\n{e:?}"));
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
fn rule_files_are_part_of_the_digest_and_found_once() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.d");
    fs::create_dir_all(rules.join("deeper")).unwrap();
    fs::create_dir_all(rules.join(".hidden")).unwrap();
    let rule = fs::read_to_string("testdata/config/rules/project.yaml").unwrap();
    fs::write(rules.join("deeper/one.yaml"), &rule).unwrap();
    fs::write(rules.join(".hidden/two.yaml"), "not looked at").unwrap();
    fs::write(rules.join("notes.md"), "not looked at").unwrap();
    std::os::unix::fs::symlink(rules.join("deeper"), rules.join("link")).unwrap();
    std::os::unix::fs::symlink(&rules, rules.join("deeper/circle")).unwrap();
    std::os::unix::fs::symlink(rules.join("deeper/one.yaml"), rules.join("two.yml")).unwrap();
    let path = directory.path().join("oktsec.yaml");
    fs::write(&path, "dlp: {custom_rules_dir: rules.d}\n").unwrap();
    let loaded = load(&path, &[], &[]).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(loaded.rules.len(), 1);
    let changed = rule.replace("severity: high", "severity: low");
    fs::write(rules.join("deeper/one.yaml"), changed).unwrap();
    let again = load(&path, &[], &[]).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_ne!(loaded.digest, again.digest);
}

#[test]
fn a_rule_never_takes_the_place_of_another() {
    let directory = tempfile::tempdir().unwrap();
    let rule = fs::read_to_string("testdata/config/rules/project.yaml").unwrap();
    let path = directory.path().join("oktsec.yaml");
    let taken = rule.replace("project-halibut\n", "aws-access-key-id\n");
    fs::create_dir(directory.path().join("r")).unwrap();
    fs::write(directory.path().join("r/a.yaml"), taken).unwrap();
    fs::write(directory.path().join("r/b.yaml"), &rule).unwrap();
    fs::write(directory.path().join("r/c.yaml"), &rule).unwrap();
    fs::write(&path, "dlp: {custom_rules_dir: r}\n").unwrap();
    let errors = load(&path, &[], &[]).err().unwrap();
    let told: Vec<(&str, String)> = (errors.diagnostics.iter())
        .map(|d| (d.code.id, format!("{} {:?}", d.message, d.span)))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let by = |told: &(&str, String), words: &str, place: &str| {
        told.0 == "E050" && told.1.contains(words) && told.1.contains(place)
    };
    assert!(
        by(&told[0], "the id is taken by", "r/a.yaml:1:"),
        "{told:?}"
    );
    assert!(by(&told[1], "r/b.yaml:1", "r/c.yaml:1:"), "{told:?}");
}

#[test]
fn what_has_ended_stops_no_start() {
    let text = "dlp: {ignore: [{rule: iban, until: 2020-01-01, reason: r}]}\n";
    let loaded = load_text(text, &[], &[]);
    assert_eq!(
        codes(loaded).iter().filter(|code| **code == "W110").count(),
        1
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("oktsec.yaml");
    fs::write(&path, text).unwrap();
    assert_eq!(codes(load_strictly(&path, &[], &[]))[0], "E042");
}

#[test]
fn secrets_are_shown_nowhere() {
    let env = [
        ("TOKEN", "hunter2 is no secret"),
        ("OKTSEC_MODE", "enforce"),
    ];
    let text = "dlp: {known_secrets: {a: env:TOKEN, b: \"env:${NAME:-TOKEN}\"}}\n";
    let mut loaded = load_text(text, &env, &[]).unwrap_or_else(|errors| panic!("{errors:?}"));
    let secrets = loaded.read_secrets(&variables(&env));
    assert_eq!(secrets.map(|secrets| secrets.len()).ok(), Some(2));
    let shown = format!(
        "{}{}{:?}",
        show::yaml(&loaded.effective, true),
        show::object(&loaded.effective),
        loaded.effective
    );
    assert!(
        shown.contains("env:TOKEN") && !shown.contains("hunter2"),
        "{shown}"
    );
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
