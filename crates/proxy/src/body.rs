//! Bodies: a request's is held until it is judged; a response's flows and is counted.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use oktsec_inspect::{Inspection, Progress};
use oktsec_model::Reason;
use tokio::time::{Instant, Sleep};

use crate::account::OpenExchange;
use crate::flow::Released;
use crate::load::Held;
use crate::pool::Checkin;

/// The body of every response that leaves us.
pub(crate) struct ResponseBody(Inner);

enum Inner {
    Full(Full<Bytes>),
    Relayed(Box<Relayed>),
}

/// The body of a request on its way to the upstream.
pub(crate) enum RequestBody {
    /// Held and judged.
    Held(Full<Bytes>, Arc<Held>),
    /// Not to be scanned: it flows as it comes, and is counted.
    Streamed(Incoming, Arc<AtomicU64>),
    /// Judged as it flows.
    Flowing(Released),
}

/// Why a request's body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The client broke off.
    #[error("the client broke off")]
    Client(#[source] hyper::Error),
    /// The rest may not leave, or did not come.
    #[error("the rest of the body does not leave")]
    Stopped,
}

/// A body that flows from the upstream to the agent. When it ends, so does the exchange.
pub(crate) struct Relayed {
    incoming: Answer,
    bytes: u64,
    idle: Pin<Box<Sleep>>,
    idle_max: Duration,
    /// Taken when the body has ended, either way.
    rest: Option<(OpenExchange, Option<Checkin>)>,
}

/// The body of a response on its way to the agent.
pub(crate) enum Answer {
    /// As it comes.
    Incoming(Incoming),
    /// Judged as it flows.
    Flowing(Released),
}

/// Why a response could not be relayed to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// The upstream broke off.
    #[error("the upstream broke off")]
    Upstream(#[source] hyper::Error),
    /// The upstream was silent for too long.
    #[error("the upstream was silent for too long")]
    Idle,
    /// The rest may not reach the agent, or did not come.
    #[error("the rest of the answer is not relayed")]
    Stopped,
}

/// Why a request body could not be held.
pub(crate) enum HoldError {
    /// The client left.
    Gone,
    /// What the client sent is no body.
    Malformed,
    /// The client was too slow.
    Timeout,
}

/// How fast a client sends what is waited for.
pub(crate) struct Pace {
    began: Instant,
    bytes: u64,
}

/// A client that has sent nothing for so long, and has not said how much will come, may wait for an
/// answer to what it has sent.
pub(crate) const HOLD_PAUSE: Duration = Duration::from_millis(500);
/// The same of a client that sends messages, which are whole in themselves (gRPC).
pub(crate) const MESSAGE_PAUSE: Duration = Duration::from_millis(5);

/// How far a body could be held.
pub(crate) enum Holding {
    /// All of it.
    All,
    /// There is more than is held; this chunk comes next.
    TooMuch(Bytes),
    /// The client has paused.
    Paused,
}

/// Feeds the whole body to the inspection. Trailers are dropped: nothing that was not judged
/// leaves.
pub(crate) async fn hold(
    body: &mut Incoming,
    inspection: &mut Inspection,
    pause: Option<Duration>,
    time_max: Duration,
) -> Result<Holding, HoldError> {
    if let Some(length) = body.size_hint().exact() {
        inspection.reserve(usize::try_from(length).unwrap_or(usize::MAX));
    }
    let feeding = async {
        let mut pace = Pace::begin();
        loop {
            let until = pause.map_or_else(|| pace.deadline(), |pause| Instant::now() + pause);
            let frame = match tokio::time::timeout_at(until, body.frame()).await {
                Err(_) if pause.is_some() => return Ok(Holding::Paused),
                Err(_) => return Err(HoldError::Timeout),
                Ok(None) => return Ok(Holding::All),
                Ok(Some(frame)) => frame.map_err(|error| hold_error(&error))?,
            };
            if let Ok(chunk) = frame.into_data() {
                pace.add(chunk.len());
                if inspection.push(&chunk) == Progress::TooLarge {
                    return Ok(Holding::TooMuch(chunk));
                }
            }
        }
    };
    tokio::time::timeout(time_max, feeding)
        .await
        .unwrap_or(Err(HoldError::Timeout))
}

/// Reads on for a moment and forgets: many clients look at an answer only once they have sent their
/// body, and a connection closed under them takes the answer with it.
pub(crate) async fn drain(mut body: Incoming) {
    const BYTES_MAX: usize = 32 * 1024 * 1024;
    const TIME_MAX: Duration = Duration::from_secs(10);
    let draining = async {
        let mut drained = 0;
        while drained < BYTES_MAX
            && let Some(Ok(frame)) = body.frame().await
        {
            drained += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // What is left after that is cut off.
    let _ = tokio::time::timeout(TIME_MAX, draining).await;
}

/// A body that breaks the framing is malformed; one that just ends has lost its client.
pub(crate) fn hold_error(error: &hyper::Error) -> HoldError {
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    let malformed = cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        )
    });
    if malformed || error.is_parse() {
        HoldError::Malformed
    } else {
        HoldError::Gone
    }
}

// === impl Pace ===

impl Pace {
    /// Nothing is asked of a client for so long.
    const GRACE: Duration = Duration::from_secs(10);
    /// After that so many bytes a second, on the whole: less serves to keep us waiting.
    const RATE_MIN: u64 = 1024;

    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            bytes: 0,
        }
    }

    pub(crate) const fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// When more must have come.
    pub(crate) fn deadline(&self) -> Instant {
        self.began + Self::GRACE + Duration::from_secs(self.bytes / Self::RATE_MIN)
    }
}

// === impl HoldError ===

impl HoldError {
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Gone => Reason::ClientGone,
            Self::Malformed => Reason::BadRequest,
            Self::Timeout => Reason::ClientTimeout,
        }
    }
}

// === impl RequestBody ===

impl RequestBody {
    /// A judged body.
    pub(crate) fn held(bytes: Vec<u8>, held: Held) -> Self {
        Self::Held(Full::new(Bytes::from(bytes)), Arc::new(held))
    }

    /// The bytes that have gone, of a body that moves.
    pub(crate) fn moved(&self) -> Option<Arc<AtomicU64>> {
        match self {
            Self::Held(..) => None,
            Self::Streamed(_, bytes) => Some(Arc::clone(bytes)),
            Self::Flowing(released) => Some(released.bytes()),
        }
    }

    /// The same body once more, unless it has flowed away.
    pub(crate) fn copy(&self) -> Option<Self> {
        match self {
            Self::Held(full, held) => Some(Self::Held(full.clone(), Arc::clone(held))),
            Self::Streamed(..) | Self::Flowing(_) => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Held(full, _) => match Pin::new(full).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Self::Streamed(incoming, bytes) => {
                let polled = Pin::new(incoming).poll_frame(cx);
                if let Poll::Ready(Some(Ok(frame))) = &polled
                    && let Some(data) = frame.data_ref()
                {
                    bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                }
                polled.map_err(BodyError::Client)
            }
            Self::Flowing(released) => released.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held(full, _) => full.is_end_stream(),
            Self::Streamed(incoming, _) => incoming.is_end_stream(),
            Self::Flowing(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held(full, _) => full.size_hint(),
            Self::Streamed(incoming, _) => incoming.size_hint(),
            Self::Flowing(released) => released
                .length()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

// === impl ResponseBody ===

impl ResponseBody {
    /// A body of our own.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Full(Full::new(bytes.into())))
    }

    /// An upstream's body; `exchange` ends with it, and the connection goes back to the pool.
    pub(crate) fn relayed(
        incoming: Answer,
        exchange: OpenExchange,
        checkin: Option<Checkin>,
        idle_max: Duration,
    ) -> Self {
        let mut relayed = Relayed {
            incoming,
            bytes: 0,
            idle: Box::pin(tokio::time::sleep(idle_max)),
            idle_max,
            rest: Some((exchange, checkin)),
        };
        relayed.end_if_over();
        Self(Inner::Relayed(Box::new(relayed)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = RelayError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RelayError>>> {
        match &mut self.get_mut().0 {
            Inner::Full(full) => match Pin::new(full).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            Inner::Relayed(relayed) => relayed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(full) => full.is_end_stream(),
            Inner::Relayed(relayed) => relayed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(full) => full.size_hint(),
            Inner::Relayed(relayed) => relayed.incoming.size_hint(),
        }
    }
}

// === impl Answer ===

impl Answer {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RelayError>>> {
        match self {
            Self::Incoming(incoming) => {
                let polled = Pin::new(incoming).poll_frame(cx);
                polled.map_err(RelayError::Upstream)
            }
            Self::Flowing(released) => released.poll(cx).map_err(|_| RelayError::Stopped),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Flowing(released) => released.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(incoming) => incoming.size_hint(),
            Self::Flowing(released) => released
                .length()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

// === impl Relayed ===

impl Relayed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RelayError>>> {
        match self.incoming.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.bytes += data.len() as u64;
                }
                let deadline = Instant::now() + self.idle_max;
                self.idle.as_mut().reset(deadline);
                self.end_if_over();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(Reason::UpstreamRefused);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.end(Reason::Allowed);
                Poll::Ready(None)
            }
            Poll::Pending if self.idle.as_mut().poll(cx).is_ready() => {
                self.end(Reason::UpstreamTimeout);
                Poll::Ready(Some(Err(RelayError::Idle)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// hyper asks no further once a body says that it is over.
    fn end_if_over(&mut self) {
        if self.incoming.is_end_stream() {
            self.end(Reason::Allowed);
        }
    }

    fn end(&mut self, reason: Reason) {
        if let Some((exchange, checkin)) = self.rest.take() {
            exchange.response_ended(reason, self.bytes);
            if let Some(checkin) = checkin
                && reason == Reason::Allowed
            {
                checkin.give_back();
            }
        }
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        self.end(Reason::ClientGone);
    }
}
