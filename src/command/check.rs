//! `oktsec check`: would this agent's request be allowed? Asks the same policy as the gateway.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use oktsec_model::{
    Action, AgentName, Caller, Decision, Host, IdentitySource, List, PolicyEntry, Principal,
    Reason, Scheme, Target,
};
use serde_json::json;

use crate::cli::CheckArgs;
use crate::command::Context;
use crate::config::Loaded;
use crate::exit::ExitCode;

pub(super) fn run(args: &CheckArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let loaded = context.load(&[])?;
    let target = target(&args.url).with_context(|| format!("`{}` is no URL or host", args.url))?;
    let method = args
        .method
        .to_ascii_uppercase()
        .parse()
        .context("no such method")?;
    let principal = principal(&args.agent, args.from, &loaded);
    let decision = loaded.policies.admit(&principal, &target, &method);
    let nearest = (decision.reason == Reason::BlockedDomain)
        .then(|| loaded.policies.nearest_allowed(&principal, &target.host))
        .flatten();
    if args.json {
        context
            .output
            .line(&to_json(&decision, &target, nearest.as_deref()).to_string())?;
    } else {
        context
            .output
            .data(&to_text(&decision, &target, nearest.as_deref()))?;
    }
    Ok(if decision.action == Action::Block {
        ExitCode::No
    } else {
        ExitCode::Done
    })
}

/// A URL, or a host that is meant as one over HTTPS.
fn target(text: &str) -> Result<Target, oktsec_model::InvalidTarget> {
    if text.contains("://") {
        return Target::parse_absolute_form(text).map(|(target, _)| target);
    }
    let authority = text.split(['/', '?']).next().unwrap_or(text);
    Target::parse_host_field(authority, Scheme::Https)
}

fn principal(name: &str, from: Option<IpAddr>, loaded: &Loaded) -> Principal {
    let client = SocketAddr::new(from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), 0);
    let settings = &loaded.settings;
    let trusted = settings
        .trust_header_from
        .iter()
        .any(|net| net.contains(&client.ip()));
    let by_address = settings
        .addresses
        .iter()
        .any(|(net, agent)| agent.as_str() == name && net.contains(&client.ip()));
    let caller = match AgentName::parse(name) {
        Ok(agent) if trusted || by_address => Caller::Named(agent),
        Ok(_) => Caller::Anonymous,
        Err(_) => Caller::Malformed,
    };
    Principal {
        caller,
        source: IdentitySource::Header,
        claimed: Some(Arc::from(name)),
        client,
    }
}

fn word(decision: &Decision) -> &'static str {
    match decision.action {
        Action::Allow => "allowed",
        Action::Block => "blocked",
        Action::Flag => "flagged",
    }
}

fn to_text(decision: &Decision, target: &Target, nearest: Option<&str>) -> String {
    let host = &target.host;
    let mut text = format!(
        "{}  {}   {}\n",
        word(decision),
        decision.reason,
        sentence(decision, target)
    );
    if let Some(PolicyEntry { origin, .. }) = &decision.entry {
        let place = if origin.line == 0 {
            origin.file.to_string()
        } else {
            format!("{}:{}", origin.file, origin.line)
        };
        let _ = writeln!(text, "         decided by {}   {place}", origin.entry);
    }
    if let Some(nearest) = nearest {
        let _ = write!(text, "         nearest allowed: {nearest}");
        if let Host::Name(name) = host
            && name.ends_with(&format!(".{nearest}"))
        {
            let _ = write!(text, " (exact). To cover subdomains write \"*.{nearest}\".");
        }
        text.push('\n');
    }
    text
}

fn sentence(decision: &Decision, target: &Target) -> String {
    let host = &target.host;
    let list = decision.entry.as_ref().and_then(|entry| entry.list);
    match (decision.reason, list) {
        (Reason::Allowed, Some(List::Open)) => {
            format!("{host}: there is no allowlist, and no blocklist names it")
        }
        (Reason::Allowed, _) => format!("{host} is allowed; its content is judged when it comes"),
        (Reason::BlockedDomain, Some(List::GlobalBlock)) => {
            format!("{host} is on the global blocklist, which always wins")
        }
        (Reason::BlockedDomain, Some(List::AgentBlock)) => {
            format!("{host} is on the agent's blocklist")
        }
        (Reason::BlockedDomain, _) => format!("{host} is not in allowed_domains"),
        (Reason::SsrfBlocked, _) => format!("{host} is a private or reserved address or name"),
        (Reason::PortBlocked, _) => {
            format!("port {} is not in forward_proxy.allowed_ports", target.port)
        }
        (Reason::MethodBlocked, _) => format!("the method is not permitted for {host}"),
        (Reason::UnknownAgent, _) => {
            "no agent of that name is configured, or it may not be claimed from there".into()
        }
        (Reason::AgentSuspended, _) => "the agent is suspended".into(),
        (reason, _) => reason.code().into(),
    }
}

fn to_json(decision: &Decision, target: &Target, nearest: Option<&str>) -> serde_json::Value {
    let entry = decision.entry.as_ref();
    json!({
        "schema": 1,
        "action": decision.action.as_str(),
        "allowed": decision.action != Action::Block,
        "reason": decision.reason.code(),
        "host": target.host.to_string(),
        "port": target.port,
        "scheme": target.scheme.as_str(),
        "policy": entry.map(|entry| json!({
            "source": &*entry.origin.entry,
            "file": &*entry.origin.file,
            "line": entry.origin.line,
            "list": entry.list.map(List::as_str),
        })),
        "nearest_allowed": nearest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_means_https() {
        assert_eq!(
            target("api.arxiv.org").unwrap().to_string(),
            "https://api.arxiv.org"
        );
        assert_eq!(target("api.arxiv.org:8443/x").unwrap().port, 8443);
        assert_eq!(
            target("http://api.arxiv.org/x?y").unwrap().to_string(),
            "http://api.arxiv.org"
        );
        assert!(target("ftp://x").is_err());
    }
}
