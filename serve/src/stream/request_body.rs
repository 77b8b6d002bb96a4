//! Bodies of requests. What a handler leaves of one is read before the answer is sent: a client may send the head and the body
//! apart, and the next request on the same connection, which would be lost if the connection ended with the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::timeout;

/// The most bytes that are read of what a handler has left. A connection with more ends with the answer, which says so.
const MOST_LEFT: u64 = 1 << 20;

/// The body of a request, for its handler.
pub(crate) struct RequestBody(Arc<Mutex<Incoming>>);

/// What its handler has left of a body.
pub(super) struct Left(RequestBody);

impl RequestBody {
    pub(super) fn of(body: Incoming) -> (Self, Left) {
        let body = Arc::new(Mutex::new(body));
        (Self(Arc::clone(&body)), Left(Self(body)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut *self.0.lock()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}

impl Left {
    /// Reads and drops it; whether it ended within the limits. When the handler has returned, nobody else reads it.
    pub(super) async fn read_off(mut self, within: Duration) -> bool {
        if self.0.is_end_stream() {
            return true;
        }
        if self.0.size_hint().lower() > MOST_LEFT {
            return false;
        }
        let reading = async {
            let mut read = 0_u64;
            while let Some(frame) = self.0.frame().await {
                let Ok(frame) = frame else { return false };
                let len = frame.data_ref().map_or(0, Bytes::len);
                read = read.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                if read > MOST_LEFT {
                    return false;
                }
            }
            true
        };
        timeout(within, reading).await.unwrap_or(false)
    }
}
