//! The schema for readers: `config explain`, the JSON Schema for editors, and the reference page.
//! All three are made from the table, so none can say something else than what is checked.

mod json_schema;

pub(crate) use json_schema::json_schema;

use super::diagnostic::code;
use super::schema::{self, Availability, Key, Kind, Text};
use super::walk::range;

/// One setting, explained: name, kind, range and default, then what it does.
pub(crate) fn explain(path: &str, key: &Key) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    let mut lines = vec![format!("{name}   {}", summary(key)), key.doc.to_owned()];
    for example in key.examples {
        lines.push(format!("example: {}", assignment(name, example)));
    }
    lines.extend(availability(key).map(|note| note.to_owned()));
    if let Some(keys) = key.kind.keys() {
        let width = keys.iter().map(|key| key.name.len()).max().unwrap_or(0);
        lines.push(String::new());
        for key in keys {
            let mark = if key.available() || is_section(key) {
                ""
            } else {
                " (later version)"
            };
            lines.push(format!("  {:width$}  {}{mark}", key.name, summary(key)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The reference page.
pub(crate) fn markdown() -> String {
    let mut lines = vec![
        "# Configuration".to_owned(),
        String::new(),
        "This page is made from the settings' table: `oktsec config reference` prints it, and a \
         test holds the two together. `oktsec config explain KEY` shows one setting, `oktsec \
         config schema` the JSON Schema for editors."
            .to_owned(),
        String::new(),
        "Flags win over variables, variables over the file, the file over the defaults. A \
         variable is named after its setting: `OKTSEC_FORWARD_PROXY__MAX_BODY_SIZE=2MiB`, lists by \
         comma. `${VAR}`, `${VAR:-default}` and `${file:PATH}` expand in values, never in keys; \
         `$${` is a plain `${`. Paths are relative to the file that holds them. Keys that begin \
         with `x-` are yours."
            .to_owned(),
        String::new(),
        "Settings marked *later* belong to a later version: their default is accepted, anything \
         else is an error."
            .to_owned(),
    ];
    for key in schema::ROOT {
        lines.push(String::new());
        lines.push(format!("## `{}`", key.name));
        lines.push(String::new());
        match &key.kind {
            Kind::Agents(keys) => {
                lines.push(key.doc.to_owned());
                table(&mut lines, &format!("{}.*", key.name), keys);
            }
            kind => match kind.keys() {
                Some(keys) => {
                    lines.push(format!("{}{}", key.doc, later(key)));
                    table(&mut lines, key.name, keys);
                }
                None => lines.push(format!(
                    "{}. {}{}",
                    capitalized(&summary(key)),
                    key.doc,
                    later(key)
                )),
            },
        }
    }
    codes(&mut lines);
    lines.push(String::new());
    lines.join("\n")
}

fn table(lines: &mut Vec<String>, prefix: &str, keys: &'static [Key]) {
    lines.push(String::new());
    lines.push("| setting | takes | what it does |".to_owned());
    lines.push("|---|---|---|".to_owned());
    rows(lines, prefix, keys);
}

fn rows(lines: &mut Vec<String>, prefix: &str, keys: &'static [Key]) {
    for key in keys {
        let path = schema::join(prefix, key.name);
        let doc = format!("{}{}", key.doc, later(key)).replace('|', "\\|");
        lines.push(format!(
            "| `{path}` | {} | {doc} |",
            summary(key).replace('|', "\\|")
        ));
        if let Some(inner) = key.kind.keys() {
            rows(lines, &path, inner);
        }
    }
}

fn codes(lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push("## Codes of messages".to_owned());
    lines.push(String::new());
    lines.push("Errors (`E`) refuse a configuration, warnings (`W`) do not.".to_owned());
    lines.push(String::new());
    lines.push("| code | meaning |".to_owned());
    lines.push("|---|---|".to_owned());
    for code in code::ALL {
        lines.push(format!("| {} | {} |", code.id, code.about));
    }
}

/// `integer seconds, 1..86400, default 60`.
pub(super) fn summary(key: &Key) -> String {
    let default = match key.default {
        "null" => "not set",
        default => default,
    };
    match &key.kind {
        Kind::Section(_) if key.default != "null" => "settings".to_owned(),
        kind => format!("{}, default {default}", kind_text(kind)),
    }
}

fn kind_text(kind: &Kind) -> String {
    match kind {
        Kind::Agents(_) => "agent names to settings".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Duration { .. } => format!("duration, {}", dotted(kind)),
        Kind::Integer { unit, .. } => {
            let unit = if unit.is_empty() {
                String::new()
            } else {
                format!(" {unit}")
            };
            format!("integer{unit}, {}", dotted(kind))
        }
        Kind::List(item) => match item {
            Kind::Section(_) => "list of settings".to_owned(),
            item => format!("list of {}", item_text(item)),
        },
        Kind::Many(item) => format!("{}, or a list of them", item_text(item)),
        Kind::Map { keys, values } => {
            format!("{} to {}", text_name(*keys), item_text(values))
        }
        Kind::Section(_) => "settings".to_owned(),
        Kind::Size { .. } => format!("size in bytes, {}", dotted(kind)),
        Kind::Text(form) => text_name(*form).to_owned(),
        Kind::Word(words) => match words {
            [only] => format!("\"{only}\""),
            words => words.join(" or "),
        },
        Kind::WordOr(words, other) => format!("{} or {}", words.join(" or "), item_text(other)),
    }
}

fn item_text(kind: &Kind) -> String {
    match kind {
        Kind::Text(form) => text_name(*form).to_owned(),
        Kind::List(item) => format!("list of {}", item_text(item)),
        kind => kind_text(kind),
    }
}

/// `1..86400`, as ranges are written in explanations.
fn dotted(kind: &Kind) -> String {
    let unit = match kind {
        Kind::Integer { unit, .. } => *unit,
        _ => "",
    };
    range(kind)
        .trim_end_matches(unit)
        .trim_end()
        .replace(" to ", "..")
}

pub(super) const fn text_name(form: Text) -> &'static str {
    match form {
        Text::Agent => "agent",
        Text::AgentOrAll => "agent or *",
        Text::Any => "text",
        Text::Category => "category",
        Text::HeaderName => "header name",
        Text::HostPattern => "host pattern",
        Text::ListenAddress => "`localhost` or IP address",
        Text::Method => "method",
        Text::Network => "network (CIDR)",
        Text::NetworkOrHost => "network (CIDR) or host",
        Text::Path => "path",
        Text::Proxy => "proxy URL or `env`",
        Text::RuleId => "rule id",
        Text::ResolveName => "host, host:port or *:port",
        Text::Secret => "secret text",
        Text::SecretName => "name",
        Text::SecretPlace => "`env:VAR`, `file:PATH` or `dotenv:PATH`",
        Text::SocketAddress => "IP[:port]",
        Text::Url => "URL",
    }
}

fn assignment(name: &str, example: &str) -> String {
    format!("{name}: {example}")
}

fn availability(key: &Key) -> Option<&'static str> {
    match key.availability {
        Availability::Full => None,
        Availability::Only([]) => Some("Belongs to a later version: only the default is accepted."),
        Availability::Only(_) => Some("Other values belong to a later version."),
    }
}

fn later(key: &Key) -> &'static str {
    match key.availability {
        Availability::Full => "",
        Availability::Only([]) => " *Later.*",
        Availability::Only(_) => " *Other values later.*",
    }
}

const fn is_section(key: &Key) -> bool {
    matches!(key.kind, Kind::Section(_) | Kind::Agents(_)) && key.available()
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{Found, find};

    fn explained(path: &str) -> String {
        let Found::Key(key) = find(path) else {
            panic!("{path} is a key")
        };
        explain(path, key)
    }

    #[test]
    fn a_setting_is_explained_as_documented() {
        assert_eq!(
            explained("agents.*.egress.rate_window"),
            "rate_window   integer seconds, 1..86400, default 60\n\
             Length of the window that rate_limit counts over. Sliding window. Inherits nothing: a \
             rate_limit without a rate_window uses 60.\n",
        );
        assert!(explained("webhooks").contains("later version"));
        assert!(explained("forward_proxy").contains("allowed_ports"));
    }

    #[test]
    fn the_reference_page_is_up_to_date() {
        let page = include_str!("../../docs/reference/configuration.md");
        assert!(
            page == markdown(),
            "run: cargo run -- config reference > docs/reference/configuration.md"
        );
    }
}
