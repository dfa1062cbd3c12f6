//! A company's proxy behind the gateway.

use std::io::{Read, Write, copy};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::support::SCHEMES;
use super::support::config::Config;
use super::support::gateway::Gateway;
use super::support::raw::read_head;

/// A proxy that sends everything to the upstreams of the test, and what it was asked for.
struct Corporate {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Corporate {
    /// `speak` answers a client and says where its bytes go.
    fn start(speak: fn(&mut TcpStream) -> Option<(String, u16)>, upstream: Upstreams) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (log, upstream) = (Arc::clone(&log), upstream.clone());
                thread::spawn(move || {
                    let Some((what, port)) = speak(&mut stream) else {
                        return;
                    };
                    log.lock().expect("nobody panics").push(what);
                    let to = upstream.lock().expect("nobody panics")[usize::from(port == 443)];
                    splice(
                        stream,
                        TcpStream::connect(to).expect("the upstream listens"),
                    );
                });
            }
        });
        Self { address, asked }
    }
}

type Upstreams = Arc<Mutex<[SocketAddr; 2]>>;

fn splice(one: TcpStream, other: TcpStream) {
    let (mut a, mut b) = (
        one.try_clone().expect("a handle"),
        other.try_clone().expect("a handle"),
    );
    thread::spawn(move || copy(&mut a, &mut b));
    let (mut a, mut b) = (other, one);
    let _ = copy(&mut a, &mut b);
}

/// CONNECT with a password.
fn http(stream: &mut TcpStream) -> Option<(String, u16)> {
    let head = read_head(stream);
    let target = head.split(' ').nth(1)?.to_owned();
    let port = target.rsplit(':').next()?.parse().ok()?;
    if !head.contains("\r\nProxy-Authorization: Basic dXM6cHc=\r\n") {
        let _ = stream.write_all(b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n");
        return None;
    }
    stream
        .write_all(b"HTTP/1.1 200 Fine\r\nVia: corp\r\n\r\n")
        .ok()?;
    Some((target, port))
}

/// SOCKS5 with a password and a name.
fn socks(stream: &mut TcpStream) -> Option<(String, u16)> {
    let mut read = |count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).ok().map(|()| bytes)
    };
    let methods = usize::from(read(2)?[1]);
    assert!(read(methods)?.contains(&2));
    stream.write_all(&[5, 2]).ok()?;
    let mut read = |count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).ok().map(|()| bytes)
    };
    assert_eq!(read(7)?, b"\x01\x02us\x02pw");
    stream.write_all(&[1, 0]).ok()?;
    let mut read = |count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).ok().map(|()| bytes)
    };
    assert_eq!(read(4)?, [5, 1, 0, 3]);
    let length = usize::from(read(1)?[0]);
    let name = String::from_utf8(read(length)?).ok()?;
    let port = read(2)?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    Some((format!("{name}:{port}"), port))
}

/// A gateway behind which there is a proxy.
fn chained(kind: &str, user: &str) -> (Gateway, Corporate) {
    let nowhere: SocketAddr = "127.0.0.1:9".parse().expect("an address");
    let upstreams: Upstreams = Arc::new(Mutex::new([nowhere; 2]));
    let speak = if kind == "http" { http } else { socks };
    let corporate = Corporate::start(speak, Arc::clone(&upstreams));
    let address = format!("\"{kind}://{user}{}\"", corporate.address);
    let gateway = Gateway::start(&Config::seed().with("forward_proxy.upstream_proxy", &address));
    *upstreams.lock().expect("nobody panics") = [gateway.upstream.plain, gateway.upstream.tls];
    (gateway, corporate)
}

#[test]
fn requests_go_through_the_proxy_behind() {
    for kind in ["http", "socks5h"] {
        let (gateway, corporate) = chained(kind, "us:pw@");
        for scheme in SCHEMES {
            let reply = gateway.get("researcher", &format!("{scheme}://api.arxiv.org/x"));
            reply.assert_passed();
            assert_eq!(reply.json()["path"], "/x");
        }
        let asked = corporate.asked.lock().expect("nobody panics").clone();
        assert_eq!(asked, ["api.arxiv.org:80", "api.arxiv.org:443"]);
        for received in gateway.upstream.received() {
            assert!(received.values("proxy-authorization").is_empty());
        }
        gateway
            .get("researcher", "https://evil.com/")
            .assert_refused(403, "proxy_blocked_domain");
        gateway
            .get("coordinator", "http://169.254.169.254/")
            .assert_refused(403, "proxy_ssrf_blocked");
        assert_eq!(corporate.asked.lock().expect("nobody panics").len(), 2);
    }
}

#[test]
fn a_proxy_behind_that_refuses_is_a_failure_that_says_so() {
    let (gateway, _corporate) = chained("http", "us:wrong@");
    let reply = gateway.get("researcher", "https://api.arxiv.org/x");
    reply.assert_refused(502, "proxy_upstream_refused");
    gateway.stop();
    let talk = gateway.home.talk();
    assert!(
        talk.contains("forward_proxy.upstream_proxy wants other credentials"),
        "{talk}"
    );
    assert!(!talk.contains("wrong"), "{talk}");
    let wrong = Config::seed().with("forward_proxy.upstream_proxy", "\"htp://us:hunter2@proxy\"");
    gateway.home.write_config(&wrong);
    let checked = gateway.home.oktsec(&["config", "check"]);
    let said = format!("{checked:?}");
    assert!(
        said.contains("E010") || said.contains("a proxy is http://"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn the_password_of_a_proxy_is_never_shown() {
    let (gateway, _corporate) = chained("http", "us:wrong@");
    let shown = gateway.home.oktsec(&["config", "show"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("http://<set>@127.0.0.1"), "{shown}");
    assert!(!shown.contains("wrong"), "{shown}");
}
