//! `dlp`.

use super::{HOMES, Key, Kind, MIB, RULE_ID, TEXT, TEXTS, Text};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "rules",
        Kind::List(&Kind::Section(RULE)),
        "[]",
        "What is made of a rule's findings, where that is not for the blocked categories to say.",
    )
    .examples(&["[{id: email-list, action: observe}, {id: aws-access-key-id, action: block}]"]),
    Key::new(
        "custom_rules_dir",
        Kind::Text(Text::Path),
        "null",
        "A directory of your own rules: every `*.yaml` and `*.yml` in it and below it is read. They \
         are added to the built-in ones and may bring categories along, for `blocked_categories`.",
    )
    .examples(&["rules.d"]),
    Key::new(
        "expected_credentials",
        Kind::WordOr(&["builtin", "off"], &HOMES),
        "builtin",
        "Where a credential is at home. `builtin`: each rule names hosts and places (an OpenAI key \
         in the Authorization field to api.openai.com); sessions, which no one host issues, are at \
         home where the agent's own allowlist names the host. A map of rule ids to host patterns \
         adds hosts to these; `off` leaves those that an agent's map names. The place decides \
         always: a credential in a body is at home nowhere. What is at home is recorded as \
         `expected` and passes.",
    )
    .examples(&["off", "{gitlab-token: [git.corp.example]}"]),
    Key::new(
        "known_secrets",
        Kind::Map {
            keys: Text::SecretName,
            values: &Kind::Text(Text::SecretPlace),
        },
        "{}",
        "Secrets of your own, by name: `env:VAR`, `file:PATH` or `dotenv:PATH` (each value of the \
         file). They are matched exactly, in every encoding, and reported by name. Read at the start \
         and on a reload, and held in memory only.",
    )
    .examples(&["{database: env:DATABASE_PASSWORD, app: dotenv:../app/.env}"]),
    Key::new(
        "ignore",
        Kind::List(&Kind::Section(IGNORE)),
        "[]",
        "Findings that somebody reviewed: they are recorded as `ignored` and neither block nor flag. \
         An entry speaks of what fits all that is written in it.",
    )
    .examples(&[
        "[{fingerprint: \"hmac:000102030405060708090a0b0c0d0e0f\", reason: a sample of the manual}]",
        "[{rule: email-list, agent: mailer, host: mail.example.com, until: 2027-06-30, reason: newsletters}]",
    ]),
    Key::new(
        "decode_depth",
        Kind::Integer {
            min: 1,
            max: 8,
            unit: "layers",
        },
        "4",
        "How many layers of encoding are opened: base64, hex, percent, gzip, br, zstd, JSON \
         strings.",
    ),
    Key::new(
        "decode_budget",
        Kind::Size {
            min: MIB,
            max: 256 * MIB,
        },
        "8MiB",
        "How much decoded data one body may unfold to. More makes it uninspectable; it is never \
         passed in silence.",
    ),
];

const RULE: &[Key] = &[
    Key::new("id", RULE_ID, "null", "The rule. Required."),
    Key::new(
        "severity",
        Kind::Word(&["low", "medium", "high", "critical"]),
        "null",
        "Its findings' severity, instead of the rule's own.",
    ),
    Key::new(
        "action",
        Kind::Word(&["block", "flag", "observe", "ignore"]),
        "null",
        "What a finding does. `block` refuses the request, whatever categories block and although \
         the credential is at home; `flag` lets it pass and counts it as flagged; `observe` records \
         it; `ignore` does not even that.",
    ),
    Key::new("notify", TEXTS, "[]", "The webhooks that are told.").later(),
];

const IGNORE: &[Key] = &[
    Key::new(
        "fingerprint",
        TEXT,
        "null",
        "The value, as a row of `oktsec logs --json` shows it: `hmac:` and 32 hexadecimal digits. \
         This or `rule` is required.",
    ),
    Key::new("rule", RULE_ID, "null", "The rule."),
    Key::new(
        "agent",
        Kind::Text(Text::Agent),
        "null",
        "In whose requests; everybody's where it is not written.",
    ),
    Key::new(
        "host",
        Kind::Text(Text::HostPattern),
        "null",
        "On the way to which host; any where it is not written.",
    ),
    Key::new(
        "until",
        TEXT,
        "null",
        "When it ends: a moment as RFC 3339, or a date, to the end of that day (UTC). It holds no \
         more then, without a reload.",
    )
    .examples(&["2027-06-30", "2027-06-30T12:00:00Z"]),
    Key::new("reason", TEXT, "null", "Why. Required."),
];
