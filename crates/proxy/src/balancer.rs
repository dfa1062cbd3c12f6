//! The PROXY protocol: a balancer in front of the gateway says whose connection it passes on. Versions 1
//! and 2, as <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt> has them. It is read from
//! configured sources only, and from those always: what anybody could write, nobody may believe.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const TEXT: &[u8; 6] = b"PROXY ";
/// The longest header of version 1, with its line end (section 2.1).
const LINE_BYTES_MAX: usize = 107;
/// Addresses and their extensions; those that are known take a few hundred bytes.
const REST_BYTES_MAX: u16 = 4096;

/// Reads the header; answers the client that it names, if it names one.
///
/// # Errors
/// `InvalidData` for anything that is no such header.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut first = [0; 6];
    stream.read_exact(&mut first).await?;
    if first == *TEXT {
        return line(stream).await;
    }
    let mut rest = [0; 10];
    stream.read_exact(&mut rest).await?;
    let head = [&first[..], &rest].concat();
    let (signature, fields) = head.split_at(SIGNATURE.len());
    let &[command, family, high, low] = fields else {
        return Err(malformed());
    };
    let length = u16::from_be_bytes([high, low]);
    if signature != SIGNATURE || length > REST_BYTES_MAX {
        return Err(malformed());
    }
    let mut rest = vec![0; usize::from(length)];
    stream.read_exact(&mut rest).await?;
    match (command, family) {
        // The balancer speaks for itself, to see whether we are well.
        (0x20, _) => Ok(None),
        (0x21, 0x11) => v4(&rest).map(Some).ok_or_else(malformed),
        (0x21, 0x21) => v6(&rest).map(Some).ok_or_else(malformed),
        // Neither TCP over IPv4 nor over IPv6.
        (0x21, _) => Ok(None),
        _ => Err(malformed()),
    }
}

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Source, destination, and their ports.
fn v4(rest: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = rest.split_first_chunk::<4>()?;
    let (_, rest) = rest.split_first_chunk::<4>()?;
    let port = rest.first_chunk::<2>()?;
    let ip = IpAddr::from(Ipv4Addr::from(*source));
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

fn v6(rest: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = rest.split_first_chunk::<16>()?;
    let (_, rest) = rest.split_first_chunk::<16>()?;
    let port = rest.first_chunk::<2>()?;
    let ip = IpAddr::from(Ipv6Addr::from(*source)).to_canonical();
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`, to the end of the line.
async fn line(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut line = Vec::with_capacity(LINE_BYTES_MAX);
    // Byte by byte: what follows is the client's.
    while !line.ends_with(b"\r\n") {
        if line.len() + TEXT.len() >= LINE_BYTES_MAX {
            return Err(malformed());
        }
        line.push(stream.read_u8().await?);
    }
    client_of(&line).ok_or_else(malformed)
}

/// The client that the rest of a line names: none for `UNKNOWN`; nothing where it is no such line.
fn client_of(line: &[u8]) -> Option<Option<SocketAddr>> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = text.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (source, _to): (IpAddr, IpAddr) =
        (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (port, _to_port): (u16, u16) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let fits = match family {
        "TCP4" => source.is_ipv4(),
        "TCP6" => source.is_ipv6(),
        _ => false,
    };
    (fits && words.next().is_none()).then(|| Some(SocketAddr::new(source.to_canonical(), port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a header says, and what is left behind it.
    fn read_all(bytes: &[u8]) -> (Result<Option<SocketAddr>, io::ErrorKind>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut rest = bytes;
        let read = runtime.block_on(read(&mut rest));
        (read.map_err(|error| error.kind()), rest.len())
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest, b"GET "].concat()
    }

    #[test]
    fn clients_are_named() {
        let client = Ok(Some("192.0.2.1:56324".parse().unwrap()));
        let text = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET ";
        assert_eq!(read_all(text), (client, 4));
        let rest = [
            192, 0, 2, 1, 192, 0, 2, 2, 0xDC, 0x04, 1, 0xBB, 3, 0, 4, 1, 2, 3, 4,
        ];
        assert_eq!(read_all(&v2(0x21, 0x11, &rest)), (client, 4));
        let client = Ok(Some("[2001:db8::1]:80".parse().unwrap()));
        let text = b"PROXY TCP6 2001:db8::1 2001:db8::2 80 443\r\nGET ";
        assert_eq!(read_all(text), (client, 4));
        let mut rest = [0; 36];
        rest[..4].copy_from_slice(&[0x20, 0x01, 0x0D, 0xB8]);
        (rest[15], rest[33]) = (1, 80);
        assert_eq!(read_all(&v2(0x21, 0x21, &rest)), (client, 4));
    }

    #[test]
    fn some_headers_name_nobody() {
        for bytes in [
            b"PROXY UNKNOWN\r\nGET ".to_vec(),
            b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\nGET ".to_vec(),
            v2(0x20, 0, b""),
            v2(0x20, 0x11, &[0; 12]),
            v2(0x21, 0x31, &[0; 216]),
        ] {
            assert_eq!(read_all(&bytes), (Ok(None), 4));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for bytes in [
            b"GET http://a/ HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 66000\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(),
            long.into_bytes(),
            v2(0x31, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 9]),
            v2(0x21, 0x11, &[0; 5000]),
        ] {
            let (read, _) = read_all(&bytes);
            assert_eq!(read, Err(io::ErrorKind::InvalidData), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for prefix in [&b""[..], SIGNATURE, TEXT] {
                let (read, left) = read_all(&[prefix, &bytes].concat());
                prop_assert!(read.is_err() || left <= bytes.len());
            }
        }
    }
}
