//! The PROXY protocol.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::{Client, Input, run};
use crate::balancer::read;

/// The longest header of either version.
const HEADER_BYTES_MAX: usize = 16 + 4096;
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header names the same client in whatever pieces it comes, and takes nothing of what follows it.
pub fn balancer(bytes: &[u8]) {
    let mut input = Input(bytes);
    let pieces = input.pieces();
    let bytes = match input.byte() % 3 {
        0 => input.0.to_vec(),
        1 => [b"PROXY ", input.0].concat(),
        _ => [SIGNATURE, input.0].concat(),
    };
    let whole = told(&bytes, &[]);
    assert_eq!(whole, told(&bytes, pieces));
    let (result, used) = whole;
    assert!(used <= HEADER_BYTES_MAX);
    let Ok(client) = result else {
        return;
    };
    let (header, rest) = bytes.split_at(used);
    // All of it is needed, and nothing else.
    let short = header.split_last().map_or(header, |(_, short)| short);
    assert!(told(short, &[]).0.is_err());
    assert_eq!(told(header, &[]), (Ok(client), used));
    assert!(rest.len() + used == bytes.len());
    match header.strip_prefix(SIGNATURE) {
        Some(fields) => assert_eq!(client, of_fields(fields)),
        None => of_line(header, client),
    }
}

/// What a header says, and how long it is.
fn told(bytes: &[u8], pieces: &[u8]) -> (Result<Option<SocketAddr>, io::ErrorKind>, usize) {
    let mut client = Client::new(bytes, pieces);
    let result = run(read(&mut client)).map_err(|error| error.kind());
    (result, bytes.len() - client.rest.len())
}

/// What stands at the places that version 2 has for it.
fn of_fields(fields: &[u8]) -> Option<SocketAddr> {
    let port = |place: usize| u16::from_be_bytes([fields[place], fields[place + 1]]);
    let ip: IpAddr = match fields[..2] {
        [0x21, 0x11] => <[u8; 4]>::try_from(&fields[4..8]).ok()?.into(),
        [0x21, 0x21] => <[u8; 16]>::try_from(&fields[4..20]).ok()?.into(),
        _ => return None,
    };
    let place = if ip.is_ipv4() { 12 } else { 36 };
    Some(SocketAddr::new(ip.to_canonical(), port(place)))
}

/// One line, with the client as its second word.
fn of_line(header: &[u8], client: Option<SocketAddr>) {
    assert!(header.len() <= 107 && header.starts_with(b"PROXY ") && header.ends_with(b"\r\n"));
    let text = std::str::from_utf8(header).expect("names are written in ASCII");
    let words: Vec<&str> = text.trim_end().split(' ').collect();
    let Some(client) = client else {
        return assert_eq!(words.get(1), Some(&"UNKNOWN"));
    };
    assert_eq!(words.len(), 6);
    let ip: IpAddr = words[2].parse().expect("it was read as one");
    assert_eq!(ip.to_canonical(), client.ip());
    assert_eq!(words[4].parse(), Ok(client.port()));
}
