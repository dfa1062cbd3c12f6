//! The programs that people and agents use, set up by nothing but `oktsec env`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::process::{command, hex_sha256, run, text, tool};
use crate::support::{Gateway, SCHEMES};

/// A program as an agent runs it: a home of its own, and what `oktsec env` prints.
struct Seat {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Seat {
    /// For programs that send the header themselves.
    fn nameless(gateway: &Gateway) -> Self {
        Self {
            home: TempDir::new().expect("there is a place for files"),
            variables: gateway.env(),
        }
    }

    /// For programs that cannot: the proxy's user name says who they are.
    fn of(gateway: &Gateway, agent: &str) -> Self {
        Self {
            variables: gateway.env_as(agent),
            ..Self::nameless(gateway)
        }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command(program);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .env("HOME", self.home.path())
            .current_dir(self.home.path());
        command
    }

    fn path(&self) -> &Path {
        self.home.path()
    }
}

#[track_caller]
fn passed(output: &Output) -> String {
    let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

#[track_caller]
fn failed(output: &Output) -> String {
    let said = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success(), "it passed: {said}");
    said
}

/// Each host that was asked for was asked for as this agent.
#[track_caller]
fn assert_agent(gateway: &Gateway, host: &str, agent: &str) {
    let rows = gateway.logs(&["--host", host]);
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["agent"] == agent), "{rows:?}");
}

#[test]
fn s22_s23_curl_reaches_what_is_allowed() {
    let gateway = Gateway::seed();
    let seat = Seat::nameless(&gateway);
    let mut curl = seat.command("curl");
    curl.args([
        "-sS",
        "-H",
        "X-Oktsec-Agent: researcher",
        "https://api.arxiv.org/search?query=llm+security",
    ]);
    assert!(passed(&run(&mut curl, b"")).contains("/search?query=llm+security"));
    let row = gateway.row_of("/search");
    assert_eq!(
        (&row["agent"], &row["status"]),
        (&"researcher".into(), &"forwarded".into()),
        "{row}"
    );
    assert_eq!(
        (&row["request"]["scheme"], &row["inspection"]),
        (&"https".into(), &"tls".into()),
        "{row}"
    );
}

#[test]
fn s22_s24_curl_prints_why_not() {
    let gateway = Gateway::seed();
    let seat = Seat::nameless(&gateway);
    for scheme in SCHEMES {
        let mut curl = seat.command("curl");
        curl.args([
            "-sS",
            "-i",
            "-H",
            "X-Oktsec-Agent: researcher",
            &format!("{scheme}://api.github.com/repos"),
        ]);
        let said = passed(&run(&mut curl, b""));
        assert!(said.contains("403"), "{said}");
        assert!(
            said.contains("proxy_blocked_domain") && said.contains("researcher"),
            "{said}"
        );
        let mut strict = seat.command("curl");
        strict.args([
            "-sS",
            "--fail-with-body",
            "-H",
            "X-Oktsec-Agent: researcher",
            &format!("{scheme}://api.github.com/repos"),
        ]);
        let output = run(&mut strict, b"");
        assert_eq!(output.status.code(), Some(22));
        assert!(failed(&output).contains("proxy_blocked_domain"));
    }
    gateway.upstream.assert_untouched();
}

#[test]
fn s22_the_variables_of_a_shell() {
    let gateway = Gateway::seed();
    let home = gateway.home.path().display().to_string();
    let script = format!(
        "eval \"$('{}' env --config '{}')\" && curl -sS -H 'X-Oktsec-Agent: researcher' https://api.arxiv.org/shell",
        env!("CARGO_BIN_EXE_oktsec"),
        gateway.home.config().display()
    );
    let mut shell = command("bash");
    shell
        .args(["-c", &script])
        .env("HOME", &home)
        .env("XDG_DATA_HOME", format!("{home}/data"));
    assert!(passed(&run(&mut shell, b"")).contains("/shell"));
}

#[test]
fn s22_requests_and_httpx() {
    let gateway = Gateway::seed();
    let seat = Seat::nameless(&gateway);
    let script = r#"
import sys, requests, httpx
headers = {"X-Oktsec-Agent": "researcher"}
h2 = httpx.Client(http2=True)
for scheme in ("http", "https"):
    for get in (requests.get, httpx.get, h2.get):
        allowed = get(f"{scheme}://api.arxiv.org/python", headers=headers)
        assert allowed.status_code == 200, allowed.text
        assert allowed.json()["path"] == "/python"
        refused = get(f"{scheme}://api.github.com/repos", headers=headers)
        assert refused.status_code == 403, refused.text
        assert refused.json()["reason"] == "proxy_blocked_domain"
    post = requests.post(f"{scheme}://api.arxiv.org/python", headers=headers, json={"key": sys.argv[1]})
    assert post.json()["reason"] == "proxy_blocked_content", post.text
try:
    requests.get("https://api.github.com/repos", headers=headers).raise_for_status()
except requests.HTTPError as error:
    print(error)
"#;
    let mut python = seat.command(tool("python/bin/python"));
    python.args(["-c", script, crate::support::AWS_KEY]);
    let said = passed(&run(&mut python, b""));
    assert!(
        said.contains("403 Client Error: Blocked by oktsec (proxy_blocked_domain)"),
        "{said}"
    );
    assert_agent(&gateway, "api.arxiv.org", "researcher");
}

#[test]
fn s22_node_fetch() {
    let gateway = Gateway::seed();
    let seat = Seat::nameless(&gateway);
    let script = r#"
const headers = { "X-Oktsec-Agent": "researcher" };
const run = async () => {
  for (const scheme of ["http", "https"]) {
    const allowed = await fetch(`${scheme}://api.arxiv.org/node`, { headers });
    if (allowed.status !== 200 || (await allowed.json()).path !== "/node") throw new Error(scheme);
    const refused = await fetch(`${scheme}://api.github.com/repos`, { headers });
    const body = await refused.json();
    if (refused.status !== 403 || body.reason !== "proxy_blocked_domain") throw new Error(JSON.stringify(body));
    const post = await fetch(`${scheme}://api.arxiv.org/`, { headers, method: "POST", body: process.argv[1] });
    if ((await post.json()).reason !== "proxy_blocked_content") throw new Error("post");
  }
  console.log("all is well");
};
run().catch((error) => { console.error(error); process.exit(1); });
"#;
    let mut node = seat.command(tool("node/node_modules/node/bin/node"));
    node.args(["-e", script, crate::support::AWS_KEY]);
    assert!(passed(&run(&mut node, b"")).contains("all is well"));
    assert_agent(&gateway, "api.arxiv.org", "researcher");
}

#[test]
fn s22_git() {
    let gateway = Gateway::seed();
    let reference = format!("{} refs/heads/main", "1234567890".repeat(4));
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let advertisement = format!(
        "{}0000{}0000",
        line("# service=git-upload-pack\n"),
        line(&format!("{reference}\0agent=test\n"))
    );
    gateway.upstream.page(
        "/org/repo.git/info/refs",
        "application/x-git-upload-pack-advertisement",
        advertisement,
    );
    for scheme in SCHEMES {
        let seat = Seat::nameless(&gateway);
        let list = |host: &str| {
            let mut git = seat.command("git");
            git.args(["-c", "http.extraHeader=X-Oktsec-Agent: coder", "ls-remote"]);
            run(
                git.arg(format!("{scheme}://{host}/org/repo.git"))
                    .env("GIT_CONFIG_NOSYSTEM", "1"),
                b"",
            )
        };
        assert!(passed(&list("api.github.com")).contains("refs/heads/main"));
        // git shows the lines of a text/plain answer.
        let said = failed(&list("raw.githubusercontent.com"));
        assert!(
            said.contains("remote: Blocked by oktsec: proxy_blocked_domain"),
            "{said}"
        );
        assert_agent(&gateway, "api.github.com", "coder");

        let seat = Seat::of(&gateway, "coder");
        let mut git = seat.command("git");
        git.args([
            "ls-remote",
            &format!("{scheme}://api.github.com/org/repo.git"),
        ])
        .env("GIT_CONFIG_NOSYSTEM", "1");
        assert!(passed(&run(&mut git, b"")).contains("refs/heads/main"));
    }
    assert_agent(&gateway, "api.github.com", "coder");
}

#[test]
fn s22_npm() {
    let gateway = Gateway::seed();
    let package = r#"{"name":"demo-package","dist-tags":{"latest":"7.8.9"},"versions":{"7.8.9":{"name":"demo-package","version":"7.8.9","dist":{"tarball":"http://x.test/x.tgz","shasum":"00"}}}}"#;
    gateway
        .upstream
        .page("/demo-package", "application/json", package);
    for agent in ["coder", "researcher"] {
        let seat = Seat::of(&gateway, agent);
        let mut npm = seat.command("npm");
        npm.args([
            "view",
            "demo-package",
            "version",
            "--no-update-notifier",
            "--fetch-retries=0",
        ]);
        let output = run(&mut npm, b"");
        if agent == "coder" {
            assert!(passed(&output).contains("7.8.9"));
        } else {
            let said = failed(&output);
            assert!(
                said.contains("Blocked by oktsec") && said.contains("proxy_blocked_domain"),
                "{said}"
            );
        }
    }
    let rows = gateway.logs(&["--agent", "coder", "--status", "forwarded"]);
    assert_eq!(rows[0]["request"]["path"], "/demo-package", "{rows:?}");
}

#[test]
fn s22_pip() {
    let gateway = Gateway::seed();
    let seat = Seat::of(&gateway, "coder");
    let name = "demo_package-1.0-py3-none-any.whl";
    let script = format!(
        "import zipfile\nwith zipfile.ZipFile('{name}', 'w') as wheel:\n \
         wheel.writestr('demo_package-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: demo-package\\nVersion: 1.0\\n')\n \
         wheel.writestr('demo_package-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n \
         wheel.writestr('demo_package-1.0.dist-info/RECORD', '')\n"
    );
    passed(&run(seat.command("python3").args(["-c", &script]), b""));
    let wheel = fs::read(seat.path().join(name)).expect("it was just written");
    let link = format!(
        "<!DOCTYPE html><html><body><a href=\"/files/{name}#sha256={}\">{name}</a></body></html>",
        hex_sha256(&wheel)
    );
    gateway
        .upstream
        .page("/simple/demo-package/", "text/html", link);
    gateway
        .upstream
        .page(&format!("/files/{name}"), "application/octet-stream", wheel);

    let mut pip = seat.command(tool("python/bin/python"));
    pip.args([
        "-m",
        "pip",
        "download",
        "demo-package",
        "--no-deps",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "-d",
        "out",
    ]);
    passed(&run(pip.env("PIP_CONFIG_FILE", "/dev/null"), b""));
    assert!(seat.path().join("out").join(name).exists());
    let rows = gateway.logs(&["--agent", "coder", "--status", "forwarded"]);
    assert_eq!(rows.len(), 2, "{rows:?}");

    let seat = Seat::of(&gateway, "researcher");
    let mut pip = seat.command(tool("python/bin/python"));
    pip.args([
        "-m",
        "pip",
        "download",
        "demo-package",
        "--retries",
        "0",
        "--no-cache-dir",
        "--disable-pip-version-check",
    ]);
    failed(&run(pip.env("PIP_CONFIG_FILE", "/dev/null"), b""));
    assert!(
        !gateway
            .logs(&["--agent", "researcher", "--reason", "proxy_blocked_domain"])
            .is_empty()
    );
}

#[test]
fn s22_wget() {
    let gateway = Gateway::seed();
    let seat = Seat::nameless(&gateway);
    for scheme in SCHEMES {
        let get = |url: &str| {
            let mut wget = seat.command("wget");
            run(
                wget.args([
                    "-qO-",
                    "--content-on-error",
                    "--tries=1",
                    "--header=X-Oktsec-Agent: researcher",
                    url,
                ]),
                b"",
            )
        };
        assert!(passed(&get(&format!("{scheme}://api.arxiv.org/wget"))).contains("/wget"));
        assert!(
            failed(&get(&format!("{scheme}://api.github.com/"))).contains("proxy_blocked_domain")
        );
    }
    assert_agent(&gateway, "api.arxiv.org", "researcher");
}

#[test]
fn s22_cargo() {
    let gateway = Gateway::seed();
    let registry = r#"{"dl":"https://api.github.com/dl","api":"https://api.github.com"}"#;
    gateway
        .upstream
        .page("/index/config.json", "application/json", registry);
    let found = r#"{"crates":[{"name":"demo-crate","max_version":"4.5.6","description":"a crate"}],"meta":{"total":1}}"#;
    gateway
        .upstream
        .page("/api/v1/crates", "application/json", found);
    for agent in ["coder", "researcher"] {
        let seat = Seat::of(&gateway, agent);
        let mut cargo = seat.command(env!("CARGO"));
        cargo.args(["search", "demo-crate", "--registry", "demo"]);
        cargo
            .env("CARGO_HOME", seat.path())
            .env("CARGO_NET_RETRY", "0");
        cargo.env(
            "CARGO_REGISTRIES_DEMO_INDEX",
            "sparse+https://api.github.com/index/",
        );
        let output = run(&mut cargo, b"");
        if agent == "coder" {
            assert!(passed(&output).contains("4.5.6"));
        } else {
            assert!(failed(&output).contains("proxy_blocked_domain"));
        }
    }
    assert!(
        !gateway
            .logs(&["--agent", "coder", "--status", "forwarded"])
            .is_empty()
    );
}
