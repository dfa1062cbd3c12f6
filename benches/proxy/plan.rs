//! The cases: who carries the request, in what form, with which body, on how many connections.

use std::path::PathBuf;

use crate::authority;
use crate::client::{Form, Way};
use crate::gateway::Gateway;
use crate::payload::Payload;
use crate::process::Process;
use crate::squid::Squid;
use crate::upstream::Upstream;

/// Everything that runs during the benchmark.
pub(crate) struct Peers {
    pub(crate) upstream: Upstream,
    pub(crate) upstream_authority: PathBuf,
    pub(crate) gateway: Option<Gateways>,
    pub(crate) squid: Option<Squid>,
}

/// The gateway twice: `tls.bypass` belongs to the configuration, not to the request.
pub(crate) struct Gateways {
    pub(crate) bypass: Gateway,
    pub(crate) intercept: Gateway,
}

/// One way for requests to go, and whom it costs.
pub(crate) struct Lane<'a> {
    pub(crate) carrier: Carrier,
    pub(crate) traffic: Traffic,
    pub(crate) way: Way,
    pub(crate) process: Option<&'a Process>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carrier {
    Direct,
    Oktsec,
    Squid,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Traffic {
    /// HTTP in the clear.
    Plain,
    /// TLS without a proxy.
    Tls,
    /// TLS that a proxy passes on unseen.
    Tunnel,
    /// TLS that a proxy opens.
    Intercept,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Case {
    pub(crate) carrier: Carrier,
    pub(crate) traffic: Traffic,
    pub(crate) payload: Payload,
    pub(crate) connections: u16,
}

// === impl Peers ===

impl Peers {
    /// The lanes side by side, so that neighbours in time are what gets compared.
    pub(crate) fn lanes(&self) -> anyhow::Result<Vec<Lane<'_>>> {
        let upstream_tls = authority::connector(&self.upstream_authority)?;
        let (plain, tls) = (self.upstream.plain_port, self.upstream.tls_port);
        let direct = |traffic, port, form| Lane {
            carrier: Carrier::Direct,
            traffic,
            way: Way {
                port,
                authority_port: None,
                form,
            },
            process: None,
        };
        let mut lanes = vec![
            direct(Traffic::Plain, plain, Form::Plain),
            direct(Traffic::Tls, tls, Form::Tls(upstream_tls.clone())),
        ];
        if let Some(Gateways { bypass, intercept }) = &self.gateway {
            let opened = Form::Tunnel(authority::connector(&intercept.authority())?);
            let blind = Form::Tunnel(upstream_tls.clone());
            let through = [
                (Traffic::Plain, intercept, Form::Absolute),
                (Traffic::Tunnel, bypass, blind),
                (Traffic::Intercept, intercept, opened),
            ];
            lanes.extend(through.map(|(traffic, gateway, form)| Lane {
                carrier: Carrier::Oktsec,
                traffic,
                way: Way {
                    port: gateway.port,
                    authority_port: None,
                    form,
                },
                process: Some(&gateway.process),
            }));
        }
        if let Some(squid) = &self.squid {
            let opened = Form::Tunnel(authority::connector(squid.authority())?);
            let through = [
                (Traffic::Plain, squid.blind_port, plain, Form::Absolute),
                (
                    Traffic::Tunnel,
                    squid.blind_port,
                    tls,
                    Form::Tunnel(upstream_tls),
                ),
                (Traffic::Intercept, squid.bump_port, tls, opened),
            ];
            lanes.extend(through.map(|(traffic, port, upstream_port, form)| Lane {
                carrier: Carrier::Squid,
                traffic,
                // Squid cannot map ports, so it is told the real one.
                way: Way {
                    port,
                    authority_port: Some(upstream_port),
                    form,
                },
                process: Some(&squid.process),
            }));
        }
        lanes.sort_by_key(|lane| lane.traffic);
        Ok(lanes)
    }
}

// === impl Traffic ===

impl Traffic {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Tunnel => "tunnel",
            Self::Intercept => "intercept",
        }
    }

    /// The direct traffic that a proxy's latency is measured against.
    pub(crate) const fn baseline(self) -> Self {
        match self {
            Self::Plain => Self::Plain,
            Self::Tls | Self::Tunnel | Self::Intercept => Self::Tls,
        }
    }
}

// === impl Carrier ===

impl Carrier {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Oktsec => "oktsec",
            Self::Squid => "squid",
        }
    }
}

// === impl Case ===

impl Case {
    pub(crate) fn name(self) -> String {
        let (payload, traffic) = (self.payload.name(), self.traffic.name());
        format!(
            "{payload} {traffic} {} {}",
            self.carrier.name(),
            self.connections
        )
    }
}

/// The numbers of connections: many for throughput, one for latency.
pub(crate) fn connection_counts(many: u16) -> Vec<u16> {
    let mut counts = vec![many, 1];
    counts.dedup();
    counts
}
