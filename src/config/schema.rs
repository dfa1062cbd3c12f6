//! The settings: ONE table that validation, defaults, `config explain`, the JSON Schema and the
//! reference page are all made from.
//!
//! Each section of the file has a table of its own below `schema/`. A key's default and examples
//! are YAML, so that they are read by the same code as a file.

mod agents;
mod dlp;
mod document;
mod forward_proxy;
mod operate;

/// One setting.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What holds when nothing is written, as YAML. Sections ignore it unless it is `null`.
    pub(crate) default: &'static str,
    /// A sentence or two: what it does, and what a reader would ask next.
    pub(crate) doc: &'static str,
    /// As YAML.
    pub(crate) examples: &'static [&'static str],
    pub(crate) availability: Availability,
}

/// Whether this version does what the key asks for.
#[derive(Clone, Copy)]
pub(crate) enum Availability {
    /// Everything that the kind allows.
    Full,
    /// Only the default, and these values that come to the same.
    Only(&'static [&'static str]),
}

/// What a key takes.
pub(crate) enum Kind {
    /// Agent names to sections.
    Agents(&'static [Key]),
    /// A list of whatever: an item alone is a list of one only where `Many` says so.
    List(&'static Self),
    /// One item or a list of them.
    Many(&'static Self),
    /// Free keys to values.
    Map {
        keys: Text,
        values: &'static Self,
    },
    Bool,
    /// A duration in milliseconds, written `10s`, `5m`, `24h`, `90d` or as seconds.
    Duration {
        min_ms: u64,
        max_ms: u64,
    },
    /// A whole number; `unit` follows the range in messages.
    Integer {
        min: u64,
        max: u64,
        unit: &'static str,
    },
    Section(&'static [Key]),
    /// A number of bytes, written `1048576`, `512KiB` or `8MiB`.
    Size {
        min: u64,
        max: u64,
    },
    Text(Text),
    /// One of these.
    Word(&'static [&'static str]),
    /// One of these, or something else.
    WordOr(&'static [&'static str], &'static Self),
}

/// What a text must look like.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Text {
    /// The name of an agent.
    Agent,
    /// The name of an agent, or `*`.
    AgentOrAll,
    /// Anything.
    Any,
    /// A host pattern: `api.example.com`, `*.example.com`, `.example.com`, an address.
    HostPattern,
    /// A DLP category.
    Category,
    /// The name of an HTTP header.
    HeaderName,
    /// A listen address: `localhost` or an IP address.
    ListenAddress,
    /// An HTTP method.
    Method,
    /// A network in CIDR notation, or an address.
    Network,
    /// A network, an address or a host.
    NetworkOrHost,
    /// A path, relative to the file that holds it.
    Path,
    /// The address of a proxy, or `env`.
    Proxy,
    /// The id of a detection rule.
    RuleId,
    /// What a resolve override names: `host`, `host:port` or `*:port`.
    ResolveName,
    /// What a resolve override answers: an IP address, or with a port.
    SocketAddress,
    /// Never shown.
    Secret,
    /// The name of a secret of the operator's own, which findings show.
    SecretName,
    /// Where a secret is: `env:VAR`, `file:PATH` or `dotenv:PATH`.
    SecretPlace,
    /// An http or https URL.
    Url,
}

/// The whole file.
pub(crate) const ROOT: &[Key] = document::KEYS;

/// The ids of the kinds of section that name things of the operator's.
pub(crate) const WILDCARD: &str = "*";

const NONE: Availability = Availability::Only(&[]);

const TEXT: Kind = Kind::Text(Text::Any);
const TEXTS: Kind = Kind::List(&TEXT);
const HOSTS: Kind = Kind::List(&Kind::Text(Text::HostPattern));
const CATEGORIES: Kind = Kind::List(&Kind::Text(Text::Category));
const SECRET: Kind = Kind::Text(Text::Secret);
const RULE_ID: Kind = Kind::Text(Text::RuleId);
const HOMES: Kind = Kind::Map {
    keys: Text::RuleId,
    values: &HOSTS,
};
const SECOND_MS: u64 = 1000;
const DAY_MS: u64 = 24 * 60 * 60 * SECOND_MS;
const MIB: u64 = 1 << 20;

// === impl Key ===

impl Key {
    const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default,
            doc,
            examples: &[],
            availability: Availability::Full,
        }
    }

    const fn section(name: &'static str, keys: &'static [Self], doc: &'static str) -> Self {
        Self::new(name, Kind::Section(keys), "{}", doc)
    }

    const fn examples(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }

    /// A key whose feature this version does not have.
    const fn later(self) -> Self {
        Self {
            availability: NONE,
            ..self
        }
    }

    /// A key of which this version has only some values.
    const fn only(self, values: &'static [&'static str]) -> Self {
        Self {
            availability: Availability::Only(values),
            ..self
        }
    }

    /// Whether this version does what the key asks for.
    pub(crate) const fn available(&self) -> bool {
        matches!(self.availability, Availability::Full)
    }
}

// === impl Kind ===

impl Kind {
    /// The keys below, where there are any.
    pub(crate) fn keys(&self) -> Option<&'static [Key]> {
        match self {
            Self::Agents(keys) | Self::Section(keys) => Some(keys),
            Self::List(item) | Self::Many(item) => item.keys(),
            _ => None,
        }
    }
}

/// Whether this version has some values of a key, so that it is worth showing.
pub(crate) const fn is_partly_available(key: &Key) -> bool {
    matches!(key.availability, Availability::Only(values) if !values.is_empty())
}

/// What a dotted path leads to.
pub(crate) enum Found {
    /// A key.
    Key(&'static Key),
    /// Nothing: how far the path leads, and the names that would go on.
    Nothing {
        reached: String,
        names: Vec<&'static str>,
    },
}

/// Follows a dotted path such as `agents.*.egress.rate_window`; `agents.researcher…` does too.
pub(crate) fn find(path: &str) -> Found {
    let mut keys = ROOT;
    let mut reached: Vec<&str> = Vec::new();
    let mut found: Option<&'static Key> = None;
    let mut segments = path.split('.').peekable();
    while let Some(segment) = segments.next() {
        let Some(key) = keys.iter().find(|key| key.name == segment) else {
            return Found::Nothing {
                reached: reached.join("."),
                names: keys.iter().map(|key| key.name).collect(),
            };
        };
        reached.push(segment);
        found = Some(key);
        keys = key.kind.keys().unwrap_or(&[]);
        if matches!(key.kind, Kind::Agents(_))
            && let Some(name) = segments.next()
        {
            reached.push(name);
        }
    }
    found.map_or_else(
        || Found::Nothing {
            reached: String::new(),
            names: Vec::new(),
        },
        Found::Key,
    )
}

/// Calls `visit` with every key and its dotted path, top-down, in the table's order.
pub(crate) fn visit(visit: &mut dyn FnMut(&str, &'static Key)) {
    fn below(prefix: &str, keys: &'static [Key], visit: &mut dyn FnMut(&str, &'static Key)) {
        for key in keys {
            let path = join(prefix, key.name);
            visit(&path, key);
            let Some(inner) = key.kind.keys() else {
                continue;
            };
            match key.kind {
                Kind::Agents(_) => below(&join(&path, WILDCARD), inner, visit),
                _ => below(&path, inner, visit),
            }
        }
    }
    below("", ROOT, visit);
}

/// `prefix.name`, or `name` at the top.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_unique() {
        let mut paths = Vec::new();
        visit(&mut |path, key| {
            assert!(key.doc.ends_with('.'), "{path}: the doc is a sentence");
            assert!(
                !key.default.is_empty(),
                "{path}: the default is written out"
            );
            paths.push(path.to_owned());
        });
        let count = paths.len();
        assert!(count > 100, "{count}");
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }

    #[test]
    fn paths_are_followed() {
        for path in [
            "mode",
            "agents",
            "agents.*.egress.rate_window",
            "agents.coder.suspended",
        ] {
            assert!(matches!(find(path), Found::Key(_)), "{path}");
        }
        let Found::Nothing { reached, names } = find("forward_proxy.prot") else {
            panic!("there is no such key");
        };
        assert_eq!(reached, "forward_proxy");
        assert!(names.contains(&"port"));
    }
}
