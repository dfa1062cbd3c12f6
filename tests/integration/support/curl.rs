//! curl, as users run it, and what it brought back.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::gateway::Gateway;
use super::process::{command, run, text};

/// A curl invocation under construction.
pub(crate) struct Curl<'a> {
    gateway: &'a Gateway,
    url: String,
    arguments: Vec<String>,
    body: Option<Vec<u8>>,
}

/// What curl brought back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) exit: i32,
    /// The status of the last response; 0 where there was none.
    pub(crate) status: u16,
    pub(crate) http_version: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) stderr: String,
}

// === impl Curl ===

impl<'a> Curl<'a> {
    pub(crate) fn new(gateway: &'a Gateway, url: &str) -> Self {
        Self {
            gateway,
            url: url.to_owned(),
            arguments: Vec::new(),
            body: None,
        }
    }

    /// Names the agent in the header, as the seed does. No name, no header.
    pub(crate) fn agent(self, name: &str) -> Self {
        if name.is_empty() {
            self
        } else {
            self.header(&format!("X-Oktsec-Agent: {name}"))
        }
    }

    pub(crate) fn header(self, field: &str) -> Self {
        self.args(&["-H", field])
    }

    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Sends these bytes as they are; a POST unless `-X` says otherwise.
    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_owned());
        self
    }

    #[track_caller]
    pub(crate) fn send(self) -> Reply {
        const FORMAT: &str = "%{http_code} %{http_version}";
        let dir = TempDir::new().expect("there is a place for files");
        let (head, body) = (dir.path().join("head"), dir.path().join("body"));
        let mut curl = self.command();
        curl.args(["--suppress-connect-headers", "-w", FORMAT]);
        curl.arg("-D").arg(&head).arg("-o").arg(&body);
        curl.args(&self.arguments);
        if self.body.is_some() {
            curl.args(["--data-binary", "@-"]);
        }
        curl.arg(&self.url);
        let output = run(&mut curl, self.body.as_deref().unwrap_or_default());
        let facts = text(&output.stdout);
        let (status, http_version) = facts.split_once(' ').unwrap_or_default();
        Reply {
            exit: output.status.code().unwrap_or(-1),
            status: status.parse().unwrap_or(0),
            http_version: http_version.to_owned(),
            headers: last_head(&text(&fs::read(&head).unwrap_or_default())),
            body: text(&fs::read(&body).unwrap_or_default()),
            stderr: text(&output.stderr),
        }
    }

    /// Sends to every URL of a pattern like `http://host/[1-9]`; the statuses, in order.
    #[track_caller]
    pub(crate) fn statuses(self) -> Vec<u16> {
        let mut curl = self.command();
        curl.args(["-o", "/dev/null", "-w", "%{http_code}\n"]);
        curl.args(&self.arguments).arg(&self.url);
        let output = run(&mut curl, b"");
        text(&output.stdout)
            .lines()
            .map(|line| line.parse().unwrap_or(0))
            .collect()
    }

    /// `NO_PROXY` keeps curl from asking the gateway for `localhost`, and that is what tests ask.
    fn command(&self) -> Command {
        let mut curl = command("curl");
        curl.envs(self.gateway.env());
        curl.args(["-q", "-sS", "--noproxy", "", "--max-time", "50"]);
        curl
    }
}

// === impl Reply ===

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The id of the row that speaks about this request.
    #[track_caller]
    pub(crate) fn event(&self) -> &str {
        self.header("x-oktsec-event")
            .unwrap_or_else(|| panic!("no event in {self:?}"))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The upstream's echo.
    #[track_caller]
    pub(crate) fn assert_passed(&self) -> &Self {
        assert_eq!((self.exit, self.status), (0, 200), "{self:?}");
        assert!(self.header("x-oktsec-reason").is_none(), "{self:?}");
        self
    }

    /// A refusal with its face: status, header, and a body that says why.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, reason: &str) -> &Self {
        assert_eq!((self.exit, self.status), (0, status), "{self:?}");
        assert_eq!(self.header("x-oktsec-reason"), Some(reason), "{self:?}");
        let body = self.json();
        assert_eq!(body["reason"], reason, "{self:?}");
        assert_eq!(body["status"], status, "{self:?}");
        assert_eq!(body["event_id"], self.event(), "{self:?}");
        assert!(
            body["detail"].as_str().is_some_and(|text| text.len() > 20),
            "{self:?}"
        );
        assert!(
            self.body.len() < 1100,
            "an answer of {} bytes",
            self.body.len()
        );
        self
    }
}

/// The fields of the last header block; there may be interim ones before it.
fn last_head(text: &str) -> Vec<(String, String)> {
    let blocks = text
        .split("\r\n\r\n")
        .filter(|block| !block.trim().is_empty());
    let fields = blocks.last().unwrap_or("").lines().skip(1);
    fields
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}
