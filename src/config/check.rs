//! What can only be seen by looking at several settings together. Each check is a rule of its own.

use ipnet::IpNet;

use super::diagnostic::{Diagnostic, code};
use super::raw::RawConfig;
use super::value::{Setting, Value, show_size};
use super::walk::parse_network;

/// How many bodies may be held at a time, for the estimate of memory.
const CONNECTIONS: u64 = 200;
/// How much memory held bodies may take without a warning.
const HELD_BYTES_MAX: u64 = 512 << 20;

/// Checks everything. Where the walk found errors (`complete` is false), lists may be shorter than
/// they were meant to be, and nothing is said about what is missing.
pub(super) fn check(raw: &RawConfig, complete: bool, diagnostics: &mut Vec<Diagnostic>) {
    bind(raw, diagnostics);
    addresses(raw, diagnostics);
    default_agent(raw, diagnostics);
    memory(raw, diagnostics);
    limits(raw, diagnostics);
    port_tls(raw, diagnostics);
    bypass(raw, diagnostics);
    if complete {
        open(raw, diagnostics);
        categories(raw, diagnostics);
        not_enabled(raw, diagnostics);
    }
}

fn bind(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let addresses = raw.bind();
    for (index, (address, span)) in addresses.iter().enumerate() {
        if addresses
            .iter()
            .take(index)
            .any(|(other, _)| other == address)
        {
            let message = format!("forward_proxy.bind names {address} twice");
            diagnostics.push(Diagnostic::at(code::CONFLICT, span, message).label("the second one"));
        }
        if !address.is_loopback() {
            let message = format!(
                "forward_proxy.bind is {address} without identity.require: anyone on the network \
                 may use this proxy"
            );
            let help = "let only the agents' network reach the port, and name their addresses in \
                        identity.addresses";
            diagnostics.push(Diagnostic::at(code::NETWORK, span, message).help(help));
        }
    }
    if addresses.is_empty() {
        let span = &raw.at("forward_proxy.bind").span;
        let message = "forward_proxy.bind names no address";
        diagnostics.push(Diagnostic::at(code::CONFLICT, span, message));
    }
}

fn addresses(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: Vec<(IpNet, &str)> = Vec::new();
    for field in raw.at("identity.addresses").fields() {
        let Some(network) = parse_network(&field.name) else {
            continue;
        };
        let overlapping = seen
            .iter()
            .find(|(other, _)| other.contains(&network) || network.contains(other));
        if let Some((_, other)) = overlapping {
            let message = format!("identity.addresses: {} overlaps {other}", field.name);
            let diagnostic = Diagnostic::at(code::CONFLICT, &field.name_span, message)
                .label("a client here would be two agents")
                .help("name networks that have no address in common");
            diagnostics.push(diagnostic);
        }
        seen.push((network, &field.name));
        known_agent(raw, &field.setting, "identity.addresses", diagnostics);
    }
}

fn default_agent(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    known_agent(
        raw,
        raw.at("identity.default_agent"),
        "identity.default_agent",
        diagnostics,
    );
}

fn known_agent(raw: &RawConfig, setting: &Setting, key: &str, diagnostics: &mut Vec<Diagnostic>) {
    let (Some(name), Some(shown)) = (setting.text(), setting.shown()) else {
        return;
    };
    let names = || raw.agents().iter().map(|field| field.name.as_str());
    if names().any(|known| known == name) {
        return;
    }
    let message = format!("{key} names the agent `{shown}`, which is not in `agents`");
    let diagnostic =
        Diagnostic::at(code::UNKNOWN_AGENT, &setting.span, message).label("no such agent");
    diagnostics.push(match super::nearest(name, names()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    });
}

fn memory(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let setting = raw.at("forward_proxy.max_body_size");
    let bytes = setting.integer().unwrap_or(0);
    let held = bytes.saturating_mul(CONNECTIONS);
    if held > HELD_BYTES_MAX {
        let tenths = held.saturating_mul(10).div_ceil(1 << 30);
        let message = format!(
            "max_body_size {} x {CONNECTIONS} connections may use {}.{} GiB",
            show_size(bytes).replace("MiB", " MiB"),
            tenths / 10,
            tenths % 10
        );
        diagnostics.push(Diagnostic::at(code::MEMORY, &setting.span, message));
    }
}

/// A certificate without its key, or a key without its certificate.
fn port_tls(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let key = |name: &str| format!("forward_proxy.tls.{name}");
    let is_set = |name: &str| raw.at(&key(name)).text().is_some();
    for name in ["cert", "key"] {
        let other = if name == "cert" { "key" } else { "cert" };
        let asked = [other, "client_ca"].into_iter().find(|name| is_set(name));
        if let Some(asked) = asked.filter(|_| !is_set(name)) {
            let message = format!("{} is set without {}", key(asked), key(name));
            let help =
                "set forward_proxy.tls.cert and forward_proxy.tls.key, both as paths of PEM files";
            let span = &raw.at(&key(asked)).span;
            diagnostics.push(Diagnostic::at(code::CONFLICT, span, message).help(help));
        }
    }
}

/// Limits under which nothing of the largest size could pass.
fn limits(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let held = raw.at("forward_proxy.limits.held_bytes");
    let memory = raw.at("forward_proxy.limits.memory");
    let least = raw.held_bytes_min();
    if let Some(bytes) = held.integer().filter(|&bytes| bytes < least) {
        let message = format!(
            "forward_proxy.limits.held_bytes is {}, less than six times max_body_size",
            show_size(bytes)
        );
        let help = format!(
            "set it to {} or more, or max_body_size to less",
            show_size(least)
        );
        let diagnostic = Diagnostic::at(code::CONFLICT, &held.span, message)
            .label("the largest bodies would never fit")
            .help(help);
        diagnostics.push(diagnostic);
    }
    let least = raw.held_bytes();
    if let Some(bytes) = memory.integer().filter(|&bytes| bytes < least) {
        let message = format!(
            "forward_proxy.limits.memory is {}, less than may be held of bodies alone",
            show_size(bytes)
        );
        let help = format!("set it to {} or more", show_size(least.saturating_mul(2)));
        let diagnostic = Diagnostic::at(code::CONFLICT, &memory.span, message)
            .label("requests would be refused long before")
            .help(help);
        diagnostics.push(diagnostic);
    }
}

fn bypass(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let intercept = raw.bool("tls.intercept");
    for item in raw.at("tls.bypass").items() {
        let Some(host) = item.shown() else { continue };
        diagnostics.push(if intercept {
            let message = format!("tls.bypass hides \"{host}\" from DLP");
            Diagnostic::at(code::BYPASS, &item.span, message)
        } else {
            let message = format!("tls.bypass \"{host}\" has no effect: tls.intercept is false");
            Diagnostic::at(code::NO_EFFECT, &item.span, message)
        });
    }
}

/// Whether some caller may reach everything, from anywhere.
fn open(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let empty = |path: &str| raw.at(path).items().is_empty();
    let lists_empty =
        empty("forward_proxy.allowed_domains") && empty("forward_proxy.blocked_domains");
    let unknown_global = match raw.text("forward_proxy.unknown_agents") {
        Some(word) => word == "global",
        None => raw.agents().is_empty(),
    };
    let relies_on_global = |agent: &Setting| agent.field("egress").is_none_or(Setting::is_null);
    let open = lists_empty
        && (unknown_global
            || raw
                .agents()
                .iter()
                .any(|agent| relies_on_global(&agent.setting)));
    if !raw.bool("forward_proxy.enabled") || !open {
        return;
    }
    // On loopback the policy's compiler warns, which is enough there.
    let mut addresses = raw.bind().into_iter().map(|(address, _)| address);
    if let Some(address) = addresses.find(|address| !address.is_loopback()) {
        let message = format!(
            "open proxy: forward_proxy.bind is {address}, and neither allowed_domains nor \
             blocked_domains holds a host"
        );
        let span = &raw.at("forward_proxy.bind").span;
        let help = "fill forward_proxy.allowed_domains or forward_proxy.blocked_domains";
        diagnostics.push(Diagnostic::at(code::OPEN_PROXY, span, message).help(help));
    }
}

/// Categories that nothing looks for.
fn categories(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let global_scan = raw.bool("forward_proxy.scan_requests");
    let global_list = raw.at("forward_proxy.blocked_categories");
    let mut warn = |list: &Setting, key: &str, why: &str| {
        if list.is_written() && !list.items().is_empty() {
            let message = format!("{key} has no effect: {why} is false");
            diagnostics.push(Diagnostic::at(code::NO_EFFECT, &list.span, message));
        }
    };
    if !global_scan && raw.agents().is_empty() {
        let key = "forward_proxy.blocked_categories";
        warn(global_list, key, "forward_proxy.scan_requests");
    }
    for agent in raw.agents() {
        let Some(egress) = agent.setting.field("egress") else {
            continue;
        };
        let (Some(list), Some(scan)) = (
            egress.field("blocked_categories"),
            egress.field("scan_requests"),
        ) else {
            continue;
        };
        let key = format!("agents.{}.egress.blocked_categories", agent.name);
        match scan.value {
            Value::Bool(true) => {}
            Value::Bool(false) => warn(list, &key, "its scan_requests"),
            _ if global_scan => {}
            _ => warn(list, &key, "forward_proxy.scan_requests"),
        }
    }
}

/// A file with agents whose proxy is off is a file that somebody believes in.
fn not_enabled(raw: &RawConfig, diagnostics: &mut Vec<Diagnostic>) {
    let enabled = raw.at("forward_proxy.enabled");
    if !enabled.is_written() && !raw.agents().is_empty() {
        let message = "forward_proxy.enabled is not set: the proxy is off";
        let help = "write `enabled: true` below `forward_proxy:`";
        diagnostics.push(Diagnostic::bare(code::NO_EFFECT, message).help(help));
    }
}
