//! Everything that judges requests, immutable, swapped whole.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Method;
use oktsec_detect::Detector;
use oktsec_model::{Decision, Finding, Host, Principal, Quota, RequestHead, Target};
use oktsec_policy::{HostPatterns, PolicySet};

use crate::flow::WINDOW_BYTES_MIN;
use crate::memory::Memory;

/// Which traffic is looked into, and how far.
pub struct Scope {
    /// Whether TLS is opened for inspection.
    pub intercept: bool,
    /// Hosts whose TLS is never opened.
    pub bypass: HostPatterns,
    /// The largest body that is held and judged, in bytes.
    pub body_bytes_max: usize,
    /// Whether larger ones are judged as they flow.
    pub streams_oversize: bool,
}

/// One generation of rules, policy and scope. A request is judged by the generation it began with.
pub struct Snapshot {
    /// Counts reloads, from 1.
    pub generation: u64,
    /// The digest of the configuration that made this generation.
    pub digest: Arc<str>,
    pub(crate) detector: Arc<Detector>,
    pub(crate) policies: PolicySet,
    pub(crate) scope: Scope,
    pub(crate) memory: Memory,
}

impl Snapshot {
    /// Joins the parts.
    #[must_use]
    pub fn new(
        generation: u64,
        digest: Arc<str>,
        detector: Arc<Detector>,
        policies: PolicySet,
        scope: Scope,
    ) -> Self {
        Self {
            generation,
            digest,
            detector,
            policies,
            scope,
            memory: Memory::new(),
        }
    }

    /// What the policy says of a request before anything of it is scanned.
    #[must_use]
    pub fn admit(&self, principal: &Principal, target: &Target, method: &Method) -> Decision {
        self.policies.admit(principal, target, method)
    }

    /// `decision` with everything that the head shows, for the record: a refusal by host name
    /// still says which credential the request would have carried away.
    #[must_use]
    pub fn with_head_findings(&self, head: &RequestHead, mut decision: Decision) -> Decision {
        if self.policies.scan_requests(&head.principal) {
            decision.findings = self.detector.scan_head(head).findings;
            self.policies.treat(head, &mut decision.findings);
        }
        decision
    }

    /// What a host name alone shows, so that it can be masked wherever it is written down.
    #[must_use]
    pub fn host_findings(&self, host: &Host) -> Vec<Finding> {
        self.detector.scan_host(host).findings
    }

    /// Whether `address`, to which the target's name resolved, may be dialled.
    ///
    /// # Errors
    /// The refusal, when it may not.
    pub fn admit_address(&self, target: &Target, address: IpAddr) -> Result<(), Box<Decision>> {
        self.policies
            .admit_address(target, address)
            .map_err(Box::new)
    }

    /// The operator's word on where the target is, if there is one.
    #[must_use]
    pub fn resolve(&self, target: &Target) -> Option<SocketAddr> {
        self.policies.resolve(target)
    }

    /// How much the caller may ask for; `None` is no limit.
    #[must_use]
    pub fn quota(&self, principal: &Principal) -> Option<Quota> {
        self.policies.quota(principal)
    }

    /// Whether TLS to this target is opened for inspection.
    #[must_use]
    pub fn intercepts(&self, target: &Target) -> bool {
        self.scope.intercept && !self.scope.bypass.matches(&target.host)
    }

    /// The largest body that is held and judged, in bytes.
    #[must_use]
    pub const fn body_bytes_max(&self) -> usize {
        self.scope.body_bytes_max
    }

    /// How much of a larger body is judged at a time.
    pub(crate) fn window_bytes(&self) -> usize {
        self.scope.body_bytes_max.max(WINDOW_BYTES_MIN)
    }

    /// Whether larger bodies are judged as they flow.
    #[must_use]
    pub const fn streams_oversize(&self) -> bool {
        self.scope.streams_oversize
    }

    /// The policy, for questions that are not about one request.
    #[must_use]
    pub const fn policies(&self) -> &PolicySet {
        &self.policies
    }
}
