//! `forward_proxy`.

use super::{CATEGORIES, DAY_MS, HOSTS, Key, Kind, MIB, SECOND_MS, Text};

pub(super) const RATE_MAX: u64 = 1_000_000;
pub(super) const WINDOW: Kind = Kind::Integer {
    min: 1,
    max: 86_400,
    unit: "seconds",
};
pub(super) const MODE: Kind = Kind::Word(&["enforce", "observe"]);

pub(super) const KEYS: &[Key] = &[
    Key::new("enabled", Kind::Bool, "false", "Run the proxy."),
    Key::new(
        "port",
        Kind::Integer {
            min: 1,
            max: 65535,
            unit: "",
        },
        "8080",
        "The port to listen on.",
    ),
    Key::new(
        "bind",
        Kind::Many(&Kind::Text(Text::ListenAddress)),
        "localhost",
        "The addresses to listen on, one or a list; `localhost` is 127.0.0.1 and ::1.",
    )
    .examples(&["localhost", "[127.0.0.1, \"::1\", 172.17.0.1]"]),
    Key::new(
        "scan_requests",
        Kind::Bool,
        "true",
        "Run DLP over the URL, the headers and the body of requests.",
    ),
    Key::new(
        "scan_responses",
        Kind::Bool,
        "false",
        "Run DLP over the bodies of responses, as they come: what is found breaks them off. Archives \
         in them are looked into as far as they can be; they are not refused for what cannot.",
    ),
    Key::new(
        "max_body_size",
        Kind::Size {
            min: 1,
            max: 64 * MIB,
        },
        "1048576",
        "The largest body that is held until it is judged, in bytes or as `1MiB`.",
    )
    .examples(&["1048576", "16MiB"]),
    Key::new(
        "oversize",
        Kind::Word(&["stream", "block"]),
        "stream",
        "What becomes of larger bodies. `stream` scans them as they flow, in windows of that size \
         (256 KiB at least): no byte leaves before it was scanned, nor the first part of a secret \
         unless its sender pauses in the middle of it. What is found breaks the request off. `block` refuses them (413).",
    ),
    Key::new(
        "uninspectable",
        Kind::Word(&["block", "allow"]),
        "block",
        "What becomes of bodies in codings that cannot be opened; `allow` flags them.",
    ),
    Key::new(
        "allowed_domains",
        HOSTS,
        "[]",
        "Hosts that every agent may reach. When this and the agent's list are both empty, every \
         host that is not blocked may be reached. `*.example.com` is any subdomain, \
         `.example.com` the host and its subdomains.",
    )
    .examples(&["[internal-api.company.com]"]),
    Key::new(
        "blocked_domains",
        HOSTS,
        "[]",
        "Hosts that no agent may reach, with their subdomains. This list wins over every other.",
    )
    .examples(&["[pastebin.com, transfer.sh]"]),
    Key::new(
        "blocked_categories",
        CATEGORIES,
        "[]",
        "DLP categories that block, for every agent: credentials, pii, exfiltration, and those of \
         your own rules. Findings of other categories are recorded, and the request is counted as \
         flagged.",
    )
    .examples(&["[credentials, pii]"]),
    Key::new(
        "allowed_ports",
        Kind::List(&Kind::Integer {
            min: 1,
            max: 65535,
            unit: "",
        }),
        "[80, 443]",
        "Ports that may be reached.",
    ),
    Key::new(
        "allow_private",
        Kind::List(&Kind::Text(Text::NetworkOrHost)),
        "[]",
        "Networks, addresses and hosts that may be reached although they are private.",
    )
    .examples(&["[10.1.0.0/16, intranet.example.com]"]),
    Key::new(
        "unknown_agents",
        Kind::Word(&["deny", "global"]),
        "null",
        "What becomes of requests whose agent is missing, not configured or not proven: refused, \
         or judged by the global settings alone. `null` is `deny` once `agents` names any agent, \
         and `global` until then.",
    ),
    Key::new(
        "resolve",
        Kind::Map {
            keys: Text::ResolveName,
            values: &Kind::Text(Text::SocketAddress),
        },
        "{}",
        "Answers for names instead of DNS: `host`, `host:port` or `*:port` to an address, with or \
         without a port. Such a target may be private.",
    )
    .examples(&["{intranet.example.com: 10.1.2.3, \"*:443\": \"127.0.0.1:8443\"}"]),
    Key::new(
        "rate_limit",
        Kind::Integer {
            min: 0,
            max: RATE_MAX,
            unit: "requests",
        },
        "0",
        "Requests per window for traffic without a limit of its own; 0 is none.",
    ),
    Key::new(
        "rate_window",
        WINDOW,
        "60",
        "The length of that window, in seconds.",
    ),
    Key::new(
        "upstream_proxy",
        Kind::Text(Text::Proxy),
        "null",
        "A proxy to go through, with user and password where it wants them; `env` reads HTTPS_PROXY \
         and NO_PROXY of the gateway's own environment. Requests are judged here first, and so are the \
         addresses of names that can be looked up here. HTTP proxies are asked by CONNECT, for port 80 \
         as well.",
    )
    .examples(&["http://proxy.example.com:3128", "socks5h://10.0.0.1:1080"]),
    Key::section("timeouts", TIMEOUTS, "How long to wait."),
    Key::section(
        "tls",
        PORT_TLS,
        "TLS on the proxy's port itself, for agents on other machines; nothing else is served there then. \
         Renewed files are taken up when they change.",
    ),
    Key::new(
        "proxy_protocol_from",
        Kind::List(&Kind::Text(Text::Network)),
        "[]",
        "Balancers that send the PROXY protocol, version 1 or 2, before everything else. What they say \
         is the client's address; connections from them without it are closed.",
    )
    .examples(&["[10.0.0.0/24]"]),
    Key::section("limits", LIMITS, "How much may be under way at once."),
];

const TIMEOUTS: &[Key] = &[
    Key::new(
        "connect",
        Kind::Duration {
            min_ms: 100,
            max_ms: 300 * SECOND_MS,
        },
        "10s",
        "For name resolution, connection and TLS handshake with an upstream.",
    ),
    Key::new(
        "response_header",
        Kind::Duration {
            min_ms: SECOND_MS,
            max_ms: DAY_MS,
        },
        "5m",
        "From the end of the request to the first byte of the answer.",
    ),
    Key::new(
        "idle",
        Kind::Duration {
            min_ms: SECOND_MS,
            max_ms: DAY_MS,
        },
        "5m",
        "Without a byte in either direction.",
    ),
    Key::new(
        "body",
        Kind::Duration {
            min_ms: SECOND_MS,
            max_ms: DAY_MS,
        },
        "5m",
        "For a request's body that is held until it is judged. Whoever sends less than 1 KiB a second \
         is not waited for that long.",
    ),
    Key::new(
        "connection",
        Kind::Duration {
            min_ms: SECOND_MS,
            max_ms: 30 * DAY_MS,
        },
        "24h",
        "For an agent's connection, however busy: then it is asked to end. Requests under way are \
         carried to their end, tunnels in `tls.bypass` are not.",
    ),
];

const LIMITS: &[Key] = &[
    Key::new(
        "connections",
        Kind::Integer {
            min: 16,
            max: 1_000_000,
            unit: "connections",
        },
        "4096",
        "Connections of agents in all; more wait to be accepted. Each takes up to two open files. A \
         change needs a restart.",
    ),
    Key::new(
        "connections_per_client",
        Kind::Integer {
            min: 1,
            max: 1_000_000,
            unit: "connections",
        },
        "2048",
        "Connections of one address (of IPv6, of one network of 64 bits); more are closed.",
    ),
    Key::new(
        "requests_per_agent",
        Kind::Integer {
            min: 1,
            max: 1_000_000,
            unit: "requests",
        },
        "256",
        "Requests of one agent under way at once, its WebSockets and `tls.bypass` tunnels with them; \
         more are refused as `proxy_overloaded`.",
    ),
    Key::new(
        "held_bytes",
        Kind::Size {
            min: MIB,
            max: 1024 * 1024 * MIB,
        },
        "null",
        "Bytes of bodies held at once; one agent gets half of them. `null` is 256 MiB, or six times \
         `max_body_size` where that is more. Requests beyond it are refused as `proxy_overloaded`.",
    ),
    Key::new(
        "memory",
        Kind::Size {
            min: 64 * MIB,
            max: 1024 * 1024 * MIB,
        },
        "null",
        "The memory of the process. From 80 percent of it on no bodies are held (`proxy_overloaded`), \
         from 90 percent on no connections accepted. `null` is 512 MiB, or twice `held_bytes` where \
         that is more.",
    ),
];

const PORT_TLS: &[Key] = &[
    Key::new(
        "cert",
        Kind::Text(Text::Path),
        "null",
        "The certificate and those between it and its root, PEM.",
    ),
    Key::new("key", Kind::Text(Text::Path), "null", "Its key, PEM."),
    Key::new(
        "client_ca",
        Kind::Text(Text::Path),
        "null",
        "Whose certificates agents must have, PEM. Without it they need none.",
    ),
];
