//! A configuration as text: the seed's own file, with single settings changed.

/// A configuration file under construction.
#[derive(Clone)]
pub(crate) struct Config {
    text: String,
}

/// The seed's file, word for word.
pub(crate) const SEED: &str = include_str!("../../../testdata/config/seed.yaml");

// === impl Config ===

impl Config {
    /// The seed's file.
    pub(crate) fn seed() -> Self {
        Self::text(SEED)
    }

    /// A file of the test's own.
    pub(crate) fn text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
        }
    }

    /// Sets one value, written in flow style; `path` is dotted. Replaces what stands there, or
    /// adds it under the nearest parent that exists.
    pub(crate) fn with(self, path: &str, value: &str) -> Self {
        let mut lines: Vec<String> = self.text.lines().map(str::to_owned).collect();
        let mut within = 0..lines.len();
        let keys: Vec<&str> = path.split('.').collect();
        for (depth, key) in keys.iter().enumerate() {
            let indent = "  ".repeat(depth);
            let last = depth + 1 == keys.len();
            let head = format!("{indent}{key}:");
            match within.clone().find(|&at| lines[at].starts_with(&head)) {
                Some(at) => {
                    let end = end_of_block(&lines, at, indent.len());
                    if last {
                        lines.splice(at..end, [format!("{head} {value}")]);
                    } else if end == at + 1 {
                        // A parent without a block below it has none of its own yet.
                        lines[at].clone_from(&head);
                    }
                    within = at + 1..end.max(at + 1);
                }
                None => {
                    let at = within.start;
                    lines.insert(
                        at,
                        if last {
                            format!("{head} {value}")
                        } else {
                            head
                        },
                    );
                    within = at + 1..at + 1;
                }
            }
        }
        Self {
            text: lines.join("\n") + "\n",
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// The line after the block that begins on line `at`.
fn end_of_block(lines: &[String], at: usize, indent: usize) -> usize {
    let deeper =
        |line: &String| line.trim().is_empty() || line.len() - line.trim_start().len() > indent;
    lines[at + 1..]
        .iter()
        .position(|line| !deeper(line))
        .map_or(lines.len(), |more| at + 1 + more)
}

#[test]
fn settings_are_replaced_and_added() {
    let config = Config::seed()
        .with("forward_proxy.max_body_size", "9")
        .with("forward_proxy.timeouts.idle", "1s")
        .with("tls.bypass", "[a.test]")
        .with("agents.coordinator.egress.rate_limit", "3")
        .with("agents.coder.egress.allowed_domains", "[b.test]");
    let text = config.as_str();
    assert!(text.contains("\n  max_body_size: 9\n"));
    assert!(text.contains("forward_proxy:\n  timeouts:\n    idle: 1s\n"));
    assert!(text.contains("tls:\n  bypass: [a.test]\n"));
    assert!(text.contains("  coordinator:\n    egress:\n      rate_limit: 3\n"));
    assert!(text.contains("      allowed_domains: [b.test]\n      blocked_domains:"));
}
