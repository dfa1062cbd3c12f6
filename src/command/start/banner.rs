//! What `oktsec start` says: what was made, what runs, what to try.

use oktsec_model::AgentName;

use super::make::Gateway;
use crate::command::version::VERSION;
use crate::config::Loaded;

/// What is said at the start.
pub(super) fn text(loaded: &Loaded, gateway: &Gateway) -> String {
    let port = loaded.boot.port;
    let mut text = format!("oktsec {VERSION} · egress DLP proxy for AI agents\n\n");
    for (path, what) in &gateway.created {
        text.push_str(&format_row(
            "created",
            &format!("{}   {what}", path.display()),
        ));
    }
    text.push_str(&format_row("config", &loaded.path.display().to_string()));
    let scope = if loaded.settings.intercept {
        "TLS inspection on"
    } else {
        "TLS inspection off"
    };
    text.push_str(&format_row(
        "proxy",
        &format!("{}://localhost:{port}   {scope}", loaded.settings.scheme()),
    ));
    let agents: Vec<&str> = loaded.policies.agents().map(AgentName::as_str).collect();
    text.push_str(&format_row("agents", &agents.join("  ")));
    let oktsec = invocation();
    let lines = [
        format!("eval \"$({oktsec} env)\""),
        "curl -H \"X-Oktsec-Agent: researcher\" https://api.github.com/repos".to_owned(),
        format!("{oktsec} logs --agent researcher --status blocked"),
    ];
    text.push_str("\nTry it, in another terminal:\n");
    for line in lines {
        text.push_str(&format_line(&line));
    }
    text
}

/// How to call this program from anywhere: by its name where the `PATH` knows it, else by its place.
fn invocation() -> String {
    const NAME: &str = "oktsec";
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_known = std::env::split_paths(&path).any(|dir| dir.join(NAME).is_file());
    match std::env::current_exe() {
        Ok(place) if !is_known => place.display().to_string(),
        _ => NAME.to_owned(),
    }
}

fn format_line(line: &str) -> String {
    format!("  {line}\n")
}

fn format_row(name: &str, value: &str) -> String {
    format!("  {name:<10}{value}\n")
}
