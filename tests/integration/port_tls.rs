//! TLS on the proxy's own port, for agents on other machines.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::support::config::Config;
use super::support::gateway::{Gateway, Home};
use super::support::process::wait_for;
use super::support::raw::{ask, connect};

/// An authority of the operator's, who hands out certificates to gateways and agents.
struct Company {
    issuer: Issuer<'static, KeyPair>,
}

impl Company {
    fn new(home: &Path, name: &str) -> Self {
        let key = KeyPair::generate().expect("ring makes keys");
        let mut params = CertificateParams::new(Vec::new()).expect("no names, no bad name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("it is complete");
        fs::write(home.join(format!("{name}.pem")), certificate.pem()).expect("it is ours");
        Self {
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes a certificate for a host, and its key.
    fn issue(&self, home: &Path, name: &str, host: &str) {
        let key = KeyPair::generate().expect("ring makes keys");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        let leaf = params
            .signed_by(&key, &self.issuer)
            .expect("it is complete");
        let write = |suffix: &str, text: String| {
            fs::write(home.join(format!("{name}.{suffix}")), text).expect("it is ours");
        };
        write("key", key.serialize_pem());
        write("crt", leaf.pem());
    }
}

fn behind_tls(keys: &str, furnish: impl FnOnce(&Path)) -> Gateway {
    let config = Config::seed().with("forward_proxy.tls", keys);
    Gateway::start_with(&config, |home: &Home| furnish(home.path()))
}

/// The proxy's address as agents write it, and whom they trust about it.
fn proxy(gateway: &Gateway, company: &str) -> Vec<String> {
    let path = gateway.home.path().join(format!("{company}.pem"));
    vec![
        "--proxy".to_owned(),
        format!("https://localhost:{}", gateway.address().port()),
        "--proxy-cacert".to_owned(),
        path.display().to_string(),
    ]
}

fn status(gateway: &Gateway, url: &str, more: &[String]) -> u16 {
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let curl = gateway.curl(url).agent("researcher").args(&more);
    curl.statuses().first().copied().unwrap_or(0)
}

#[test]
fn agents_reach_the_proxy_by_tls_and_no_other_way() {
    let keys = "{cert: gateway.crt, key: gateway.key}";
    let gateway = behind_tls(keys, |home| {
        Company::new(home, "company").issue(home, "gateway", "localhost");
    });
    let trusted = proxy(&gateway, "company");
    for scheme in ["http", "https"] {
        let url = |host: &str| format!("{scheme}://{host}/x");
        assert_eq!(
            status(&gateway, &url("api.arxiv.org"), &trusted),
            200,
            "{scheme}"
        );
        assert_eq!(
            status(&gateway, &url("api.github.com"), &trusted),
            403,
            "{scheme}"
        );
    }
    let before = gateway.upstream.received().len();
    let request = "GET http://api.arxiv.org/plain HTTP/1.1\r\nHost: api.arxiv.org\r\nX-Oktsec-Agent: researcher\r\n\r\n";
    let answer = ask(connect(&gateway), request);
    assert_eq!(answer.status(), 400, "{answer:?}");
    assert!(answer.text.contains("https://"), "{answer:?}");
    let length = answer
        .header("content-length")
        .and_then(|text| text.parse().ok());
    let body = answer.text.split("\r\n\r\n").nth(1).map(str::len);
    assert_eq!(body, length, "{answer:?}");
    assert_eq!(gateway.upstream.received().len(), before);
    let rows = gateway.logs(&["--reason", "proxy_bad_request"]);
    assert!(!rows.is_empty());

    let variables = gateway.env_as("researcher");
    let named = variables.iter().find(|(name, _)| name == "HTTPS_PROXY");
    let (_, url) = named.expect("it is among them");
    assert!(url.starts_with("https://researcher:"), "{url}");
}

#[test]
fn agents_without_the_companys_certificate_are_turned_away() {
    let keys = "{cert: gateway.crt, key: gateway.key, client_ca: agents.pem}";
    let gateway = behind_tls(keys, |home| {
        Company::new(home, "company").issue(home, "gateway", "localhost");
        Company::new(home, "agents").issue(home, "agent", "agent.example");
        Company::new(home, "strangers").issue(home, "stranger", "agent.example");
    });
    let with = |name: &str| {
        let mut all = proxy(&gateway, "company");
        for (flag, suffix) in [("--proxy-cert", "crt"), ("--proxy-key", "key")] {
            let path = gateway.home.path().join(format!("{name}.{suffix}"));
            all.extend([flag.to_owned(), path.display().to_string()]);
        }
        status(&gateway, "https://api.arxiv.org/x", &all)
    };
    assert_eq!(with("agent"), 200);
    assert_eq!(with("stranger"), 0);
    let bare = proxy(&gateway, "company");
    assert_eq!(status(&gateway, "https://api.arxiv.org/x", &bare), 0);
    assert_eq!(gateway.upstream.received().len(), 1);
}

#[test]
fn a_renewed_certificate_is_taken_up() {
    let keys = "{cert: gateway.crt, key: gateway.key}";
    let gateway = behind_tls(keys, |home| {
        Company::new(home, "company").issue(home, "gateway", "localhost");
    });
    let home = gateway.home.path();
    let renewed = Company::new(home, "renewed");
    let get = |company: &str| {
        status(
            &gateway,
            "http://api.arxiv.org/x",
            &proxy(&gateway, company),
        )
    };
    assert_eq!((get("company"), get("renewed")), (200, 0));
    renewed.issue(home, "gateway", "localhost");
    wait_for("the renewed certificate", || {
        (get("renewed") == 200).then_some(())
    });
    assert_eq!(get("company"), 0);
    let rows = gateway.logs(&["--reason", "proxy_tls_client_rejected"]);
    assert!(!rows.is_empty(), "who does not trust it has a row");
    // One that does not serve is refused; the running one stays.
    fs::write(home.join("gateway.crt"), "nothing").expect("it is ours");
    wait_for("the complaint", || {
        let talk = gateway.home.talk();
        talk.contains("holds no PEM certificate").then_some(())
    });
    assert_eq!(get("renewed"), 200);
}
