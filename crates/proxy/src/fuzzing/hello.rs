//! The first bytes in a tunnel, and the name that a `ClientHello` gives.

use bytes::Bytes;
use oktsec_model::Host;
use rustls::server::Acceptor;
use tokio::io::AsyncReadExt;
use tokio_rustls::LazyConfigAcceptor;

use super::{Client, Input, run};
use crate::client::Prefixed;
use crate::tunnel::is_meant;

/// What a client says first: the name and the protocols, or that it cannot be read.
type Told = Result<(Option<String>, Option<Vec<Vec<u8>>>), String>;

/// Peeking takes nothing; a hello says the same in whatever pieces it comes; only a host's own name
/// means it.
pub fn hello(bytes: &[u8]) {
    let mut input = Input(bytes);
    let pieces = input.pieces();
    let kind = input.byte() % 3;
    let name = input.short();
    let bytes = match kind {
        0 => input.0.to_vec(),
        1 => record(&client_hello(&server_name(name))),
        _ => record(&client_hello(&[&server_name(name), input.0].concat())),
    };
    peeked(&bytes, pieces);
    let whole = told(&bytes, &[]);
    assert_eq!(whole, told(&bytes, pieces));
    let Ok((told, _)) = whole else {
        return;
    };
    if let Some(told) = &told
        && kind == 1
    {
        assert!(told.as_bytes().eq_ignore_ascii_case(name));
    }
    for host in ["api.example.com", "127.0.0.1"] {
        let host = Host::parse(host).expect("it is one");
        let means = told
            .as_deref()
            .is_none_or(|name| Host::parse(name).as_ref() == Ok(&host));
        assert_eq!(is_meant(told.as_deref(), &host), means);
    }
}

fn peeked(bytes: &[u8], pieces: &[u8]) {
    let (before, after) = bytes.split_at(bytes.len() / 3);
    for prefix in [&b""[..], before] {
        let rest = if prefix.is_empty() { bytes } else { after };
        let client = Client::new(rest, pieces);
        let mut stream = Prefixed::new(Bytes::copy_from_slice(prefix), client);
        let mut out = Vec::new();
        for _ in 0..2 {
            let first = run(stream.peek()).ok().flatten();
            assert_eq!(first.as_ref(), bytes.first());
        }
        assert_eq!(run(stream.read_to_end(&mut out)).ok(), Some(bytes.len()));
        assert_eq!(out, bytes);
    }
}

fn told(bytes: &[u8], pieces: &[u8]) -> Told {
    let acceptor = LazyConfigAcceptor::new(Acceptor::default(), Client::new(bytes, pieces));
    let start = run(acceptor).map_err(|error| error.to_string())?;
    let hello = start.client_hello();
    let alpn = hello
        .alpn()
        .map(|names| names.map(<[u8]>::to_vec).collect());
    Ok((hello.server_name().map(str::to_owned), alpn))
}

/// A name as an extension (RFC 6066, section 3).
fn server_name(name: &[u8]) -> Vec<u8> {
    let entry = [&[0], counted(name).as_slice()].concat();
    [&[0, 0], counted(&counted(&entry)).as_slice()].concat()
}

/// A hello of TLS 1.2 with one suite and these extensions.
fn client_hello(extensions: &[u8]) -> Vec<u8> {
    let body = [
        &[3, 3],
        &[7; 32][..],
        // No session; one suite; no compression.
        &[0, 0, 2, 0x13, 0x01, 1, 0],
        &counted(extensions),
    ]
    .concat();
    [&[1, 0], counted(&body).as_slice()].concat()
}

fn record(handshake: &[u8]) -> Vec<u8> {
    let records = handshake.chunks(16_000);
    records
        .flat_map(|part| [&[0x16, 3, 1], counted(part).as_slice()].concat())
        .collect()
}

/// Bytes behind their count.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let count = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&count.to_be_bytes(), bytes].concat()
}
