//! The flow, opened to the fuzzer: what leaves is what came.

use std::sync::{Arc, LazyLock};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use oktsec_detect::{Detector, FingerprintKey, Limits};
use oktsec_model::{
    Action, AgentName, Caller, Decision, ExchangeId, HttpVersion, IdentitySource, Origin,
    Principal, Reason, RequestHead, Target, Timestamp,
};
use oktsec_policy::{AgentSource, EgressSource, Entry, HostPatterns, Set, Source, compile};

use crate::{Begin, Flow, Inspection, Moment, Progress, Scope, Snapshot};

/// Of an agent whose requests and responses are scanned, and that nothing is forbidden.
static SNAPSHOT: LazyLock<Option<Arc<Snapshot>>> = LazyLock::new(snapshot);

/// A snapshot that judges and stops nothing, a request, and what was decided of it.
#[must_use]
pub fn judging() -> Option<(Arc<Snapshot>, Arc<RequestHead>, Decision)> {
    let snapshot = SNAPSHOT.clone()?;
    let head = head(HeaderMap::new())?;
    let decision = snapshot.admit(&head.principal, &head.target, &head.method);
    Some((snapshot, head, decision))
}

/// A body in these pieces, and the moments between them: all of it leaves in its order, or it was
/// refused and a beginning of it has left. What is held has a limit.
pub fn flow(coding: &str, is_response: bool, pieces: &[u8], body: &[u8]) {
    let Some((snapshot, mut flow)) = begun(coding, is_response) else {
        return;
    };
    let window = snapshot.window_bytes();
    let (mut rest, mut out) = (body, Vec::new());
    let mut sizes = pieces.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(u8::MAX);
        // The highest bit is a pause; the others grow fast, so that pieces may be windows.
        let count = (usize::from(size & 0x7F) + 1).pow(3).min(rest.len());
        let (now, later) = rest.split_at(count);
        rest = later;
        flow.push(now);
        let moment = if flow.is_full() {
            Moment::Full
        } else {
            Moment::Pause
        };
        if moment == Moment::Full || size & 0x80 != 0 {
            match flow.judge(moment) {
                Ok(released) => out.extend(released),
                Err(decision) => return assert_refused(&decision, &out, body),
            }
            assert!(moment == Moment::Full || !flow.holds_any());
        }
        let held = body.len() - rest.len() - out.len();
        assert!(held <= 2 * window + count, "{held} bytes are held");
        assert!(body.starts_with(&out));
    }
    match flow.judge(Moment::End) {
        Ok(released) => out.extend(released),
        Err(decision) => return assert_refused(&decision, &out, body),
    }
    assert!(
        out == body,
        "{} of {} bytes have left",
        out.len(),
        body.len()
    );
    assert!(!flow.holds_any() && flow.decision().action != Action::Block);
}

/// A body that is held until it is judged as a whole.
pub fn held(pieces: &[u8], body: &[u8]) {
    let (Some(cut), Some(whole)) = (finished(pieces, body), finished(&[], body)) else {
        return;
    };
    assert_eq!(cut, whole, "how a body is cut changes nothing");
}

fn finished(pieces: &[u8], body: &[u8]) -> Option<Decision> {
    let (snapshot, head, admitted) = judging()?;
    let Begin::NeedBody(mut inspection) = Inspection::begin(&snapshot, &head, admitted) else {
        return None;
    };
    let (mut rest, mut sizes) = (body, pieces.iter().cycle());
    while !rest.is_empty() {
        let size = sizes
            .next()
            .map_or(rest.len(), |&size| usize::from(size) + 1);
        let (now, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        if inspection.push(now) == Progress::TooLarge {
            assert!(inspection.body_bytes() + now.len() > snapshot.body_bytes_max());
            return None;
        }
    }
    let judged = inspection.finish();
    assert!(judged.body == body);
    Some(judged.decision)
}

fn begun(coding: &str, is_response: bool) -> Option<(Arc<Snapshot>, Flow)> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if !coding.is_empty() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(coding).ok()?);
    }
    let (snapshot, _, admitted) = judging()?;
    if is_response {
        let head = head(HeaderMap::new())?;
        let flow = Flow::response(&snapshot, &head, headers, admitted);
        return Some((snapshot, flow));
    }
    match Inspection::begin(&snapshot, &head(headers)?, admitted) {
        Begin::NeedBody(inspection) => Some((snapshot, inspection.flow())),
        Begin::Decided(_) | Begin::Unscanned(_) => None,
    }
}

/// Nothing is forbidden; only what cannot be looked into is refused.
fn assert_refused(decision: &Decision, out: &[u8], body: &[u8]) {
    assert_eq!(
        (decision.action, decision.reason),
        (Action::Block, Reason::Uninspectable)
    );
    assert!(body.starts_with(out));
}

fn head(headers: HeaderMap) -> Option<Arc<RequestHead>> {
    let (target, path) = Target::parse_absolute_form("https://api.example.com/upload").ok()?;
    Some(Arc::new(RequestHead {
        id: ExchangeId::new(Timestamp::default(), 0),
        at: Timestamp::default(),
        principal: Principal {
            caller: Caller::Named(AgentName::parse("researcher").ok()?),
            source: IdentitySource::Header,
            claimed: None,
            client: ([127, 0, 0, 1], 1).into(),
        },
        target,
        method: Method::POST,
        path_and_query: path.to_owned(),
        headers,
        version: HttpVersion::Http11,
    }))
}

fn snapshot() -> Option<Arc<Snapshot>> {
    let origin = |entry: &str| Origin {
        entry: entry.into(),
        file: "fuzz".into(),
        line: 1,
    };
    let scanned = || Set {
        value: true,
        origin: origin("scan"),
    };
    let mut egress = EgressSource::empty(origin("egress"));
    egress.allowed_domains = vec![Entry {
        text: "api.example.com".to_owned(),
        origin: origin("allowed_domains"),
    }];
    egress.scan_requests = Some(scanned());
    egress.scan_responses = Some(scanned());
    let agent = AgentSource {
        name: AgentName::parse("researcher").ok()?,
        origin: origin("agents.researcher"),
        suspended: None,
        egress: Some(egress),
        can_message: Vec::new(),
    };
    let compiled = compile(Source {
        agents: vec![agent],
        ..Source::default()
    })
    .ok()?;
    let detector = Detector::builtin(FingerprintKey::new([1; 32]), Limits::default()).ok()?;
    let scope = Scope {
        intercept: true,
        bypass: HostPatterns::default(),
        body_bytes_max: 4096,
        streams_oversize: true,
    };
    let policies = compiled.policies;
    let detector = Arc::new(detector);
    Some(Arc::new(Snapshot::new(
        1,
        "fuzz".into(),
        detector,
        policies,
        scope,
    )))
}
