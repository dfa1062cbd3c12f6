//! Names to addresses, once per dial: every answer is judged, and what is dialled is an address
//! that was judged. There is no second lookup that could say something else.

use std::net::SocketAddr;
use std::time::Duration;

use oktsec_inspect::Snapshot;
use oktsec_model::{Host, Reason, Target};

/// A lookup may take this long.
const LOOKUP_TIME_MAX: Duration = Duration::from_secs(5);
/// Addresses of one name that are looked at; the rest is not dialled.
const ADDRESSES_MAX: usize = 32;

/// The addresses that may be dialled for `target`, in the resolver's order.
///
/// # Errors
/// `SsrfBlocked` or `BlockedDomain` when any of the name's addresses may not be reached,
/// `UpstreamDns` when there are none.
pub(crate) async fn resolve(
    target: &Target,
    snapshot: &Snapshot,
) -> Result<Vec<SocketAddr>, Reason> {
    if let Some(address) = snapshot.resolve(target) {
        return Ok(vec![address]);
    }
    let addresses = match &target.host {
        Host::Ip(ip) => vec![SocketAddr::new(*ip, target.port)],
        Host::Name(name) => look_up(name, target.port).await?,
    };
    for address in &addresses {
        let ip = address.ip().to_canonical();
        snapshot
            .admit_address(target, ip)
            .map_err(|decision| decision.reason)?;
        if is_scoped(address) {
            return Err(Reason::SsrfBlocked);
        }
    }
    Ok(addresses)
}

async fn look_up(name: &str, port: u16) -> Result<Vec<SocketAddr>, Reason> {
    // The trailing dot keeps the resolver from trying its search list, under which a public name
    // could become one of the local network.
    let absolute = format!("{name}.:{port}");
    let plain = format!("{name}:{port}");
    let found = tokio::time::timeout(LOOKUP_TIME_MAX, async {
        match collect(&absolute).await {
            Ok(found) if !found.is_empty() => Ok(found),
            // Names of the hosts file are not found with a trailing dot.
            _ => collect(&plain).await,
        }
    })
    .await;
    match found {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        _ => Err(Reason::UpstreamDns),
    }
}

async fn collect(authority: &str) -> std::io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in tokio::net::lookup_host(authority).await? {
        if addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn is_scoped(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0)
}
