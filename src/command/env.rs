//! `oktsec env`: the variables that put a shell's programs behind the gateway.

use std::path::Path;

use anyhow::bail;
use oktsec_model::AgentName;
use oktsec_proxy::AuthorityFiles;
use serde_json::{Map, Value, json};

use crate::cli::{EnvArgs, EnvFormat};
use crate::command::{Context, known_agent};
use crate::config::Loaded;
use crate::exit::ExitCode;

type Variables = Vec<(&'static str, String)>;

/// Hosts that are reached directly. Private ranges here would be a way around the gateway.
const NO_PROXY: &str = "localhost,127.0.0.1,::1";

pub(super) fn run(args: &EnvArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let loaded = context.load(&[])?;
    let agent = args
        .agent
        .as_deref()
        .map(|name| known_agent(&loaded, name))
        .transpose()?;
    let files = AuthorityFiles {
        dir: loaded.boot.ca_dir.clone(),
    };
    if !files.bundle().exists() {
        bail!(
            "{} is not there yet; `oktsec start` makes it",
            files.bundle().display()
        );
    }
    let proxy = match &args.proxy {
        Some(url) => url.clone(),
        None => proxy_url(agent.as_ref(), &loaded),
    };
    context.output.data(&render(
        &variables(&proxy, &files, agent.as_ref()),
        &proxy,
        args.format,
    ))?;
    Ok(ExitCode::Done)
}

/// The user name carries the claim for programs that cannot send a header; some programs send it
/// only with a password beside it.
fn proxy_url(agent: Option<&AgentName>, loaded: &Loaded) -> String {
    let (scheme, port) = (loaded.settings.scheme(), loaded.boot.port);
    match agent {
        Some(agent) => format!("{scheme}://{agent}:x@localhost:{port}"),
        None => format!("{scheme}://localhost:{port}"),
    }
}

/// Settings that replace a program's roots get the bundle, those that add to them our CA alone.
fn variables(proxy: &str, files: &AuthorityFiles, agent: Option<&AgentName>) -> Variables {
    const PROXY: [&str; 7] = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "grpc_proxy",
    ];
    const BUNDLE: [&str; 14] = [
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "PIP_CERT",
        "CARGO_HTTP_CAINFO",
        "npm_config_cafile",
        "AWS_CA_BUNDLE",
        "CODEX_CA_CERTIFICATE",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "BUNDLE_SSL_CA_CERT",
        "NIX_SSL_CERT_FILE",
        "HEX_CACERTS_PATH",
    ];
    const AUTHORITY: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];
    let text = |path: &Path| path.display().to_string();
    let mut all = Variables::new();
    all.extend(PROXY.map(|name| (name, proxy.to_owned())));
    all.extend(["NO_PROXY", "no_proxy"].map(|name| (name, NO_PROXY.to_owned())));
    all.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    all.extend(AUTHORITY.map(|name| (name, text(&files.certificate()))));
    all.extend(BUNDLE.map(|name| (name, text(&files.bundle()))));
    all.push(("WGETRC", text(&files.wgetrc())));
    if proxy.contains('@') {
        all.push(("GIT_HTTP_PROXY_AUTHMETHOD", "basic".to_owned()));
    }
    if let Some(agent) = agent {
        all.extend(["OKTSEC_AGENT", "X_OKTSEC_AGENT"].map(|name| (name, agent.to_string())));
    }
    all
}

fn render(variables: &Variables, proxy: &str, format: EnvFormat) -> String {
    let lines = |line: &dyn Fn(&str, &str) -> String| -> String {
        variables
            .iter()
            .map(|(name, value)| format!("{}\n", line(name, value)))
            .collect()
    };
    let object: Map<String, Value> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    match format {
        EnvFormat::Sh => lines(&|name, value| format!("export {name}={}", quoted(value, "'\\''"))),
        EnvFormat::Fish => lines(&|name, value| format!("set -gx {name} {}", quoted(value, "\\'"))),
        EnvFormat::Powershell => {
            lines(&|name, value| format!("$env:{name} = {}", quoted(value, "''")))
        }
        EnvFormat::Docker | EnvFormat::Dotenv | EnvFormat::Github => {
            lines(&|name, value| format!("{name}={value}"))
        }
        EnvFormat::Systemd => lines(&|name, value| format!("Environment=\"{name}={value}\"")),
        EnvFormat::Codex => {
            let set = lines(&|name, value| format!("{name} = {}", json!(value)));
            format!("[shell_environment_policy.set]\n{set}")
        }
        EnvFormat::Json => format!("{:#}\n", Value::Object(object)),
        EnvFormat::ClaudeCode => format!("{:#}\n", json!({"env": object})),
        EnvFormat::Vscode => {
            let settings = json!({
                "http.proxy": proxy,
                "terminal.integrated.env.linux": object,
                "terminal.integrated.env.osx": object,
            });
            format!("{settings:#}\n")
        }
        EnvFormat::AgentsMd => AGENTS_MD.to_owned(),
    }
}

/// For `AGENTS.md` and its like: what an agent needs to know of the gateway. Facts, not orders.
const AGENTS_MD: &str = "\
## Outbound traffic

- Outbound HTTP and HTTPS pass oktsec, an egress gateway that an operator configures.
- A 403 with the header `X-Oktsec-Reason` is policy, not a fault; the answer is the same on retry or by another route.
- `proxy_blocked_domain`: the host is not on this agent's list. An operator can add it.
- `proxy_blocked_content`: the request carried data that may not leave; the answer names the rule and the place.
  Without that data the request can be sent.
- `proxy_rate_limited` (429): more requests are accepted after `Retry-After` seconds.
- `X-Oktsec-Event` is the id under which an operator finds the request.
";

/// In single quotes, with the shell's own way to write one inside.
fn quoted(value: &str, quote: &str) -> String {
    format!("'{}'", value.replace('\'', quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_quote_stays_one_word() {
        let variables = vec![("A", "it's".to_owned())];
        assert_eq!(
            render(&variables, "", EnvFormat::Sh),
            "export A='it'\\''s'\n"
        );
        assert_eq!(
            render(&variables, "", EnvFormat::Powershell),
            "$env:A = 'it''s'\n"
        );
        assert_eq!(render(&variables, "", EnvFormat::Dotenv), "A=it's\n");
    }

    #[test]
    fn private_networks_are_not_reached_directly() {
        assert_eq!(NO_PROXY, "localhost,127.0.0.1,::1");
    }
}
