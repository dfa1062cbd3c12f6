//! The effective configuration, turned into what the gateway runs on: [`Boot`], [`Settings`] and
//! the policy. Mistakes that the policy's compiler finds are given their place in the file back.

mod content;
mod places;

use std::path::PathBuf;

use oktsec_model::{AgentName, Timestamp};
use oktsec_policy::{
    AgentSource, Compiled, EgressSource, Entry, GlobalSource, HostPatterns, Mode, PolicyError,
    PolicySet, ResolveTo, Set, Source, UnknownAgents,
};

use super::diagnostic::{Diagnostic, code};
use super::raw::RawConfig;
use super::value::{Field, Setting};
use super::walk::{parse_answer, parse_network};
use super::{
    Boot, Durability, Environment, Hidden, Limits, LogFormat, LogSettings, PortTls, Settings,
    Timeouts, UpstreamRoots, search,
};
use places::Places;

const MIB: u64 = 1024 * 1024;

/// What a configuration is made into.
pub(super) struct Parts {
    pub(super) boot: Boot,
    pub(super) policies: PolicySet,
    pub(super) settings: Settings,
}

/// What the policy has to know besides the settings.
pub(super) struct Known {
    /// The rules that there are; `None` where that is not known, so that none is wrong.
    pub(super) rule_ids: Option<Vec<String>>,
    /// Categories that rules of the operator's own bring along; `None` where that is not known.
    pub(super) categories: Option<Vec<String>>,
    pub(super) now: Timestamp,
    /// Whether what has ended by now is a mistake.
    pub(super) is_strict: bool,
}

// === impl RawConfig ===

impl RawConfig {
    /// Compiles everything; mistakes and warnings are pushed. Warnings of a policy that is not
    /// complete are not, since they may speak about what is missing.
    pub(super) fn compile(
        &self,
        env: Environment<'_>,
        known: Known,
        complete: bool,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Parts> {
        let mut places = Places::default();
        // Of rules that cannot be read, the categories are not known to be wrong.
        let is_told = match known.categories {
            Some(_) => |_: &PolicyError| true,
            None => |error: &PolicyError| error.code != code::UNKNOWN_WORD.id,
        };
        let source = self.policy(known, &mut places);
        let bypass = places.entries("tls.bypass", self.at("tls.bypass"));
        let bypass = HostPatterns::compile(&bypass);
        let policies = oktsec_policy::compile(source);
        let (bypass, policies) = match (bypass, policies) {
            (Ok(bypass), Ok(Compiled { policies, warnings })) => {
                if complete {
                    let told = warnings
                        .iter()
                        .filter(|warning| self.is_worth_telling(warning));
                    diagnostics.extend(told.map(|warning| places.diagnostic(warning)));
                }
                (bypass, policies)
            }
            (bypass, policies) => {
                let errors = bypass.err().into_iter().chain(policies.err()).flatten();
                let told = errors.filter(is_told);
                diagnostics.extend(told.map(|error| places.diagnostic(&error)));
                return None;
            }
        };
        let settings = self.settings(bypass);
        Some(Parts {
            boot: self.boot(env),
            policies,
            settings,
        })
    }

    /// A proxy that is off is not open, and one that is open to the network is an error already.
    fn is_worth_telling(&self, warning: &PolicyError) -> bool {
        let on_loopback = || self.bind().iter().all(|(address, _)| address.is_loopback());
        warning.code != code::OPEN.id || self.bool("forward_proxy.enabled") && on_loopback()
    }

    fn boot(&self, env: Environment<'_>) -> Boot {
        let in_data = |name: &str| search::data_dir(env).join(name);
        let upstream_roots = match self.text("tls.upstream_roots") {
            None | Some("system") => UpstreamRoots::System,
            Some("webpki") => UpstreamRoots::Webpki,
            Some(_) => self
                .file_path("tls.upstream_roots")
                .map_or(UpstreamRoots::System, UpstreamRoots::SystemAnd),
        };
        let durability = match self.text("audit.durability") {
            Some("egress") => Durability::Egress,
            _ => Durability::Answer,
        };
        let format = match self.text("telemetry.log.format") {
            Some("json") => LogFormat::Json,
            Some("pretty") => LogFormat::Pretty,
            _ => LogFormat::Auto,
        };
        let level = self
            .text("telemetry.log.level")
            .unwrap_or("info")
            .to_owned();
        let dir = |path: &str, name: &str| -> PathBuf {
            self.file_path(path).unwrap_or_else(|| in_data(name))
        };
        Boot {
            enabled: self.bool("forward_proxy.enabled"),
            bind: self
                .bind()
                .into_iter()
                .map(|(address, _)| address)
                .collect(),
            port: self.port(),
            connections_max: u32::try_from(self.integer("forward_proxy.limits.connections"))
                .unwrap_or(u32::MAX),
            audit_dir: dir("audit.dir", "audit"),
            durability,
            ca_dir: dir("tls.ca.dir", "ca"),
            leaf_ttl_s: self.integer("tls.ca.leaf_ttl") / 1000,
            upstream_roots,
            log: LogSettings { level, format },
        }
    }

    fn settings(&self, bypass: HostPatterns) -> Settings {
        let bytes = |path: &str| usize::try_from(self.integer(path)).unwrap_or(usize::MAX);
        let networks = |path: &str| {
            let items = self.at(path).items().iter();
            items
                .filter_map(|item| parse_network(item.text()?))
                .collect()
        };
        let header = self.text("identity.header").unwrap_or("X-Oktsec-Agent");
        Settings {
            body_bytes_max: bytes("forward_proxy.max_body_size"),
            balancers: networks("forward_proxy.proxy_protocol_from"),
            port_tls: self.port_tls(),
            upstream_proxy: (self.text("forward_proxy.upstream_proxy"))
                .map(|text| Hidden(text.to_owned())),
            streams_oversize: self.text("forward_proxy.oversize") != Some("block"),
            intercept: self.bool("tls.intercept"),
            bypass,
            identity_header: header.to_ascii_lowercase(),
            trust_header_from: networks("identity.trust_header_from"),
            addresses: self
                .at("identity.addresses")
                .fields()
                .iter()
                .filter_map(|field| Some((parse_network(&field.name)?, agent(&field.setting)?)))
                .collect(),
            default_agent: agent(self.at("identity.default_agent")),
            timeouts: Timeouts {
                connect_ms: self.integer("forward_proxy.timeouts.connect"),
                response_header_ms: self.integer("forward_proxy.timeouts.response_header"),
                idle_ms: self.integer("forward_proxy.timeouts.idle"),
                body_ms: self.integer("forward_proxy.timeouts.body"),
                connection_ms: self.integer("forward_proxy.timeouts.connection"),
            },
            limits: self.limits(),
            decode_depth_max: u8::try_from(self.integer("dlp.decode_depth")).unwrap_or(u8::MAX),
            decode_bytes_max: bytes("dlp.decode_budget"),
        }
    }

    fn port_tls(&self) -> Option<PortTls> {
        Some(PortTls {
            cert: self.file_path("forward_proxy.tls.cert")?,
            key: self.file_path("forward_proxy.tls.key")?,
            client_ca: self.file_path("forward_proxy.tls.client_ca"),
        })
    }

    fn limits(&self) -> Limits {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let set = |name: &str| self.at(&format!("forward_proxy.limits.{name}")).integer();
        let held = self.held_bytes();
        let memory = set("memory").unwrap_or_else(|| held.saturating_mul(2).max(512 * MIB));
        Limits {
            client_connections_max: number(set("connections_per_client").unwrap_or(u64::MAX)),
            agent_requests_max: number(set("requests_per_agent").unwrap_or(u64::MAX)),
            held_bytes_max: number(held),
            memory_bytes_max: number(memory),
        }
    }

    /// How many bytes of bodies may be held.
    pub(super) fn held_bytes(&self) -> u64 {
        self.at("forward_proxy.limits.held_bytes")
            .integer()
            .unwrap_or_else(|| self.held_bytes_min().max(256 * MIB))
    }

    /// What a body takes that is larger than is held, from an agent that gets half of what there is: a
    /// window, what is read meanwhile, and what is decoded.
    pub(super) fn held_bytes_min(&self) -> u64 {
        const WINDOWS: u64 = 3;
        const AGENTS: u64 = 2;
        self.integer("forward_proxy.max_body_size") * WINDOWS * AGENTS
    }

    fn port(&self) -> u16 {
        u16::try_from(self.integer("forward_proxy.port")).unwrap_or(0)
    }

    fn policy(&self, known: Known, places: &mut Places) -> Source {
        Source {
            global: self.global(places),
            custom_categories: known.categories.clone().unwrap_or_default(),
            content: content::source(self, known, places),
            agents: self
                .agents()
                .iter()
                .filter_map(|field| agent_source(field, places))
                .collect(),
        }
    }

    fn global(&self, places: &mut Places) -> GlobalSource {
        let mut entries = |name: &str| {
            let path = format!("forward_proxy.{name}");
            places.entries(&path, self.at(&path))
        };
        let allowed_domains = entries("allowed_domains");
        let blocked_domains = entries("blocked_domains");
        let blocked_categories = entries("blocked_categories");
        let allow_private = entries("allow_private");
        let mut set = |path: &str| (self.at(path), places.origin(path, &self.at(path).span));
        let ports = set("forward_proxy.allowed_ports");
        let unknown = set("forward_proxy.unknown_agents");
        let scan = set("forward_proxy.scan_requests");
        let responses = set("forward_proxy.scan_responses");
        let limit = set("forward_proxy.rate_limit");
        let window = set("forward_proxy.rate_window");
        let mode = set("mode");
        let uninspectable = set("forward_proxy.uninspectable");
        GlobalSource {
            allowed_domains,
            blocked_domains,
            blocked_categories,
            allowed_ports: Set {
                value: ports
                    .0
                    .items()
                    .iter()
                    .filter_map(|item| port(item.integer()?))
                    .collect(),
                origin: ports.1,
            },
            allow_private,
            unknown_agents: unknown.0.text().map(|word| Set {
                value: match word {
                    "global" => UnknownAgents::Global,
                    _ => UnknownAgents::Deny,
                },
                origin: unknown.1,
            }),
            scan_requests: Set {
                value: scan.0.bool().unwrap_or(true),
                origin: scan.1,
            },
            scan_responses: Set {
                value: responses.0.bool().unwrap_or(false),
                origin: responses.1,
            },
            rate_limit: Set {
                value: count(limit.0),
                origin: limit.1,
            },
            rate_window_s: Set {
                value: count(window.0),
                origin: window.1,
            },
            mode: Set {
                value: mode_of(mode.0),
                origin: mode.1,
            },
            resolve: self.resolve(places),
            uninspectable_block: Set {
                value: uninspectable.0.text() != Some("allow"),
                origin: uninspectable.1,
            },
            own_ports: vec![self.port()],
        }
    }

    fn resolve(&self, places: &mut Places) -> Vec<(Entry, ResolveTo)> {
        let fields = self.at("forward_proxy.resolve").fields().iter();
        fields
            .filter_map(|field| {
                let (ip, port) = parse_answer(field.setting.text()?)?;
                let path = format!("forward_proxy.resolve.{}", field.name);
                let origin = places.origin(&path, &field.name_span);
                Some((
                    Entry {
                        text: field.name.clone(),
                        origin,
                    },
                    ResolveTo { ip, port },
                ))
            })
            .collect()
    }
}

fn agent_source(field: &Field, places: &mut Places) -> Option<AgentSource> {
    let path = format!("agents.{}", field.name);
    let agent = &field.setting;
    let origin = places.origin(&path, &field.name_span);
    let suspended = agent.field("suspended")?;
    let can_message = agent.field("can_message")?;
    let egress = agent.fields().iter().find(|inner| inner.name == "egress")?;
    let suspended = (suspended.bool() == Some(true))
        .then(|| places.origin(&format!("{path}.suspended"), &suspended.span));
    Some(AgentSource {
        name: AgentName::parse(&field.name).ok()?,
        origin,
        suspended,
        egress: egress_source(&format!("{path}.egress"), egress, places),
        can_message: places.entries(&format!("{path}.can_message"), can_message),
    })
}

fn egress_source(path: &str, field: &Field, places: &mut Places) -> Option<EgressSource> {
    let egress = &field.setting;
    if egress.is_null() {
        return None;
    }
    let block = places.origin(path, &field.name_span);
    let mut source = EgressSource::empty(block);
    for inner in egress.fields() {
        let path = format!("{path}.{}", inner.name);
        let setting = &inner.setting;
        let origin = places.origin(&path, &setting.span);
        match inner.name.as_str() {
            "allowed_domains" => source.allowed_domains = places.entries(&path, setting),
            "blocked_domains" => source.blocked_domains = places.entries(&path, setting),
            "blocked_categories" => source.blocked_categories = places.entries(&path, setting),
            "scan_requests" => {
                source.scan_requests = setting.bool().map(|value| Set { value, origin });
            }
            "scan_responses" => {
                source.scan_responses = setting.bool().map(|value| Set { value, origin });
            }
            "rate_limit" if !setting.is_null() => {
                source.rate_limit = Some(Set {
                    value: count(setting),
                    origin,
                });
            }
            "rate_window" if setting.is_written() => {
                source.rate_window_s = Some(Set {
                    value: count(setting),
                    origin,
                });
            }
            "mode" if !setting.is_null() => {
                source.mode = Some(Set {
                    value: mode_of(setting),
                    origin,
                });
            }
            "expected_credentials" => source.homes = content::homes(&path, setting, places),
            "methods" => source.methods = methods(&path, setting, places),
            _ => {}
        }
    }
    Some(source)
}

fn methods(path: &str, setting: &Setting, places: &mut Places) -> Vec<(Entry, Vec<Entry>)> {
    let fields = setting.fields().iter();
    fields
        .map(|field| {
            let path = format!("{path}.{}", field.name);
            let origin = places.origin(&path, &field.name_span);
            let methods = places.entries(&path, &field.setting);
            (
                Entry {
                    text: field.name.clone(),
                    origin,
                },
                methods,
            )
        })
        .collect()
}

fn mode_of(setting: &Setting) -> Mode {
    match setting.text() {
        Some("observe") => Mode::Observe,
        _ => Mode::Enforce,
    }
}

fn agent(setting: &Setting) -> Option<AgentName> {
    AgentName::parse(setting.text()?).ok()
}

fn count(setting: &Setting) -> u32 {
    u32::try_from(setting.integer().unwrap_or(0)).unwrap_or(u32::MAX)
}

fn port(number: u64) -> Option<u16> {
    u16::try_from(number).ok()
}
