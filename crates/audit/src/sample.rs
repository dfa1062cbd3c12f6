//! Events as a gateway would record them, for tests and benchmarks.

use std::path::Path;

use oktsec_audit::{
    Decided, DecidedTiming, Ended, EndedTiming, FindingRecord, Identity, Inspection, LedgerOptions,
    Policy, Request, TunnelClosed, TunnelOpened, Upstream,
};
use oktsec_model::{Action, ExchangeId, IdentitySource, Reason, Timestamp};

/// The moment of the n-th event.
pub(crate) fn moment(n: u64) -> Timestamp {
    const START: i64 = 1_772_791_200_000_000;
    Timestamp::from_micros(START + i64::try_from(n).unwrap_or(0) * 1_000)
}

pub(crate) fn id(n: u64) -> ExchangeId {
    ExchangeId::new(moment(n), u128::from(n))
}

pub(crate) fn options(dir: &Path) -> LedgerOptions {
    LedgerOptions {
        dir: dir.to_owned(),
        segment_bytes_max: 64 << 20,
        queue_events_max: 8_192,
        version: "0.1.0".to_owned(),
        config_digest: "sha256:91ac".to_owned(),
    }
}

/// A request that is allowed.
pub(crate) fn decided(n: u64) -> Decided {
    Decided {
        action: Action::Allow.into(),
        agent: Some("researcher".into()),
        at: moment(n),
        enforced: true,
        findings: Vec::new(),
        http_status: None,
        id: id(n),
        identity: Identity {
            claimed: Some("researcher".into()),
            client: "127.0.0.1:53122".into(),
            source: IdentitySource::Token.into(),
        },
        inspection: Inspection::Tls,
        last: false,
        policy: Policy {
            entry: Some("agents.researcher.egress.allowed_domains[0]".into()),
            file: Some("oktsec.yaml".into()),
            generation: 1,
            hash: "sha256:91ac".into(),
            line: Some(21),
            list: Some("allow".into()),
        },
        reason: Reason::Allowed.into(),
        request: Request {
            bytes: Some(1_240),
            host: "api.github.com".into(),
            http_version: "1.1".into(),
            method: "GET".into(),
            path: "/repos?q=***".into(),
            port: 443,
            query_keys: vec!["q".into()],
            scheme: "https".into(),
            user_agent: Some("curl/7.88.1".into()),
        },
        session: Some("7c3a".into()),
        status: Reason::Allowed.status().into(),
        timing_us: DecidedTiming {
            policy: 20,
            scan: 310,
        },
        tunnel: None,
    }
}

/// A request that is blocked for its content.
pub(crate) fn blocked(n: u64) -> Decided {
    let reason = Reason::BlockedContent;
    Decided {
        action: Action::Block.into(),
        findings: vec![FindingRecord {
            category: "credentials".into(),
            confidence: "high".into(),
            fingerprint: "hmac:000102030405060708090a0b0c0d0e0f".into(),
            location: "body > json $.notes[2]".into(),
            redacted: "AKIA••••3F7Q".into(),
            rule: "aws-access-key-id".into(),
            severity: "critical".into(),
            span: [17, 37],
            treatment: Some("block".into()),
        }],
        http_status: Some(403),
        last: true,
        reason: reason.into(),
        status: reason.status().into(),
        ..decided(n)
    }
}

/// The end of a request that went through.
pub(crate) fn ended(n: u64) -> Ended {
    Ended {
        at: moment(n),
        findings: Vec::new(),
        http_status: Some(200),
        id: id(n),
        reason: Reason::Allowed.into(),
        request_bytes: 1_240,
        response_bytes: 52_000,
        status: Reason::Allowed.status().into(),
        timing_us: EndedTiming {
            total: 81_700,
            upstream: Some(80_900),
        },
        upstream: Some(Upstream {
            address: "192.0.2.7:443".into(),
        }),
    }
}

pub(crate) fn opened(n: u64) -> TunnelOpened {
    TunnelOpened {
        agent: Some("researcher".into()),
        at: moment(n),
        host: "api.github.com".into(),
        id: id(n),
        identity: decided(n).identity,
        inspection: Inspection::Tls,
        port: 443,
        reason: Reason::Allowed.into(),
        status: Reason::Allowed.status().into(),
    }
}

pub(crate) fn closed(n: u64) -> TunnelClosed {
    TunnelClosed {
        at: moment(n),
        bytes_down: 4_096,
        bytes_up: 1_024,
        duration_us: 2_000_000,
        exchanges: 0,
        http_status: Some(200),
        id: id(n),
        reason: Reason::Allowed.into(),
        status: Reason::Allowed.status().into(),
    }
}
