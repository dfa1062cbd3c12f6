//! The message that goes upstream, as the connection wants it.

use http::header::{CONTENT_LENGTH, HOST, TE};
use http::{HeaderValue, Request, Uri, Version};
use hyper::body::Body;
use oktsec_model::RequestHead;

use super::SendError;
use crate::body::RequestBody;
use crate::headers::is_grpc;

/// The request, but for what depends on the connection that it is sent on.
pub(super) fn build(head: &RequestHead, body: RequestBody, framed: bool) -> Request<RequestBody> {
    let length = body.size_hint().exact();
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    let headers = request.headers_mut();
    headers.reserve(head.headers.len() + 2);
    headers.extend(head.headers.clone());
    headers.remove(CONTENT_LENGTH);
    if let Some(length) = length
        && (framed || length > 0)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    request
}

/// Makes a request one of HTTP/1.1, or of HTTP/2 (RFC 9113, section 8.3.1).
pub(super) fn dress(
    request: &mut Request<RequestBody>,
    head: &RequestHead,
    is_h2: bool,
) -> Result<(), SendError> {
    let malformed = || SendError::refused(None);
    let authority = head.target.host_field();
    let target = if is_h2 && head.path_and_query != "*" {
        format!(
            "{}://{authority}{}",
            head.target.scheme.as_str(),
            head.path_and_query
        )
    } else {
        head.path_and_query.clone()
    };
    *request.uri_mut() = target.parse::<Uri>().map_err(|_| malformed())?;
    let headers = request.headers_mut();
    if is_h2 {
        headers.remove(HOST);
        // gRPC says by it that it can take trailers, and some servers insist.
        if is_grpc(&head.headers) {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        *request.version_mut() = Version::HTTP_2;
    } else {
        let host = HeaderValue::from_str(&authority).map_err(|_| malformed())?;
        headers.insert(HOST, host);
        headers.remove(TE);
        *request.version_mut() = Version::HTTP_11;
    }
    Ok(())
}

/// The same request once more, where its body is still there.
pub(super) fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let mut copy = Request::new(request.body().copy()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
