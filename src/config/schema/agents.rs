//! `agents.*`.

use super::forward_proxy::{MODE, RATE_MAX, WINDOW};
use super::{CATEGORIES, DAY_MS, HOMES, HOSTS, Key, Kind, SECOND_MS, SECRET, TEXT, TEXTS, Text};

pub(super) const KEYS: &[Key] = &[
    Key::new("description", TEXT, "\"\"", "What the agent is for."),
    Key::new(
        "can_message",
        Kind::List(&Kind::Text(Text::AgentOrAll)),
        "[]",
        "Agents that this one may send messages to; `*` is all. It governs agent-to-agent \
         traffic only, never egress.",
    )
    .examples(&["[coordinator]", "[\"*\"]"]),
    Key::new(
        "suspended",
        Kind::Bool,
        "false",
        "Refuse every request of this agent.",
    ),
    Key::new("tags", TEXTS, "[]", "Words of your own, for filters."),
    Key::new(
        "tokens",
        Kind::List(&Kind::Section(TOKEN)),
        "[]",
        "Tokens by which the agent proves who it is.",
    )
    .later(),
    Key::new(
        "egress",
        Kind::Section(EGRESS),
        "null",
        "What the agent may reach and send. Without this block the global settings hold alone.",
    ),
];

const TOKEN: &[Key] = &[
    Key::new("id", TEXT, "null", "A name for the token.").later(),
    Key::new("hash", SECRET, "null", "The token's keyed hash.").later(),
    Key::new("expires", TEXT, "null", "The day it ends.").later(),
];

const EGRESS: &[Key] = &[
    Key::new(
        "allowed_domains",
        HOSTS,
        "[]",
        "Hosts that this agent may reach, added to the global list. When both lists are empty, \
         every host that is not blocked may be reached. `*.example.com` is any subdomain, \
         `.example.com` the host and its subdomains.",
    )
    .examples(&["[api.arxiv.org, api.semanticscholar.org]"]),
    Key::new(
        "blocked_domains",
        HOSTS,
        "[]",
        "Hosts that this agent may not reach, with their subdomains, added to the global list.",
    )
    .examples(&["[raw.githubusercontent.com]"]),
    Key::new(
        "blocked_categories",
        CATEGORIES,
        "[]",
        "DLP categories that block for this agent, added to the global list.",
    )
    .examples(&["[credentials, pii]"]),
    Key::new(
        "scan_requests",
        Kind::Bool,
        "null",
        "Run DLP over this agent's requests; `null` inherits.",
    ),
    Key::new(
        "scan_responses",
        Kind::Bool,
        "null",
        "Run DLP over responses to this agent; `null` inherits.",
    ),
    Key::new(
        "rate_limit",
        Kind::Integer {
            min: 0,
            max: RATE_MAX,
            unit: "requests",
        },
        "null",
        "Requests per window; 0 is none, `null` inherits.",
    )
    .examples(&["200"]),
    Key::new(
        "rate_window",
        WINDOW,
        "60",
        "Length of the window that rate_limit counts over. Sliding window. Inherits nothing: a \
         rate_limit without a rate_window uses 60.",
    ),
    Key::new(
        "mode",
        MODE,
        "null",
        "`enforce` or `observe` for this agent; `null` inherits.",
    ),
    Key::new(
        "methods",
        Kind::Map {
            keys: Text::HostPattern,
            values: &Kind::List(&Kind::Text(Text::Method)),
        },
        "{}",
        "The methods that may be used, for hosts that are named here.",
    )
    .examples(&["{api.github.com: [GET, HEAD]}"]),
    Key::new(
        "presets",
        TEXTS,
        "[]",
        "Maintained lists of hosts, by name.",
    )
    .later(),
    Key::new(
        "budgets",
        Kind::List(&Kind::Section(BUDGET)),
        "[]",
        "How many bytes may go to a domain.",
    )
    .later(),
    Key::new(
        "expected_credentials",
        HOMES,
        "{}",
        "Rule ids and hosts that are home to what they find in this agent's requests, added to \
         those of `dlp.expected_credentials`.",
    )
    .examples(&["{gitlab-token: [git.corp.example]}"]),
];

const BUDGET: &[Key] = &[
    Key::new(
        "domain",
        Kind::Text(Text::HostPattern),
        "null",
        "The registrable domain.",
    )
    .later(),
    Key::new(
        "bytes",
        Kind::Size {
            min: 1,
            max: u64::MAX,
        },
        "null",
        "Outbound bytes.",
    )
    .later(),
    Key::new(
        "window",
        Kind::Duration {
            min_ms: SECOND_MS,
            max_ms: 31 * DAY_MS,
        },
        "null",
        "The length of the window.",
    )
    .later(),
];
