//! Host lists, categories and methods.

use http::Method;
use oktsec_model::Origin;

use super::{
    Compiler, HostMap, ListKind, Pattern, PolicyError, Rules, category, list_origin, nearest,
    with_suggestion,
};
use crate::evaluate::{Methods, Written};
use crate::source::Entry;

impl Compiler {
    pub(super) fn rules(
        &mut self,
        allowed: Vec<Entry>,
        blocked: Vec<Entry>,
        categories: Vec<Entry>,
    ) -> Rules {
        let mut rules = Rules {
            allow_origin: list_origin(&allowed),
            ..Rules::default()
        };
        let allowed = self.hosts(allowed, ListKind::Allow, &mut rules.allow);
        for (pattern, _) in allowed.iter().filter(|(pattern, _)| pattern.is_exact()) {
            rules.exact.insert(pattern, ());
        }
        let blocked = self.hosts(blocked, ListKind::Block, &mut rules.block);
        for entry in &categories {
            if let Some(word) = self.category(entry) {
                if rules.categories.contains_key(word.as_str()) {
                    self.warn_duplicate(entry);
                } else {
                    rules.categories.insert(word.into(), entry.origin.clone());
                }
            }
        }
        rules.written = Written {
            allowed,
            blocked,
            categories,
        };
        rules
    }

    fn hosts(
        &mut self,
        entries: Vec<Entry>,
        kind: ListKind,
        map: &mut HostMap<Origin>,
    ) -> Vec<(Pattern, Entry)> {
        let mut written = Vec::with_capacity(entries.len());
        for entry in entries {
            match Pattern::parse(&entry, kind) {
                Ok(pattern) => {
                    if map.insert(&pattern, entry.origin.clone()) {
                        written.push((pattern, entry));
                    } else {
                        self.warn_duplicate(&entry);
                    }
                }
                Err(error) => self.errors.push(error),
            }
        }
        written
    }

    fn category(&mut self, entry: &Entry) -> Option<String> {
        let text = entry.text.as_str();
        if let Some(word) = category::canonical(text) {
            return Some(word.to_owned());
        }
        if self.custom_categories.contains(text) {
            return Some(text.to_owned());
        }
        let error = PolicyError::new("E020", &entry.origin, format!("unknown category `{text}`"));
        let mut known: Vec<&str> = category::ALL.to_vec();
        known.extend(self.custom_categories.iter().map(String::as_str));
        known.sort_unstable();
        let error = match nearest(text, known.iter().copied()) {
            None => error.help(format!("one of {}", known.join(", "))),
            near => with_suggestion(error, near),
        };
        self.errors.push(error);
        None
    }

    pub(super) fn methods(&mut self, written: &[(Entry, Vec<Entry>)]) -> HostMap<Methods> {
        let mut map = HostMap::default();
        for (host, methods) in written {
            let mut allowed = Vec::with_capacity(methods.len());
            for method in methods {
                match parse_method(method) {
                    Ok(method) => allowed.push(method),
                    Err(error) => self.errors.push(error),
                }
            }
            if methods.is_empty() {
                let message = format!("methods names `{}` without a method", host.text);
                let error = PolicyError::new("E013", &host.origin, message);
                self.errors
                    .push(error.help("to close the host, put it into blocked_domains"));
            }
            match Pattern::parse(host, ListKind::Allow) {
                Ok(pattern) => {
                    let origin = host.origin.clone();
                    if !map.insert(&pattern, Methods { allowed, origin }) {
                        let message = format!("methods names `{}` twice", host.text);
                        self.error("E007", &host.origin, message);
                    }
                }
                Err(error) => self.errors.push(error),
            }
        }
        map
    }
}

/// Methods are case-sensitive (RFC 9110, section 9.1): `get` is none that anyone sends.
fn parse_method(entry: &Entry) -> Result<Method, PolicyError> {
    let text = entry.text.as_str();
    let error = || PolicyError::new("E013", &entry.origin, format!("`{text}` is not a method"));
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| error())?;
    if text.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err(error().help(format!("write `{}`", text.to_ascii_uppercase())));
    }
    if method == Method::CONNECT {
        return Err(error().help("tunnels are judged by the requests inside them"));
    }
    Ok(method)
}
