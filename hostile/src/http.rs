//! HTTP clients: well-behaved ones, and ones that do not read.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::{Counts, Script};

/// A client of one request. It reads the answer as fast as it comes, or not at all.
#[derive(Clone, Debug)]
pub struct HttpClient {
    request: Option<Bytes>,
    is_reading: bool,
    counts: Option<Arc<Counts>>,
}

impl HttpClient {
    /// Requests `path` from `host`.
    #[must_use]
    pub fn get(host: &str, path: &str) -> Self {
        Self::says(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    /// Sends any bytes, which need not be HTTP.
    #[must_use]
    pub fn says(text: impl Into<Bytes>) -> Self {
        Self {
            request: Some(text.into()),
            is_reading: true,
            counts: None,
        }
    }

    /// Reads nothing of the answer.
    #[must_use]
    pub const fn never_reads(mut self) -> Self {
        self.is_reading = false;
        self
    }

    /// Counts the bytes of the answer, head included, as payload.
    #[must_use]
    pub fn counting(mut self, counts: &Arc<Counts>) -> Self {
        self.counts = Some(Arc::clone(counts));
        self
    }
}

impl Script for HttpClient {
    fn handle_bytes(&mut self, _now: Instant, bytes: &[u8]) {
        if let Some(counts) = &self.counts {
            counts.add_payload(bytes.len() as u64);
        }
    }

    fn poll_send(&mut self, _now: Instant) -> Option<Bytes> {
        self.request.take()
    }

    fn is_reading(&self) -> bool {
        self.is_reading
    }
}
