//! Bodies of requests: how long they may be, and how many of the long ones are in memory at once.

use std::time::Duration;

use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::text;

/// A body that is longer waits for its turn, in bytes: most are far shorter.
const SMALL: usize = 64 * 1_024;
/// Longer bodies that are read at once: each is in memory, and so is what is decoded of it.
const LARGE_AT_ONCE: usize = 4;
/// How long a client may take for a body.
const WITHIN: Duration = Duration::from_secs(60);

/// The turns of long bodies.
#[derive(Debug)]
pub(super) struct Bodies(Semaphore);

/// A body that was read. A long one has its turn until this is dropped: keep it until the request is answered.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    pub(crate) bytes: Bytes,
    _turn: Option<SemaphorePermit<'a>>,
}

impl Bodies {
    pub(super) const fn new() -> Self {
        Self(Semaphore::const_new(LARGE_AT_ONCE))
    }

    /// Reads a body of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// The answer to one who sends more, or not in time.
    pub(super) async fn read<B>(
        &self,
        headers: &HeaderMap,
        body: B,
        limit: usize,
    ) -> Result<Read<'_>, Response>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let length = headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let too_long = || {
            let reason = format!("the body is longer than {limit} bytes");
            text(StatusCode::PAYLOAD_TOO_LARGE, &reason)
        };
        if length.is_some_and(|length| length > limit) {
            return Err(too_long());
        }
        let turn = match length.is_some_and(|length| length <= SMALL) || limit <= SMALL {
            true => None,
            // It is never closed.
            false => self.0.acquire().await.ok(),
        };
        let reading = Limited::new(body, limit).collect();
        match tokio::time::timeout(WITHIN, reading).await {
            Ok(Ok(collected)) => Ok(Read {
                bytes: collected.to_bytes(),
                _turn: turn,
            }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
            Ok(Err(error)) => {
                let reason = format!("the body: {error}");
                Err(text(StatusCode::BAD_REQUEST, &reason))
            }
            Err(_) => {
                let reason = "the body did not come in time";
                Err(text(StatusCode::REQUEST_TIMEOUT, reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn a_body_has_a_limit_whether_it_says_its_length_or_not() {
        let bodies = Bodies::new();
        let body = || Full::new(Bytes::from_static(b"12345"));
        let mut headers = HeaderMap::new();
        let read = bodies.read(&headers, body(), 5).await.unwrap();
        assert_eq!(&read.bytes[..], b"12345");
        let refused = bodies.read(&headers, body(), 4).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("6"));
        let refused = bodies.read(&headers, body(), 5).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn so_many_long_bodies_are_in_memory_at_once() {
        let bodies = Bodies::new();
        let limit = SMALL + 1;
        let headers = HeaderMap::new();
        let body = || Full::new(Bytes::from_static(b"x"));
        let mut kept = Vec::new();
        for _ in 0..LARGE_AT_ONCE {
            kept.push(bodies.read(&headers, body(), limit).await.unwrap());
        }
        let next = bodies.read(&headers, body(), limit);
        tokio::pin!(next);
        let waits = std::future::poll_fn(|context| {
            std::task::Poll::Ready(next.as_mut().poll(context).is_pending())
        });
        assert!(waits.await, "one more was read");
        kept.pop();
        assert!(next.await.is_ok());
    }
}
