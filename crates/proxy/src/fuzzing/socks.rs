//! SOCKS5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::PROXY_AUTHORIZATION;
use http::{Method, request};
use oktsec_model::{Host, Scheme, Target};

use super::heads::assert_target;
use super::{Client, Input, run};
use crate::socks::{Failure, ask};

/// What a client asked for, what it was answered, and how much of what it sent was taken.
type Asked = (Result<request::Parts, Failure>, Vec<u8>, usize);

/// A handshake means the same in whatever pieces it comes, takes nothing of what follows it, and is the
/// CONNECT of what stands in it.
pub fn socks(bytes: &[u8]) {
    let mut input = Input(bytes);
    let pieces = input.pieces();
    let (whole, answers, used) = asked(input.0, &[]);
    let (cut, cut_answers, cut_used) = asked(input.0, pieces);
    assert_eq!((&answers, used), (&cut_answers, cut_used));
    match (whole, cut) {
        (Ok(parts), Ok(cut)) => {
            assert_eq!((&parts.method, &parts.uri), (&cut.method, &cut.uri));
            assert_eq!(parts.headers, cut.headers);
            assert_connect(&parts, &input.0[..used], &answers);
        }
        (whole, cut) => assert_eq!(whole.err(), cut.err()),
    }
}

fn asked(bytes: &[u8], pieces: &[u8]) -> Asked {
    let mut client = Client::new(bytes, pieces);
    let result = run(ask(&mut client));
    let used = bytes.len() - client.rest.len();
    (result, client.received, used)
}

/// Reads a handshake that was accepted once more, by its places.
fn assert_connect(parts: &request::Parts, handshake: &[u8], answers: &[u8]) {
    let mut input = Input(handshake);
    input.byte();
    let methods = input.short();
    assert_eq!(parts.method, Method::CONNECT);
    let given = parts.headers.get(PROXY_AUTHORIZATION);
    if methods.contains(&2) {
        assert_eq!(answers, [5, 2, 1, 0]);
        input.byte();
        let credentials = [input.short(), input.short()].join(&b':');
        let text = format!("Basic {}", STANDARD.encode(credentials));
        assert_eq!(
            given.map(http::HeaderValue::as_bytes),
            Some(text.as_bytes())
        );
    } else {
        assert_eq!((answers, given), (&[5, 0][..], None));
    }
    let head = input.take(4);
    assert_eq!(head[..2], [5, 1]);
    let address = match head[3] {
        3 => input.short(),
        1 => input.take(4),
        _ => input.take(16),
    };
    let host = match head[3] {
        3 => std::str::from_utf8(address)
            .map(str::to_owned)
            .expect("others are refused"),
        1 => <[u8; 4]>::try_from(address)
            .map(|ip| std::net::IpAddr::from(ip).to_string())
            .expect("four"),
        _ => <[u8; 16]>::try_from(address)
            .map(|ip| format!("[{}]", std::net::Ipv6Addr::from(ip)))
            .expect("sixteen"),
    };
    let port = u16::from_be_bytes([input.byte(), input.byte()]);
    assert!(input.0.is_empty(), "nothing more was taken");
    // The name cannot say more than a name: no port, no path, nobody.
    assert_eq!(parts.uri.to_string(), format!("{host}:{port}"));
    let authority = parts.uri.authority().expect("a CONNECT has one");
    if let Ok(target) = Target::parse_authority(authority.as_str(), Scheme::Https) {
        assert_eq!(
            (Ok(target.host.clone()), target.port),
            (Host::parse(&host), port)
        );
        assert_target(&target);
    }
}
