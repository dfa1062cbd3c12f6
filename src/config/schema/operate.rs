//! `audit`, `rate_limit`, `admin`, `webhooks`, `sinks`, `telemetry`.

use super::{DAY_MS, Key, Kind, SECOND_MS, SECRET, TEXT, Text};

pub(super) const AUDIT: &[Key] = &[
    Key::new(
        "dir",
        Kind::Text(Text::Path),
        "null",
        "Where the ledger and its index are kept; without it `audit` in the data directory \
         ($XDG_DATA_HOME/oktsec or ~/.local/share/oktsec).",
    ),
    Key::new(
        "retention",
        Kind::Duration {
            min_ms: 0,
            max_ms: 36_500 * DAY_MS,
        },
        "90d",
        "How long ledger files are kept; 0 is for ever. This version deletes nothing.",
    )
    .only(&["0"]),
    Key::new(
        "durability",
        Kind::Word(&["answer", "egress"]),
        "answer",
        "When a decision must be on disk: before the agent gets its answer, or before a byte \
         leaves.",
    ),
    Key::new(
        "on_failure",
        Kind::Word(&["block", "spool"]),
        "block",
        "What happens when the trail cannot be written: requests are refused (503), or decisions \
         are held in a bounded spool.",
    )
    .later(),
    Key::new(
        "log_forwarded",
        Kind::Bool,
        "true",
        "Record requests that were forwarded, too.",
    )
    .later(),
    Key::section("evidence", EVIDENCE, "What is kept of a match."),
];

const EVIDENCE: &[Key] = &[
    Key::new(
        "context_chars",
        Kind::Integer {
            min: 0,
            max: 200,
            unit: "characters",
        },
        "0",
        "How much around a match is kept. It may hold what no rule knows.",
    )
    .later(),
    Key::new(
        "recipient",
        TEXT,
        "null",
        "An age public key to which full matches are sealed.",
    )
    .later(),
];

pub(super) const RATE_LIMIT: &[Key] = &[
    Key::new(
        "backend",
        Kind::Word(&["memory", "redis"]),
        "memory",
        "Where counts are held.",
    )
    .later(),
    Key::new("redis_url", SECRET, "null", "The Redis server.").later(),
    Key::new(
        "on_backend_error",
        Kind::Word(&["local", "block"]),
        "local",
        "What holds while the backend cannot be reached: this instance's share, or nothing \
         passes.",
    )
    .later(),
    Key::new(
        "instances",
        Kind::Integer {
            min: 1,
            max: 1000,
            unit: "instances",
        },
        "1",
        "How many gateways share the limits.",
    )
    .later(),
];

pub(super) const ADMIN: &[Key] = &[
    Key::new(
        "bind",
        TEXT,
        "127.0.0.1:8081",
        "Where dashboard, API and metrics listen; a Unix socket's path is allowed.",
    )
    .later(),
    Key::new(
        "public_url",
        Kind::Text(Text::Url),
        "null",
        "Their address as others see it.",
    )
    .later(),
    Key::section("auth", AUTH, "Who may log in."),
    Key::section("metrics", METRICS, "Prometheus metrics."),
];

const AUTH: &[Key] = &[
    Key::new(
        "session_ttl",
        Kind::Duration {
            min_ms: 60 * SECOND_MS,
            max_ms: 30 * DAY_MS,
        },
        "8h",
        "How long a login lasts.",
    )
    .later(),
    Key::new(
        "tokens_file",
        Kind::Text(Text::Path),
        "null",
        "A file of operator tokens.",
    )
    .later(),
    Key::new(
        "trusted_header",
        Kind::Text(Text::HeaderName),
        "null",
        "A header in which a proxy in front names the user.",
    )
    .later(),
];

const METRICS: &[Key] = &[
    Key::new("enabled", Kind::Bool, "true", "Serve metrics.").later(),
    Key::new("path", TEXT, "/metrics", "Under which path.").later(),
    Key::new("bind", TEXT, "null", "On an address of their own.").later(),
    Key::new("auth", Kind::Bool, "false", "Ask for a token.").later(),
];

pub(super) const WEBHOOK: &[Key] = &[
    Key::new("name", TEXT, "null", "A name for it.").later(),
    Key::new(
        "type",
        Kind::Word(&["standard", "slack", "teams", "pagerduty", "discord"]),
        "standard",
        "The form of the message; `standard` is signed.",
    )
    .later(),
    Key::new("url", SECRET, "null", "Where it is sent.").later(),
    Key::new("secret", SECRET, "null", "The key of the signature.").later(),
    Key::new(
        "events",
        Kind::List(&Kind::Word(&[
            "blocked",
            "flagged",
            "suspended",
            "rate_limited",
            "config",
            "integrity",
        ])),
        "[blocked]",
        "What it is sent for.",
    )
    .later(),
    Key::new(
        "min_severity",
        Kind::Word(&["low", "medium", "high", "critical"]),
        "medium",
        "The least severity it is sent for.",
    )
    .later(),
    Key::new(
        "group",
        Kind::Duration {
            min_ms: 0,
            max_ms: DAY_MS,
        },
        "60s",
        "One message per agent and reason in this time, with a count.",
    )
    .later(),
];

pub(super) const SINK: &[Key] = &[
    Key::new(
        "type",
        Kind::Word(&["file", "syslog", "otlp", "http"]),
        "file",
        "The kind of sink.",
    )
    .later(),
    Key::new(
        "format",
        Kind::Word(&["jsonl", "ocsf", "cef", "ecs"]),
        "jsonl",
        "The form of an event.",
    )
    .later(),
    Key::new("path", Kind::Text(Text::Path), "null", "The file.").later(),
    Key::new("url", SECRET, "null", "The server.").later(),
];

pub(super) const TELEMETRY: &[Key] = &[
    Key::section("otlp", OTLP, "OpenTelemetry."),
    Key::section("log", LOG, "The process's own log, on stderr."),
];

const OTLP: &[Key] = &[
    Key::new("endpoint", Kind::Text(Text::Url), "null", "The collector.").later(),
    Key::new("traces", Kind::Bool, "false", "Send traces.").later(),
    Key::new("logs", Kind::Bool, "false", "Send logs.").later(),
];

const LOG: &[Key] = &[
    Key::new(
        "level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        "info",
        "The least level that is written.",
    ),
    Key::new(
        "format",
        Kind::Word(&["auto", "pretty", "json"]),
        "auto",
        "`auto` is pretty on a terminal, JSON otherwise.",
    ),
];
