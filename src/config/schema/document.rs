//! The top level, `tls` and `identity`.

use super::{DAY_MS, HOSTS, Key, Kind, SECOND_MS, Text, agents, dlp, forward_proxy, operate};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "version",
        Kind::Word(&["1"]),
        "\"1\"",
        "The version of this format.",
    ),
    Key::new(
        "mode",
        Kind::Word(&["enforce", "observe"]),
        "enforce",
        "What becomes of a request that policy or DLP refuses. `observe` lets it through and \
         flags it; private addresses and the global blocklist still hold.",
    ),
    Key::section(
        "forward_proxy",
        forward_proxy::KEYS,
        "The proxy: where it listens, what holds for every agent.",
    ),
    Key::section(
        "tls",
        TLS,
        "Opening TLS, so that HTTPS can be judged and not only its host.",
    ),
    Key::section("identity", IDENTITY, "How a request's agent is known."),
    Key::new(
        "agents",
        Kind::Agents(agents::KEYS),
        "{}",
        "The agents by name. Names are 1 to 63 letters, digits, `_` and `-`.",
    )
    .examples(&["{researcher: {egress: {allowed_domains: [api.arxiv.org]}}}"]),
    Key::section(
        "dlp",
        dlp::KEYS,
        "What is looked for in requests, and how deep.",
    ),
    Key::section(
        "audit",
        operate::AUDIT,
        "The audit trail: every decision, hash-chained.",
    ),
    Key::section(
        "rate_limit",
        operate::RATE_LIMIT,
        "Where rate limits are counted.",
    ),
    Key::section("admin", operate::ADMIN, "Dashboard, API and metrics."),
    Key::new(
        "webhooks",
        Kind::List(&Kind::Section(operate::WEBHOOK)),
        "[]",
        "Who is told of blocked requests.",
    )
    .later(),
    Key::new(
        "sinks",
        Kind::List(&Kind::Section(operate::SINK)),
        "[]",
        "Where audit events are copied to, for a SIEM.",
    )
    .later(),
    Key::section(
        "telemetry",
        operate::TELEMETRY,
        "Logs and traces. Nothing is sent home.",
    ),
    Key::new(
        "include",
        Kind::List(&Kind::Text(Text::Path)),
        "[]",
        "Files to merge in, relative to this one; `*` in the last part matches. Maps are joined; \
         the same agent or setting twice is an error.",
    )
    .examples(&["[agents.d/*.yaml]"]),
];

const TLS: &[Key] = &[
    Key::new(
        "intercept",
        Kind::Bool,
        "true",
        "Open HTTPS with the local CA and judge what is inside. Without it HTTPS is judged by \
         host name only, and the log says so.",
    ),
    Key::new(
        "bypass",
        HOSTS,
        "[]",
        "Hosts whose TLS is tunnelled unseen, for clients that pin certificates. Each is hidden \
         from DLP.",
    )
    .examples(&["[\"*.pinned.example.com\"]"]),
    Key::section("ca", CA, "The local certificate authority."),
    Key::new(
        "upstream_roots",
        Kind::Text(Text::Path),
        "system",
        "Which roots upstream certificates are checked against: `system`, `webpki` (built in), or \
         the path of a PEM bundle added to the system's.",
    )
    .examples(&["system", "webpki", "/etc/oktsec/corporate-roots.pem"]),
];

const CA: &[Key] = &[
    Key::new(
        "dir",
        Kind::Text(Text::Path),
        "null",
        "Where the CA's key and certificate are kept; without it `ca` in the data directory.",
    ),
    Key::new(
        "leaf_ttl",
        Kind::Duration {
            min_ms: 3600 * SECOND_MS,
            max_ms: 90 * DAY_MS,
        },
        "24h",
        "How long a certificate made for a host is valid.",
    ),
    Key::new(
        "key_type",
        Kind::Word(&["ecdsa-p256"]),
        "ecdsa-p256",
        "The kind of key.",
    ),
];

const IDENTITY: &[Key] = &[
    Key::new(
        "require",
        Kind::Bool,
        "false",
        "Refuse requests without a valid token (407).",
    )
    .later(),
    Key::new(
        "header",
        Kind::Text(Text::HeaderName),
        "X-Oktsec-Agent",
        "The header in which an agent names itself. It is always removed before a request is \
         forwarded.",
    ),
    Key::new(
        "trust_header_from",
        Kind::List(&Kind::Text(Text::Network)),
        "[127.0.0.0/8, \"::1/128\"]",
        "Client networks whose agent header is believed.",
    ),
    Key::new(
        "addresses",
        Kind::Map {
            keys: Text::Network,
            values: &Kind::Text(Text::Agent),
        },
        "{}",
        "Client networks and the agent that each belongs to. They may not overlap.",
    )
    .examples(&["{10.0.3.7/32: researcher}"]),
    Key::new(
        "listeners",
        Kind::List(&Kind::Section(LISTENER)),
        "[]",
        "A port or socket per agent, for clients that drop credentials.",
    )
    .later(),
    Key::new(
        "default_agent",
        Kind::Text(Text::Agent),
        "null",
        "The agent of requests without any identity.",
    ),
];

const LISTENER: &[Key] = &[
    Key::new(
        "port",
        Kind::Integer {
            min: 1,
            max: 65535,
            unit: "",
        },
        "null",
        "The port to listen on.",
    )
    .later(),
    Key::new(
        "socket",
        Kind::Text(Text::Path),
        "null",
        "The Unix socket to listen on.",
    )
    .later(),
    Key::new(
        "agent",
        Kind::Text(Text::Agent),
        "null",
        "Whose requests arrive there.",
    )
    .later(),
];
