//! The strict checks of heads, and the targets that requests name.

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, InvalidHeaderName, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, Method, Request, Version, request};
use oktsec_model::{Scheme, Target};

use super::Input;
use crate::strict::{
    HEAD_BYTES_MAX, TARGET_BYTES_MAX, absolute_target, check_message, inner_target, is_websocket,
};

/// A head that passes has one meaning: one length, one host, a target that reads as it is written.
pub fn heads(bytes: &[u8]) {
    let Some(parts) = parts(bytes) else {
        return;
    };
    if check_message(&parts).is_ok() {
        assert_strict(&parts);
    }
    let schemes = [Scheme::Http, Scheme::Https];
    for (target, path) in [absolute_target(&parts).ok()]
        .into_iter()
        .chain(schemes.map(|scheme| inner_target(&parts, scheme).ok()))
        .flatten()
    {
        assert_target(&target);
        assert_path(&path);
        assert!(
            parts
                .uri
                .path_and_query()
                .is_none_or(|written| path.ends_with(written.as_str()))
        );
        let authority = parts.uri.authority();
        let authority =
            authority.map(|text| Target::parse_host_field(text.as_str(), target.scheme));
        assert!(authority.is_none_or(|authority| authority.as_ref() == Ok(&target)));
    }
    for scheme in schemes {
        if let (Ok((target, _)), Some(host)) =
            (inner_target(&parts, scheme), parts.headers.get(HOST))
        {
            let host = host.to_str().ok();
            let host = host.and_then(|host| Target::parse_host_field(host, scheme).ok());
            assert_eq!(host, Some(target), "inside a tunnel both mean the same");
        }
    }
}

/// The first line is a request line, the others are fields.
fn parts(bytes: &[u8]) -> Option<request::Parts> {
    let mut input = Input(bytes);
    let version = match input.byte() % 3 {
        0 => Version::HTTP_10,
        1 => Version::HTTP_11,
        _ => Version::HTTP_2,
    };
    let scheme = ["", "http://", "https://"][usize::from(input.byte() % 3)];
    // What no fuzzer would write.
    let filler = usize::from(input.byte()) * 128;
    let mut lines = input.0.split(|&byte| byte == b'\n');
    let mut line = lines.next()?.splitn(2, |&byte| byte == b' ');
    let (method, target) = (line.next()?, line.next()?);
    let target = [scheme.as_bytes(), target, &vec![b'a'; filler]].concat();
    let request = Request::builder()
        .method(method)
        .uri(target.as_slice())
        .version(version);
    let (mut parts, ()) = request.body(()).ok()?.into_parts();
    for line in lines.take(100) {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = line.split_at(colon);
        let value = [value[1..].trim_ascii(), &vec![b'a'; filler]].concat();
        let (Ok(name), Ok(value)) = (field(name), HeaderValue::from_bytes(&value)) else {
            continue;
        };
        parts.headers.append(name, value);
    }
    Some(parts)
}

/// The names that matter can be written with one letter.
fn field(name: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    Ok(match name {
        b"c" => CONTENT_TYPE,
        b"h" => HOST,
        b"k" => SEC_WEBSOCKET_KEY,
        b"l" => CONTENT_LENGTH,
        b"n" => CONNECTION,
        b"t" => TRANSFER_ENCODING,
        b"u" => UPGRADE,
        b"v" => SEC_WEBSOCKET_VERSION,
        other => return HeaderName::from_bytes(other),
    })
}

fn assert_strict(parts: &request::Parts) {
    let headers = &parts.headers;
    let count = |name: &HeaderName| headers.get_all(name).iter().count();
    assert!(count(&HOST) <= 1 && count(&CONTENT_TYPE) <= 1);
    assert!(count(&CONTENT_LENGTH) + count(&TRANSFER_ENCODING) <= 1);
    if let Some(coding) = headers.get(TRANSFER_ENCODING) {
        assert!(parts.version >= Version::HTTP_11);
        assert_eq!(coding.as_bytes().to_ascii_lowercase(), b"chunked");
    }
    for name in headers.keys() {
        let name = name.as_str().replace('_', "-");
        let is_alias = !headers.contains_key(&name);
        assert!(!is_alias || (name != "content-length" && name != "transfer-encoding"));
    }
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    assert!(bytes.sum::<usize>() <= HEAD_BYTES_MAX);
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    assert!(path.len() <= TARGET_BYTES_MAX);
    let method = parts.method.as_str();
    assert!(parts.method != Method::TRACE && method.len() <= 17);
    assert!(
        method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    );
    let upgrades = headers.contains_key(UPGRADE) && parts.version != Version::HTTP_2;
    assert_eq!(upgrades, is_websocket(parts));
}

/// What a target is written as means the same target.
pub(super) fn assert_target(target: &Target) {
    let text = target.to_string();
    let again = Target::parse_absolute_form(&text);
    assert_eq!(again.as_ref(), Ok(&(target.clone(), "")), "{text}");
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
}

fn assert_path(path: &str) {
    assert!(path.starts_with('/') || path == "*");
    assert!(
        !path
            .bytes()
            .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || byte == b'#')
    );
}
