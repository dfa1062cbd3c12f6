//! `dlp.custom_rules_dir`: the files, what they bring along, and their mistakes at their places.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oktsec_detect::{Detector, KnownSecret, Rule, RuleError, RuleFile};
use oktsec_model::category;
use sha2::{Digest as _, Sha256};

use super::dotenv_ids;
use crate::config::diagnostic::{Diagnostic, code};
use crate::config::include;
use crate::config::node::{Point, Source, Span};
use crate::config::raw::RawConfig;

/// The operator's own rules, as files.
#[derive(Default)]
pub(in crate::config) struct OwnRules {
    pub(in crate::config) files: Vec<RuleFile>,
    /// The files and directories that were looked into, in canonical form.
    pub(in crate::config) places: Vec<PathBuf>,
    /// The ids of all rules, where something asks for them and they could be read.
    pub(in crate::config) ids: Option<Vec<String>>,
    /// Categories that are not built in; `None` where rules could not be read.
    pub(in crate::config) categories: Option<Vec<String>>,
}

/// The files below a directory, in order; each once, however many links lead to it.
struct Visit<'s> {
    setting: &'s Span,
    seen: HashSet<PathBuf>,
    files: Vec<PathBuf>,
    /// That there are too many was said.
    is_full: bool,
    errors: Vec<Diagnostic>,
}

/// The most files.
const FILES_MAX: usize = 1_000;
/// How deep directories may lie in each other.
const DEPTH_MAX: usize = 16;

// === impl OwnRules ===

impl OwnRules {
    /// Reads the directory, if one is set, and the rules where a setting names one.
    pub(in crate::config) fn read(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) -> Self {
        const SETTING: &str = "dlp.custom_rules_dir";
        let before = diagnostics.len();
        let (sources, places) = match raw.file_path(SETTING) {
            Some(dir) => sources(&dir, &raw.at(SETTING).span, diagnostics),
            None => Default::default(),
        };
        let files: Vec<RuleFile> = sources
            .iter()
            .map(|source| RuleFile {
                name: source.name.to_string(),
                text: source.text.clone(),
            })
            .collect();
        let unread = diagnostics.len() > before;
        if files.is_empty() && !names_rules(raw) {
            return Self {
                categories: (!unread).then(Vec::new),
                places,
                ..Self::default()
            };
        }
        match Detector::load_rules(&files) {
            Ok(rules) => Self {
                files,
                places,
                // Of files that were not read, nobody knows the ids.
                ids: (!unread).then(|| ids(&rules, raw)),
                categories: (!unread).then(|| categories(&rules)),
            },
            Err(errors) => {
                diagnostics.extend(errors.iter().map(|error| mistake(error, &sources)));
                Self::default()
            }
        }
    }

    /// `sha256:…` of each file's content, in an order of their own.
    pub(in crate::config) fn digests(&self) -> Vec<String> {
        let digest = |file: &RuleFile| {
            let digest = Sha256::digest(file.text.as_bytes());
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let mut digests: Vec<String> = self.files.iter().map(digest).collect();
        digests.sort();
        digests
    }
}

/// Whether some setting names a rule, so that it has to be known which there are.
fn names_rules(raw: &RawConfig) -> bool {
    let own = |agent: &crate::config::value::Field| {
        let egress = agent.setting.field("egress");
        egress
            .and_then(|egress| egress.field("expected_credentials"))
            .is_some_and(|homes| !homes.fields().is_empty())
    };
    !raw.at("dlp.rules").items().is_empty()
        || !raw.at("dlp.ignore").items().is_empty()
        || !raw.at("dlp.expected_credentials").fields().is_empty()
        || raw.agents().iter().any(own)
}

fn ids(rules: &[Rule], raw: &RawConfig) -> Vec<String> {
    let secrets = raw.at("dlp.known_secrets").fields().iter();
    let secrets = secrets.flat_map(|field| {
        let mut ids = dotenv_ids(field);
        ids.push(KnownSecret::rule_id(&field.name));
        ids
    });
    let ids = rules.iter().map(|rule| rule.id.clone()).chain(secrets);
    ids.map(|id| id.as_str().to_owned()).collect()
}

fn categories(rules: &[Rule]) -> Vec<String> {
    let mut words: Vec<String> = rules
        .iter()
        .map(|rule| rule.category.as_str())
        .filter(|word| category::canonical(word).is_none())
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    words
}

/// The files of a directory, and all places that were looked into for them.
fn sources(
    dir: &Path,
    setting: &Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<Arc<Source>>, Vec<PathBuf>) {
    let mut visit = Visit {
        setting,
        seen: HashSet::new(),
        files: Vec::new(),
        is_full: false,
        errors: Vec::new(),
    };
    visit.directory(dir, 0);
    let mut read = Vec::with_capacity(visit.files.len());
    for path in std::mem::take(&mut visit.files) {
        match include::load(&path) {
            Ok(source) => read.push(source),
            Err(reason) => visit.unreadable(&path, &reason),
        }
    }
    diagnostics.append(&mut visit.errors);
    let mut places: Vec<PathBuf> = visit.seen.into_iter().collect();
    places.sort();
    (read, places)
}

/// A mistake at its line.
fn mistake(error: &RuleError, sources: &[Arc<Source>]) -> Diagnostic {
    let source = sources.iter().find(|source| *source.name == *error.file);
    // Messages of the pattern's parser draw pictures over several lines.
    let words: Vec<&str> = error.message.split_whitespace().collect();
    match source {
        Some(source) => {
            let span = line_of(source, error.line);
            Diagnostic::at(code::OWN_RULE, &span, words.join(" "))
        }
        None => Diagnostic::bare(code::OWN_RULE, error.to_string()),
    }
}

/// The text of a line, without the blanks around it.
fn line_of(source: &Arc<Source>, line: usize) -> Span {
    let text = source
        .text
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or("");
    let indent = text.chars().take_while(|char| char.is_whitespace()).count();
    let width = text.trim().chars().count().max(1);
    let column = indent + 1;
    Span {
        source: Arc::clone(source),
        start: Point { line, column },
        end: Point {
            line,
            column: column + width,
        },
    }
}

// === impl Visit ===

impl Visit<'_> {
    fn directory(&mut self, dir: &Path, depth: usize) {
        if depth > DEPTH_MAX {
            let reason = format!("more than {DEPTH_MAX} directories lie in each other");
            return self.unreadable(dir, &reason);
        }
        let identity = match dir.canonicalize() {
            Ok(identity) => identity,
            Err(error) => return self.unreadable(dir, &error.to_string()),
        };
        if !self.seen.insert(identity) {
            return;
        }
        let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut paths: Vec<PathBuf> = match entries {
            Ok(entries) => entries.iter().map(std::fs::DirEntry::path).collect(),
            Err(error) => return self.unreadable(dir, &error.to_string()),
        };
        paths.sort();
        for path in paths {
            self.entry(&path, depth);
        }
    }

    /// Hidden names are not for reading: editors and mounts keep their own there.
    fn entry(&mut self, path: &Path, depth: usize) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            return;
        }
        if path.is_dir() {
            return self.directory(path, depth + 1);
        }
        if !name.ends_with(".yaml") && !name.ends_with(".yml") {
            return;
        }
        let is_new = match path.canonicalize() {
            Ok(identity) => self.seen.insert(identity),
            Err(error) => return self.unreadable(path, &error.to_string()),
        };
        match self.files.len() {
            _ if !is_new => {}
            // Opening a pipe would wait for ever.
            _ if !path.is_file() => self.unreadable(path, "it is no file"),
            FILES_MAX.. if self.is_full => {}
            FILES_MAX.. => {
                self.is_full = true;
                self.unreadable(path, &format!("there are more than {FILES_MAX} rule files"));
            }
            _ => self.files.push(path.to_owned()),
        }
    }

    fn unreadable(&mut self, path: &Path, reason: &str) {
        let message = format!("{} cannot be read: {reason}", path.display());
        let diagnostic = Diagnostic::at(code::OWN_RULE, self.setting, message);
        self.errors.push(diagnostic.help(
            "custom_rules_dir names a directory, relative to the file that holds the setting",
        ));
    }
}
