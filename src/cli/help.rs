//! The words of `--help` that are not descriptions of flags.

pub(super) const TOP: &str = "\
{before-help}{about}
{usage-heading} {usage}

Run
  start    Start the proxy in the foreground              (alias: serve)
  env      Print the proxy and CA variables for a shell or a tool
Look
  logs     Show or follow the audit trail
  status   Is it up; mode, agents, rates, chain head
Policy
  init     Write a starter oktsec.yaml
  config   Check, show and explain the configuration
  check    Would this agent's request be allowed?
  policy   Show the effective policy
  rules    List, show, test and lint the detection rules
  scan     Look for credentials and personal data in files or stdin
Operate
  ca       The local certificate authority
  version  Print the version
{options}{after-help}";

pub(super) const TOP_EXAMPLES: &str = "\
Examples:
  oktsec init && oktsec start
  oktsec check researcher https://api.arxiv.org/
  oktsec logs --agent researcher --status blocked";

pub(super) const START: &str = "\
Examples:
  oktsec start
  oktsec start --config /etc/oktsec/oktsec.yaml
  oktsec start --port 9090 --observe";

pub(super) const ENV: &str = "\
Examples:
  oktsec env --agent researcher
  oktsec env --agent researcher --format docker
  oktsec env --agent claude --format claude-code";

pub(super) const LOGS: &str = "\
Examples:
  oktsec logs --agent researcher --status blocked
  oktsec logs -f -o wide
  oktsec logs --since 24h --json";

pub(super) const STATUS: &str = "\
Examples:
  oktsec status
  oktsec status --json
  oktsec status --config /etc/oktsec/oktsec.yaml";

pub(super) const INIT: &str = "\
Examples:
  oktsec init
  oktsec init --path /etc/oktsec/oktsec.yaml
  oktsec init --force";

pub(super) const CONFIG: &str = "\
Examples:
  oktsec config check
  oktsec config show --origin
  oktsec config explain agents.*.egress.rate_window";

pub(super) const CHECK: &str = "\
Examples:
  oktsec check researcher https://api.arxiv.org/
  oktsec check coder https://api.github.com/ --method POST
  oktsec check researcher pastebin.com --json";

pub(super) const POLICY: &str = "\
Examples:
  oktsec policy show
  oktsec policy show researcher
  oktsec policy show researcher --json";

pub(super) const CA: &str = "\
Examples:
  oktsec ca path
  oktsec ca path --config /etc/oktsec/oktsec.yaml
  oktsec ca --help";

pub(super) const RULES: &str = "\
Examples:
  oktsec rules list --category credentials --severity high
  oktsec rules test aws-access-key-id
  oktsec rules lint my-rules/";

pub(super) const SCAN: &str = "\
Examples:
  oktsec scan src/ .env
  oktsec scan - --severity high < agent.log
  oktsec scan . --format sarif > oktsec.sarif";
