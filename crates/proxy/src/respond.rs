//! Every refusal and failure gets its face here, and nowhere else.
//!
//! Wording: facts, not orders; who can change it and how; never an echo of path, query, header or
//! body; never the allowlist or the matched value; under 700 bytes. Formats: RFC 9457 (problem
//! details), RFC 9209 (Proxy-Status).

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;
use oktsec_model::{AgentName, ExchangeId, Finding, List, Reason};
use serde_json::{Map, Value, json};

use crate::body::ResponseBody;

/// Everything a refusal may say.
pub(crate) struct Refusal<'a> {
    pub(crate) id: ExchangeId,
    pub(crate) reason: Reason,
    pub(crate) http_status: u16,
    pub(crate) agent: Option<&'a AgentName>,
    pub(crate) host: Option<String>,
    pub(crate) detail: String,
    /// Those that decided.
    pub(crate) findings: &'a [&'a Finding],
    pub(crate) limit: Option<LimitState>,
}

/// How far over its limit a caller is.
#[derive(Clone, Copy)]
pub(crate) struct LimitState {
    pub(crate) requests_max: u32,
    pub(crate) window_s: u32,
    pub(crate) used: u32,
    pub(crate) retry_after_s: u64,
}

/// Who will read the answer, guessed from the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    /// git prints each line of a text/plain body as `remote: …`.
    Git,
    Html,
    Problem,
    /// OpenAI's and Anthropic's SDKs want `error` to be an object.
    Sdk,
    Text,
}

/// Whoever speaks plain HTTP to a port that speaks TLS can read this.
pub(crate) const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: \
text/plain; charset=utf-8\r\nContent-Length: 72\r\n\r\nThis port speaks TLS: write https:// where the \
address of the proxy is.\n";

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const OUR_REASON: HeaderName = HeaderName::from_static("x-oktsec-reason");
const OUR_EVENT: HeaderName = HeaderName::from_static("x-oktsec-event");
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The HTTP status that a reason is refused with.
pub(crate) const fn http_status(reason: Reason) -> u16 {
    match reason {
        Reason::AuthRequired => 407,
        Reason::BadRequest => 400,
        Reason::BodyTooLarge => 413,
        Reason::ClientTimeout => 408,
        Reason::HostMismatch => 421,
        Reason::RateLimited => 429,
        Reason::AuditUnavailable | Reason::Overloaded | Reason::ScanError => 503,
        Reason::UpstreamDns | Reason::UpstreamRefused | Reason::UpstreamTls => 502,
        Reason::UpstreamTimeout => 504,
        _ => 403,
    }
}

/// The sentence for a reason that needs nothing but names.
pub(crate) fn detail(
    reason: Reason,
    list: Option<List>,
    agent: Option<&AgentName>,
    host: &str,
) -> String {
    let who = agent.map_or_else(
        || "A caller without identity".into(),
        |a| format!("Agent {a}"),
    );
    match reason {
        Reason::BlockedDomain => domain_detail(list, agent, &who, host),
        Reason::IdentityConflict => {
            "The request names more than one agent, so that none of them is believed.".into()
        }
        Reason::UnknownAgent => match agent {
            Some(agent) => format!("No agent named {agent} is configured here. An operator can add it to the configuration."),
            None => "The request does not say which agent it comes from (header X-Oktsec-Agent), and callers without identity are not served here.".into(),
        },
        Reason::AgentSuspended => {
            format!("{who} was suspended by an operator. No request will pass until it is resumed.")
        }
        Reason::SsrfBlocked => format!(
            "{host} is or resolves to a private or reserved address, which agents may not reach."
        ),
        Reason::PortBlocked => format!(
            "{who} may not reach this port of {host}. An operator can permit it in forward_proxy.allowed_ports."
        ),
        Reason::MethodBlocked => format!("{who} may not use this method towards {host}."),
        Reason::ProtocolBlocked => {
            "Only HTTP and TLS can be inspected inside a tunnel; the connection carried something else.".into()
        }
        Reason::HostMismatch => {
            "The host that the tunnel was opened for and the host that the request names differ.".into()
        }
        Reason::Uninspectable => "The request cannot be inspected.".into(),
        Reason::BlockedResponse => {
            format!("The answer of {host} carries data that may not reach {who}.")
        }
        Reason::AuditUnavailable => {
            "The audit trail cannot be written, and nothing leaves without a record.".into()
        }
        Reason::Overloaded => format!(
            "{who} has as many requests or bytes under way as it may, or the gateway is short of memory. Try again soon. An operator sets the bounds in forward_proxy.limits."
        ),
        Reason::ScanError => "The request could not be scanned.".into(),
        Reason::UpstreamDns => format!("{host} could not be resolved."),
        Reason::UpstreamRefused => format!("{host} did not accept the connection or broke it off."),
        Reason::UpstreamTls => format!("{host} could not prove its identity over TLS."),
        Reason::UpstreamTimeout => format!("{host} did not answer in time."),
        Reason::ClientTimeout => "The request did not arrive in time.".into(),
        _ => "The request was refused.".into(),
    }
}

fn domain_detail(list: Option<List>, agent: Option<&AgentName>, who: &str, host: &str) -> String {
    const SAME: &str = "The answer will be the same on retry or by another route.";
    match (list, agent) {
        (Some(List::GlobalBlock), _) => {
            format!(
                "{host} is on the organisation blocklist; no agent policy can permit it. {SAME}"
            )
        }
        (Some(List::AgentBlock), _) => {
            format!("{who} may not reach {host}: it is on the agent's blocklist. {SAME}")
        }
        (_, Some(agent)) => format!(
            "{who} may not reach {host}: not in its allowed_domains. {SAME} An operator can permit it in the configuration: agents.{agent}.egress.allowed_domains."
        ),
        (_, None) => format!("{who} may not reach {host}: not in allowed_domains. {SAME}"),
    }
}

/// The sentence for refused content: what kind, which rule, where.
pub(crate) fn content_detail(reason: Reason, host: &str, finding: &Finding) -> String {
    if reason == Reason::BlockedResponse {
        return format!(
            "The answer of {host} is kept back: it contains data of category {} (rule {}) in {}. \
             If the match is wrong, an operator can review the event.",
            finding.category.as_str(),
            finding.rule.as_str(),
            shown_location(finding),
        );
    }
    format!(
        "The request to {host} was not sent: it contains data of category {} (rule {}) in {}. \
         It can be sent once that data is removed. If the match is wrong, an operator can review the event.",
        finding.category.as_str(),
        finding.rule.as_str(),
        shown_location(finding),
    )
}

fn shown_location(finding: &Finding) -> String {
    const LOCATION_CHARS_MAX: usize = 60;
    oktsec_model::truncate_chars(&finding.location.to_string(), LOCATION_CHARS_MAX)
}

impl Dialect {
    /// Guesses from the request's header and path.
    pub(crate) fn of(headers: &HeaderMap, path: &str) -> Self {
        let text = |name: HeaderName| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or("")
        };
        let accept = text(ACCEPT).trim_start();
        if text(USER_AGENT).starts_with("git/")
            || path.contains("/info/refs")
            || path.contains("/git-upload-pack")
        {
            Self::Git
        } else if headers
            .keys()
            .any(|name| name.as_str().starts_with("x-stainless-"))
        {
            Self::Sdk
        } else if accept.starts_with("text/html") {
            Self::Html
        } else if accept == "text/plain" {
            Self::Text
        } else {
            Self::Problem
        }
    }
}

impl Refusal<'_> {
    /// The answer, in the dialect of whoever asked.
    pub(crate) fn response(&self, dialect: Dialect) -> Response<ResponseBody> {
        let (content_type, body) = match dialect {
            Dialect::Problem => ("application/problem+json", self.problem(None).to_string()),
            Dialect::Sdk => {
                let error = json!({"type": "permission_error", "message": self.detail});
                (
                    "application/problem+json",
                    self.problem(Some(error)).to_string(),
                )
            }
            Dialect::Git | Dialect::Text => ("text/plain; charset=utf-8", self.text()),
            Dialect::Html => ("text/html; charset=utf-8", self.html()),
        };
        let mut response = Response::new(ResponseBody::full(body));
        *response.status_mut() =
            StatusCode::from_u16(self.http_status).unwrap_or(StatusCode::FORBIDDEN);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.add_headers(headers);
        if let Ok(phrase) = ReasonPhrase::try_from(self.phrase().into_bytes()) {
            response.extensions_mut().insert(phrase);
        }
        response
    }

    fn retryable(&self) -> bool {
        matches!(self.http_status, 429 | 502 | 503 | 504)
    }

    fn phrase(&self) -> String {
        format!("{} oktsec ({})", self.verdict(), self.reason)
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        let retry = if self.retryable() { "true" } else { "false" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(retry));
        headers.insert(OUR_REASON, HeaderValue::from_static(self.reason.code()));
        let error = if self.reason.status() == oktsec_model::Status::Failed {
            "destination_unavailable"
        } else {
            "http_request_denied"
        };
        let status = format!(
            "oktsec; error={error}; details=\"{} event={}\"",
            self.reason, self.id
        );
        let texts = [(OUR_EVENT, self.id.to_string()), (PROXY_STATUS, status)];
        for (name, text) in texts {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
        if let Some(limit) = self.limit {
            headers.insert(RETRY_AFTER, HeaderValue::from(limit.retry_after_s));
        } else if self.http_status == 503 {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if self.http_status == 407 {
            headers.insert(
                http::header::PROXY_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"oktsec\""),
            );
        }
    }

    fn headline(&self) -> String {
        let host = self.host.as_deref().unwrap_or("-");
        let what = self.verdict();
        match self.agent {
            Some(agent) => format!("{what} oktsec: {} ({host}, agent {agent})", self.reason),
            None => format!("{what} oktsec: {} ({host})", self.reason),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.reason.status() {
            oktsec_model::Status::Failed => "Failed at",
            _ => "Blocked by",
        }
    }

    fn problem(&self, error: Option<Value>) -> Value {
        let title = match self.reason.status() {
            oktsec_model::Status::Failed => "The destination could not be reached",
            _ => "Blocked by egress policy",
        };
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.into(), value);
        };
        put(
            "type",
            json!(format!("https://oktsec.dev/problems/{}", self.reason)),
        );
        put("title", json!(title));
        put("status", json!(self.http_status));
        put("detail", json!(self.detail));
        put("error", error.unwrap_or_else(|| json!(self.headline())));
        put("reason", json!(self.reason.code()));
        put("retryable", json!(self.retryable()));
        put("agent", json!(self.agent.map(AgentName::as_str)));
        put("host", json!(self.host));
        put("event_id", json!(self.id.to_string()));
        if let Some(limit) = self.limit {
            put("limit", json!(limit.requests_max));
            put("window", json!(limit.window_s));
            put("used", json!(limit.used));
            put("retry_after_s", json!(limit.retry_after_s));
        }
        if let Some(worst) = self
            .findings
            .iter()
            .max_by_key(|finding| (finding.severity, finding.confidence))
        {
            put(
                "rules",
                json!(distinct(self.findings, |finding| finding.rule.as_str())),
            );
            put(
                "categories",
                json!(distinct(self.findings, |finding| finding.category.as_str())),
            );
            put("location", json!(shown_location(worst)));
        }
        Value::Object(body)
    }

    /// Four short lines: git shows them one by one.
    fn text(&self) -> String {
        format!("{}\n{}\nEvent {}\n", self.headline(), self.detail, self.id)
    }

    /// Nothing in it comes from the request but the canonical host and the agent's name, and
    /// neither alphabet holds markup.
    fn html(&self) -> String {
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Blocked by oktsec</title>\
             <h1>Blocked by egress policy</h1><p>{}</p><p>Reason <code>{}</code>, event <code>{}</code>.</p></html>\n",
            self.detail.replace('&', "&amp;").replace('<', "&lt;"),
            self.reason,
            self.id
        )
    }
}

/// The different values of a field, in order, few enough for an answer.
fn distinct<'a>(findings: &[&'a Finding], field: impl Fn(&'a Finding) -> &'a str) -> Vec<&'a str> {
    const SHOWN_MAX: usize = 4;
    let mut seen: Vec<&str> = Vec::new();
    for value in findings.iter().copied().map(field) {
        if seen.len() < SHOWN_MAX && !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_gets_its_dialect() {
        let dialect = |fields: &[(&'static str, &'static str)], path: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            Dialect::of(&headers, path)
        };
        assert_eq!(dialect(&[("accept", "*/*")], "/"), Dialect::Problem);
        assert_eq!(dialect(&[("user-agent", "git/2.39")], "/"), Dialect::Git);
        assert_eq!(dialect(&[], "/a/b.git/info/refs"), Dialect::Git);
        assert_eq!(dialect(&[("accept", "text/html,*/*")], "/"), Dialect::Html);
        assert_eq!(dialect(&[("accept", "text/plain")], "/"), Dialect::Text);
        assert_eq!(dialect(&[("x-stainless-lang", "js")], "/"), Dialect::Sdk);
    }

    #[test]
    fn answers_stay_short() {
        let agent = AgentName::parse("researcher").unwrap();
        let refusal = Refusal {
            id: ExchangeId::new(oktsec_model::Timestamp::from_micros(0), 0),
            reason: Reason::BlockedDomain,
            http_status: 403,
            agent: Some(&agent),
            host: Some("api.github.com".into()),
            detail: detail(
                Reason::BlockedDomain,
                Some(List::NotAllowed),
                Some(&agent),
                "api.github.com",
            ),
            findings: &[],
            limit: None,
        };
        assert!(refusal.problem(None).to_string().len() < 700);
        assert!(refusal.phrase().len() <= 80);
    }
}
