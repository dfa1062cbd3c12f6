//! The follower and hyper together: what hyper delivers was never declared twice.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::{Client, Input, run};
use crate::connection::{answered, h1_builder};
use crate::framing::Framed;

/// Carried by a request that declares its length twice.
const TWICE: &str = "x-twice";

/// What a connection carries.
struct Written {
    text: Vec<u8>,
    /// How many requests have to be delivered, where nothing was written that may break them.
    expected: Option<usize>,
    /// Behind it nothing has to be delivered any more.
    is_over: bool,
}

/// Requests in order and anything between them: hyper delivers those in order, and none whose length
/// is declared twice.
pub fn requests(bytes: &[u8]) {
    let mut input = Input(bytes);
    let pieces = input.pieces();
    // Nothing else in the input can be the same.
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let mark = format!("{:016x}", hasher.finish());
    let mut written = Written {
        text: Vec::new(),
        expected: Some(0),
        is_over: false,
    };
    while !input.0.is_empty() && written.text.len() < 65_536 {
        written.next(&mut input, &mark);
    }
    let delivered = delivered(&written.text, pieces);
    let text = || String::from_utf8_lossy(&written.text);
    for (_, twice) in &delivered {
        assert!(twice.as_deref() != Some(mark.as_bytes()), "{:?}", text());
    }
    if let Some(expected) = written.expected {
        let paths: Vec<&str> = delivered.iter().map(|(path, _)| path.as_str()).collect();
        let all: Vec<String> = (0..expected).map(|number| format!("/{number}")).collect();
        assert_eq!(paths, all, "{:?}", text());
    }
}

// === impl Written ===

impl Written {
    fn next(&mut self, input: &mut Input<'_>, mark: &str) {
        let kind = input.byte() % 8;
        if kind == 7 {
            self.expected = None;
            return self.text.extend_from_slice(input.short());
        }
        let style = input.byte();
        let end = if style & 1 == 0 { "\r\n" } else { "\n" };
        let zeros = "0".repeat(usize::from(style & 2) * usize::from(input.byte()));
        let body = input.short();
        let length = format!("content-length: {zeros}{}{end}", body.len());
        let coding = format!("Transfer-Encoding: chunked{end}");
        let number = self.expected.unwrap_or_default();
        let (method, fields, is_good) = match kind {
            0 => ("GET", String::new(), true),
            1 => ("POST", length, true),
            2 => ("POST", coding, true),
            3 => ("POST", format!("{length}{length}"), false),
            4 if style & 4 == 0 => ("POST", format!("{length}{coding}"), false),
            4 => ("POST", format!("{coding}{length}"), false),
            5 => ("GET", format!("Upgrade: h2c{end}"), true),
            _ => ("CONNECT", String::new(), true),
        };
        let target = if method == "CONNECT" {
            "a:1"
        } else {
            "http://a/"
        };
        let path = if method == "CONNECT" {
            String::new()
        } else {
            number.to_string()
        };
        self.text.extend_from_slice(
            format!("{method} {target}{path} HTTP/1.1{end}Host: a{end}{fields}").as_bytes(),
        );
        if !is_good {
            self.text
                .extend_from_slice(format!("{TWICE}: {mark}{end}").as_bytes());
        }
        self.text.extend_from_slice(end.as_bytes());
        // What is long may be refused: nobody writes so many zeros.
        self.expected = self.expected.filter(|_| zeros.len() <= 200);
        self.is_over |= !is_good;
        if !self.is_over && method != "CONNECT" {
            self.expected = self.expected.map(|expected| expected + 1);
        }
        self.is_over |= kind >= 5;
        match kind {
            1 | 3 => self.text.extend_from_slice(body),
            2 | 4 => self.chunks(body, &zeros, input.short()),
            _ => {}
        }
    }

    fn chunks(&mut self, body: &[u8], zeros: &str, trailers: &[u8]) {
        for chunk in body.chunks(100) {
            self.text
                .extend_from_slice(format!("{zeros}{:x};a=b\r\n", chunk.len()).as_bytes());
            self.text.extend_from_slice(chunk);
            self.text.extend_from_slice(b"\r\n");
        }
        self.text.extend_from_slice(b"0\r\n");
        if !trailers.is_empty() {
            self.expected = None;
            self.text.extend_from_slice(trailers);
        }
        self.text.extend_from_slice(b"\r\n");
    }
}

/// The path of each request that is delivered, and its mark.
fn delivered(text: &[u8], pieces: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    // hyper asks for a stream that could outlive this.
    let seen = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        if request.method() != Method::CONNECT {
            let mark = request.headers().get(TWICE);
            let mark = mark.map(|mark| mark.as_bytes().to_vec());
            seen.borrow_mut()
                .push((request.uri().path().to_owned(), mark));
        }
        answered(request, |request| async {
            let is_connect = request.method() == Method::CONNECT;
            // How it breaks is hyper's.
            let _ = request.into_body().collect().await;
            let mut response = Response::new(Empty::<Bytes>::new());
            if is_connect {
                *response.status_mut() = StatusCode::FORBIDDEN;
            }
            response
        })
    });
    let io = TokioIo::new(Framed::new(Client::new(text, pieces)));
    // How the connection ends is hyper's.
    let _ = run(h1_builder().serve_connection(io, service));
    seen.into_inner()
}
