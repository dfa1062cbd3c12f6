//! The private-address guard: which places are closed to agents whatever the lists say, and which
//! of them the operator has opened.
//!
//! Names that stand for this machine or for a cloud's metadata service are refused as names, before
//! any lookup; addresses are refused as literals before a lookup and as answers after it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use oktsec_model::{AddressClass, Host, Origin, Target, classify};

use crate::matcher::HostMap;
use crate::source::ResolveTo;

/// The guard of one policy.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// What the operator opened.
    pub(crate) allow_private: HostMap<()>,
    /// Where the exceptions were written, for refusals.
    pub(crate) origin: Origin,
    /// Where our listeners were written, for refusals.
    pub(crate) own_origin: Origin,
    /// The ports of our own listeners.
    pub(crate) own_ports: HashSet<u16>,
    /// The operator's word on where names are.
    pub(crate) overrides: Overrides,
    /// Names that are refused as such.
    pub(crate) special: HostMap<SpecialName>,
}

/// Overrides of name resolution.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    hosts: HashMap<Host, HostOverrides>,
    ports: HashMap<u16, Override>,
}

/// What the key of an override names.
#[derive(Clone, Debug)]
pub(crate) enum OverrideKey {
    /// `host`.
    Host(Host),
    /// `host:port`.
    HostPort(Host, u16),
    /// `*:port`.
    Port(u16),
}

/// One override.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) to: ResolveTo,
    pub(crate) origin: Origin,
}

/// A name with a meaning of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SpecialName {
    /// This machine.
    Localhost,
    /// A metadata service of a cloud.
    Metadata,
}

#[derive(Clone, Debug, Default)]
struct HostOverrides {
    any_port: Option<Override>,
    by_port: HashMap<u16, Override>,
}

/// Names of this machine, with everything below them (RFC 6761, section 6.3, and the names that
/// common hosts files hold).
pub(crate) const LOCALHOST_NAMES: [&str; 6] = [
    "ip6-localhost",
    "ip6-loopback",
    "localdomain",
    "localhost",
    "localhost4",
    "localhost6",
];

/// Names of metadata services, with everything below them.
pub(crate) const METADATA_NAMES: [&str; 8] = [
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.packet.net",
    "metadata.tencentyun.com",
];

// === impl Guard ===

impl Guard {
    /// Why the target is closed before anything is looked up: the place to show, or `None` when the
    /// guard has nothing to say.
    pub(crate) fn refuse(&self, target: &Target) -> Option<&Origin> {
        if let Some(fixed) = self.resolve(target) {
            return self
                .is_own(fixed.ip(), fixed.port())
                .then_some(&self.own_origin);
        }
        match &target.host {
            Host::Ip(ip) => self.refuse_address(target, *ip),
            Host::Name(_) => {
                let special = self.special.find(&target.host, target.port)?;
                if *special == SpecialName::Localhost && self.own_ports.contains(&target.port) {
                    return Some(&self.own_origin);
                }
                (!self.opens(&target.host, target.port)).then_some(&self.origin)
            }
        }
    }

    /// Why an address of the target may not be dialled.
    pub(crate) fn refuse_address(&self, target: &Target, address: IpAddr) -> Option<&Origin> {
        let address = address.to_canonical();
        if self.is_own(address, target.port) {
            return Some(&self.own_origin);
        }
        let open = classify(address) == AddressClass::Public
            || self
                .allow_private
                .find_address(address, target.port)
                .is_some()
            || self.opens(&target.host, target.port)
            || self
                .resolve(target)
                .is_some_and(|fixed| fixed.ip().to_canonical() == address);
        (!open).then_some(&self.origin)
    }

    /// The operator's override for the target, if there is one.
    pub(crate) fn resolve(&self, target: &Target) -> Option<SocketAddr> {
        let to = self.find_override(target)?.to;
        Some(SocketAddr::new(to.ip, to.port.unwrap_or(target.port)))
    }

    /// The override that names the target's port, which opens that port.
    pub(crate) fn port_override(&self, target: &Target) -> Option<&Origin> {
        let host = self.overrides.hosts.get(&target.host);
        let exact = host.and_then(|host| host.by_port.get(&target.port));
        exact
            .or_else(|| self.wildcard_override(target))
            .map(|found| &found.origin)
    }

    /// Whether an address and port is one of our own listeners: through us, an agent would reach us
    /// as this machine.
    pub(crate) fn is_own(&self, address: IpAddr, port: u16) -> bool {
        let here = classify(address) == AddressClass::Loopback || address.is_unspecified();
        here && self.own_ports.contains(&port)
    }

    /// Whether the operator opened the host by name (or, for a literal, by address).
    fn opens(&self, host: &Host, port: u16) -> bool {
        self.allow_private.find(host, port).is_some()
    }

    fn find_override(&self, target: &Target) -> Option<&Override> {
        let host = self.overrides.hosts.get(&target.host);
        host.and_then(|host| host.by_port.get(&target.port).or(host.any_port.as_ref()))
            .or_else(|| self.wildcard_override(target))
    }

    /// `*:port`, which says nothing about literals and special names: no request may use it to
    /// reach this machine under a name of its own choice.
    fn wildcard_override(&self, target: &Target) -> Option<&Override> {
        let plain = matches!(target.host, Host::Name(_))
            && self.special.find(&target.host, target.port).is_none();
        plain
            .then(|| self.overrides.ports.get(&target.port))
            .flatten()
    }
}

// === impl Overrides ===

impl Overrides {
    /// Adds an override; `false` when its key is taken.
    pub(crate) fn insert(&mut self, key: OverrideKey, value: Override) -> bool {
        match key {
            OverrideKey::Host(host) => {
                let host = self.hosts.entry(host).or_default();
                let free = host.any_port.is_none();
                host.any_port.get_or_insert(value);
                free
            }
            OverrideKey::HostPort(host, port) => {
                let ports = &mut self.hosts.entry(host).or_default().by_port;
                let free = !ports.contains_key(&port);
                ports.entry(port).or_insert(value);
                free
            }
            OverrideKey::Port(port) => {
                let free = !self.ports.contains_key(&port);
                self.ports.entry(port).or_insert(value);
                free
            }
        }
    }
}
