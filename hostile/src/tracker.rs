//! An HTTP tracker with a scripted answer.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::Script;

/// A head longer than this is no announce; it is not kept.
const MAX_HEAD: usize = 16 * 1024;

/// Answers each announce with the same peers.
#[derive(Clone, Debug)]
pub struct Tracker {
    answer: Bytes,
    delay: Duration,
    head: Vec<u8>,
    answer_at: Option<Instant>,
    is_over: bool,
}

impl Tracker {
    /// Names these IPv4 addresses, in this order; others are left out.
    #[must_use]
    pub fn naming(peers: &[SocketAddr]) -> Self {
        let mut compact = Vec::with_capacity(6 * peers.len());
        for peer in peers {
            if let IpAddr::V4(ip) = peer.ip() {
                compact.extend_from_slice(&ip.octets());
                compact.extend_from_slice(&peer.port().to_be_bytes());
            }
        }
        let mut body = format!("d8:intervali1800e5:peers{}:", compact.len()).into_bytes();
        body.extend_from_slice(&compact);
        body.push(b'e');
        Self::answering(&body)
    }

    /// Answers with any body.
    #[must_use]
    pub fn answering(body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Self {
            answer: [head.as_bytes(), body].concat().into(),
            delay: Duration::ZERO,
            head: Vec::new(),
            answer_at: None,
            is_over: false,
        }
    }

    /// Answers this long after the request.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

impl Script for Tracker {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.head.len() < MAX_HEAD {
            self.head.extend_from_slice(bytes);
        }
        if self.head.windows(4).any(|end| end == b"\r\n\r\n") {
            self.answer_at.get_or_insert(now + self.delay);
        }
    }

    fn poll_send(&mut self, now: Instant) -> Option<Bytes> {
        if self.is_over || self.answer_at.is_none_or(|at| at > now) {
            return None;
        }
        self.is_over = true;
        Some(self.answer.clone())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.answer_at.filter(|_| !self.is_over)
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}
