//! Where everything was written that the policy may speak about, so that its mistakes are told there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use oktsec_model::Origin;
use oktsec_policy::{Entry, PolicyError};

use crate::config::diagnostic::{Diagnostic, code};
use crate::config::node::{SourceKind, Span};
use crate::config::value::Setting;

/// The places of everything that the policy may speak about, by the entry's path.
#[derive(Default)]
pub(super) struct Places {
    spans: HashMap<Arc<str>, Span>,
    /// Entries that expansions made: messages must not quote them.
    expanded: HashSet<Arc<str>>,
}

// === impl Places ===

impl Places {
    /// The place of a value, remembered by its path.
    pub(super) fn origin(&mut self, path: &str, span: &Span) -> Origin {
        let entry: Arc<str> = path.into();
        self.spans.insert(Arc::clone(&entry), span.clone());
        let line = match span.source.kind {
            SourceKind::File => u32::try_from(span.start.line).unwrap_or(u32::MAX),
            SourceKind::Default | SourceKind::Flag | SourceKind::Variable => 0,
        };
        Origin {
            entry,
            file: Arc::clone(&span.source.name),
            line,
        }
    }

    /// The items of a list of texts.
    pub(super) fn entries(&mut self, path: &str, list: &Setting) -> Vec<Entry> {
        self.origin(path, &list.span);
        let items = list.items().iter().enumerate();
        items
            .filter_map(|(index, item)| self.entry(&format!("{path}[{index}]"), item))
            .collect()
    }

    /// A text.
    pub(super) fn entry(&mut self, path: &str, setting: &Setting) -> Option<Entry> {
        let origin = self.origin(path, &setting.span);
        if setting.written.is_some() {
            self.expanded.insert(Arc::clone(&origin.entry));
        }
        Some(Entry {
            text: setting.text()?.to_owned(),
            origin,
        })
    }

    /// A mistake of the policy, at its place in the file.
    pub(super) fn diagnostic(&self, error: &PolicyError) -> Diagnostic {
        let code = code::ALL.iter().find(|code| code.id == error.code).copied();
        let code = code.unwrap_or(code::POLICY);
        let span = self.spans.get(&error.origin.entry);
        if let (Some(span), true) = (span, self.expanded.contains(&error.origin.entry)) {
            // Of an entry of a list the list is named, of a part of one the part.
            let entry = &*error.origin.entry;
            let list = match entry.rsplit_once("].") {
                Some((_, part)) => part,
                None => entry.split('[').next().unwrap_or_default(),
            };
            return Diagnostic::at(
                code,
                span,
                format!("what this expands to is wrong for {list}"),
            );
        }
        let diagnostic = match span {
            Some(span) if span.source.kind != SourceKind::Default => {
                let label = match code {
                    code::HOST => label(span, &error.message),
                    code::UNKNOWN_WORD => "not a category",
                    code::UNKNOWN_RULE => "no such rule",
                    _ => "",
                };
                Diagnostic::at(code, span, error.message.clone()).label(label)
            }
            Some(_) | None => Diagnostic::bare(code, error.message.clone()),
        };
        match &error.help {
            Some(help) => diagnostic.help(help.clone()),
            None => diagnostic,
        }
    }
}

/// The words under a host that is none.
fn label(span: &Span, message: &str) -> &'static str {
    if !message.contains("URLs") {
        return "not a host pattern";
    }
    let line = span
        .source
        .text
        .lines()
        .nth(span.start.line.saturating_sub(1))
        .unwrap_or("");
    match line.split_once("://") {
        Some((_, rest)) if rest.contains('/') => "drop the scheme and the path",
        Some(_) => "drop the scheme",
        None => "drop the path",
    }
}
