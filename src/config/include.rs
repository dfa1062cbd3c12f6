//! Files: reading one, and `include`, which merges others into it.
//!
//! Patterns are relative to the file that holds them, and `*` matches in the last part of a path
//! only. Maps are joined; the same agent or the same setting in two files is an error that names
//! both places. Depth, files and their size are bounded, and a circle is refused.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, code};
use super::node::{Entry, Node, NodeKind, Source, SourceKind, Span};
use super::walk::PRIVATE_PREFIX;
use super::{Environment, expand, yaml};

/// The largest file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How deep files may include each other.
const DEPTH_MAX: usize = 8;
/// The most files of one configuration.
const FILES_MAX: usize = 256;

/// Reads a file with everything it includes; names the files, and the directories in which others would
/// be. What cannot be read is reported and left out.
pub(super) fn read(
    path: &Path,
    env: Environment<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Node, Vec<PathBuf>) {
    let mut reader = Reader {
        env,
        diagnostics,
        open: Vec::new(),
        files: Vec::new(),
    };
    let source = Source::inline(SourceKind::File, &path.display().to_string(), "");
    let node = reader
        .file(path, None)
        .unwrap_or_else(|| Node::empty_map(Span::whole(&source)));
    (node, reader.files)
}

struct Reader<'r> {
    env: Environment<'r>,
    diagnostics: &'r mut Vec<Diagnostic>,
    /// The files that are being read, outermost first, in canonical form.
    open: Vec<PathBuf>,
    /// The files that were read, and the directories that were looked into.
    files: Vec<PathBuf>,
}

// === impl Reader ===

impl Reader<'_> {
    /// One file, its includes merged in. `None` where nothing could be read.
    fn file(&mut self, path: &Path, from: Option<&Span>) -> Option<Node> {
        self.files.push(path.to_owned());
        let source = match load(path) {
            Ok(source) => source,
            Err(reason) => {
                let message = format!("{} cannot be read: {reason}", path.display());
                self.report(code::UNREADABLE, from, message);
                return None;
            }
        };
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.open.contains(&identity) {
            let message = format!("{} includes itself", path.display());
            self.report(code::INCLUDE, from, message);
            return None;
        }
        if self.open.len() >= DEPTH_MAX || self.files.len() > FILES_MAX {
            let message =
                format!("more than {DEPTH_MAX} files deep, or more than {FILES_MAX} files");
            self.report(code::INCLUDE, from, message);
            return None;
        }
        let mut node = match yaml::parse(&source) {
            Ok(node) => node,
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                return None;
            }
        };
        expand::expand(&mut node, self.env, self.diagnostics);
        self.open.push(identity);
        self.includes(&mut node, path);
        self.open.pop();
        Some(node)
    }

    /// Follows the `include` of a file's top level. The walk checks its form.
    fn includes(&mut self, node: &mut Node, path: &Path) {
        let patterns: Vec<(String, Span)> = node
            .entries()
            .iter()
            .filter(|entry| entry.key == "include")
            .flat_map(|entry| match &entry.value.kind {
                NodeKind::List(items) => items.iter().collect(),
                NodeKind::Map(_) | NodeKind::Scalar(_) => Vec::new(),
            })
            .filter_map(|item| match &item.kind {
                NodeKind::Scalar(scalar) => Some((scalar.text.clone(), item.span.clone())),
                NodeKind::List(_) | NodeKind::Map(_) => None,
            })
            .collect();
        let base = path.parent().unwrap_or(Path::new(""));
        for (pattern, span) in patterns {
            let files = match matches(base, &pattern) {
                Ok(files) => files,
                Err(message) => {
                    self.report(code::INCLUDE, Some(&span), message);
                    continue;
                }
            };
            if pattern.contains('*') {
                self.files
                    .extend(base.join(&pattern).parent().map(Path::to_owned));
            }
            for file in files {
                if let Some(mut other) = self.file(&file, Some(&span)) {
                    forget_include(&mut other);
                    self.merge(node, other, "");
                }
            }
        }
    }

    fn merge(&mut self, into: &mut Node, from: Node, path: &str) {
        let (NodeKind::Map(entries), NodeKind::Map(others)) = (&mut into.kind, from.kind) else {
            return;
        };
        for other in others {
            let inner = super::schema::join(path, &other.key);
            // Notes and anchors are each file's own.
            if other.key.starts_with(PRIVATE_PREFIX) {
                continue;
            }
            // A second key of the same name in its own file is the walk's to report.
            let Some(entry) = entries
                .iter_mut()
                .find(|entry| entry.key == other.key && !same_file(entry, &other))
            else {
                entries.push(other);
                continue;
            };
            let both_maps = matches!(
                (&entry.value.kind, &other.value.kind),
                (NodeKind::Map(_), NodeKind::Map(_))
            );
            if both_maps && path != "agents" {
                self.merge(&mut entry.value, other.value, &inner);
            } else if entry.value.is_null() {
                *entry = other;
            } else if !other.value.is_null() && inner != "version" {
                self.twice(entry, &other, &inner);
            }
        }
    }

    fn twice(&mut self, first: &Entry, second: &Entry, path: &str) {
        let message = format!("`{path}` is written in two files");
        let diagnostic = Diagnostic::at(code::DUPLICATE, &second.key_span, message)
            .label(format!("the first is at {}", first.key_span.place()))
            .help("keep one of them");
        self.diagnostics.push(diagnostic);
    }

    fn report(&mut self, code: super::diagnostic::Code, at: Option<&Span>, message: String) {
        self.diagnostics.push(match at {
            Some(span) => Diagnostic::at(code, span, message).label("included here"),
            None => Diagnostic::bare(code, message),
        });
    }
}

/// A file's text, if it is one and not too large.
pub(super) fn load(path: &Path) -> Result<Arc<Source>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a directory".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(Arc::new(Source {
        kind: SourceKind::File,
        name: path.display().to_string().into(),
        path: path.to_owned(),
        text,
    }))
}

/// The files that a pattern names, sorted.
fn matches(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let full = base.join(pattern);
    if !pattern.contains('*') {
        return Ok(vec![full]);
    }
    let (Some(directory), Some(last)) = (full.parent(), full.file_name().and_then(|n| n.to_str()))
    else {
        return Err(format!("`{pattern}` names no file"));
    };
    if directory.to_string_lossy().contains('*') {
        return Err("`*` may stand in the last part of a path only".to_owned());
    }
    let Ok(entries) = std::fs::read_dir(directory) else {
        // A directory that is not there holds no files; so does an empty one.
        return Ok(Vec::new());
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            !name.starts_with('.') && glob(last, &name)
        })
        .map(|entry| entry.path())
        .take(FILES_MAX + 1)
        .collect();
    files.sort();
    Ok(files)
}

/// Whether a name fits a pattern in which `*` is any run of characters.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn forget_include(node: &mut Node) {
    if let NodeKind::Map(entries) = &mut node.kind {
        entries.retain(|entry| entry.key != "include");
    }
}

fn same_file(a: &Entry, b: &Entry) -> bool {
    Arc::ptr_eq(&a.key_span.source, &b.key_span.source)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_match_runs() {
        let cases = [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("*", "anything", true),
            ("a*a", "a", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }
}
