//! The house rules that the compiler does not hold: who imports whom, how long a file may be, and
//! that nothing unwraps.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::gateway::visit;
use crate::support::process::root;

/// Which of our crates each crate may import.
const IMPORTS: [(&str, &[&str]); 7] = [
    ("audit", &["model"]),
    ("detect", &["model"]),
    ("inspect", &["detect", "model", "policy"]),
    ("limit", &["model"]),
    ("model", &[]),
    ("policy", &["model"]),
    ("proxy", &["audit", "inspect", "limit", "model"]),
];

/// What a crate must not name, not even for its tests.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    ("audit", &["hyper"]),
    ("detect", &["hyper", "tokio", "tracing"]),
    ("inspect", &["hyper", "tokio", "tracing"]),
    ("limit", &["hyper"]),
    ("model", &["hyper", "tokio", "tracing"]),
    ("policy", &["hyper", "tokio", "tracing"]),
    ("proxy", &["rusqlite"]),
];

const LINES_MAX: usize = 500;

/// The dependency names in the sections of a manifest whose title ends with `dependencies`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut within = false;
    for line in manifest.lines() {
        if let Some(title) = line.strip_prefix('[') {
            within = title.trim_end_matches(']').ends_with("dependencies");
        } else if within && let Some((name, _)) = line.split_once(['.', '=', ' ']) {
            names.push(name.trim().to_owned());
        }
    }
    names
}

#[test]
fn crates_import_downwards_only() {
    let mut found: Vec<String> = fs::read_dir(root().join("crates"))
        .expect("there are crates")
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        IMPORTS.map(|(name, _)| name),
        "a crate is missing in the table"
    );
    for ((name, allowed), (_, forbidden)) in IMPORTS.iter().zip(FORBIDDEN) {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("each crate has a manifest");
        let names = dependencies(&manifest);
        for import in names.iter().filter_map(|name| name.strip_prefix("oktsec-")) {
            assert!(allowed.contains(&import), "{name} must not import {import}");
        }
        for import in forbidden {
            assert!(
                !names.iter().any(|name| name == import),
                "{name} must not name {import}"
            );
        }
    }
}

/// Every source file of the product.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut roots = vec![root().join("src")];
    roots.extend(IMPORTS.map(|(name, _)| root().join("crates").join(name).join("src")));
    for dir in roots {
        visit(&dir, &mut |path: &Path| {
            if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.to_owned());
            }
        });
    }
    assert!(files.len() > 50);
    files
}

#[test]
fn files_stay_short() {
    for file in sources() {
        let lines = fs::read_to_string(&file)
            .expect("it can be read")
            .lines()
            .count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
        let name = file.file_name().unwrap_or_default();
        assert_ne!(
            name,
            "mod.rs",
            "{}: foo.rs beside foo/, never mod.rs",
            file.display()
        );
    }
}

#[test]
fn nothing_unwraps_or_waits_to_be_written() {
    // In pieces, so that this file does not find itself.
    let banned = [
        concat!(".unwr", "ap()"),
        concat!("to", "do!("),
        concat!("#[al", "low("),
        concat!("TO", "DO"),
    ];
    for file in sources() {
        let path = file.display().to_string();
        let text = fs::read_to_string(&file).expect("it can be read");
        let tests = path.contains("/tests") || path.ends_with("/sample.rs");
        let product = if tests {
            ""
        } else {
            text.split("#[cfg(test)]\nmod tests").next().unwrap_or("")
        };
        for (number, line) in product.lines().enumerate() {
            let code = line.trim_start();
            for word in banned {
                let comment = code.starts_with("//") && word.starts_with('.');
                assert!(
                    comment || !code.contains(word),
                    "{path}:{}: {word}",
                    number + 1
                );
            }
        }
    }
}
