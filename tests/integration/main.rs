//! The promises, each kept by the real gateway, on real sockets, with real clients. A test is
//! named after the promise it holds (`s05_…`); the promises are listed in the project's README.

mod addresses;
mod balancer;
mod chained;
mod clients;
mod content;
mod crash;
mod expected;
mod hostile;
mod hosts;
mod http2;
mod identity;
mod late;
mod lifecycle;
mod limits;
mod overload;
mod port_tls;
mod responses;
mod rows;
mod rules_command;
mod scan_command;
mod socks;
mod support;
mod switches;
mod threats;
mod tidy;
mod trail;
mod websocket;
