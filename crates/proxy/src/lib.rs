//! Sockets, TLS interception and HTTP: the enforcement point.
//!
//! `listener` accepts, `connection` serves, `tunnel` opens CONNECT, `exchange` carries one request
//! from top to bottom: identity, policy, rate, scan, record, upstream, answer. It asks
//! `oktsec_inspect` for every decision and makes none of its own; `respond` gives every refusal
//! its face; `account` writes what happened.

mod account;
mod answer;
mod balancer;
mod blind;
mod body;
mod chain;
mod client;
mod connection;
mod context;
mod exchange;
mod flow;
mod framing;
mod headers;
mod identify;
mod judge;
pub mod listener;
mod load;
mod mask;
mod pool;
mod resolve;
mod respond;
mod socks;
mod strict;
mod tls;
mod tunnel;
mod upstream;
mod via;
mod websocket;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use chain::{Chain, ChainError};
pub use context::{Context, Parts, Settings, State};
pub use identify::IdentitySettings;
pub use load::Limits;
pub use tls::authority::{Authority, AuthorityError, AuthorityFiles};
pub use tls::port::{PortCertificate, PortFiles, PortTlsError, port_certificate};
pub use tls::roots::{RootsError, UpstreamRoots, client_config, write_bundle};
pub use upstream::Timeouts;
