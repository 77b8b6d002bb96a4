//! Scripts that connect, or accept, and send nothing.

use std::time::Instant;

use bytes::Bytes;

use crate::Script;

/// Sends nothing at all: neither a handshake nor a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Script for Silent {
    fn handle_bytes(&mut self, _now: Instant, _bytes: &[u8]) {}

    fn poll_send(&mut self, _now: Instant) -> Option<Bytes> {
        None
    }
}

/// Hangs up at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct HangUp;

impl Script for HangUp {
    fn handle_bytes(&mut self, _now: Instant, _bytes: &[u8]) {}

    fn poll_send(&mut self, _now: Instant) -> Option<Bytes> {
        None
    }

    fn is_over(&self) -> bool {
        true
    }
}
