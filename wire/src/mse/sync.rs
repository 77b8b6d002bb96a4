//! The search for the end of a padding whose length is not sent.

use bytes::{Buf, BytesMut};

use super::MseError;
use super::limits::MAX_PADDING_LEN;

/// The bytes that end the padding, and how much padding has passed.
pub(super) struct Marker<const N: usize> {
    bytes: [u8; N],
    skipped: usize,
}

impl<const N: usize> Marker<N> {
    pub(super) const fn new(bytes: [u8; N]) -> Self {
        Self { bytes, skipped: 0 }
    }

    /// Takes padding off the front of `buf`, and the marker with it once it is there: then `true`.
    pub(super) fn take(&mut self, buf: &mut BytesMut) -> Result<bool, MseError> {
        let reach = MAX_PADDING_LEN - self.skipped + N;
        let window = &buf[..buf.len().min(reach)];
        if let Some(at) = window.windows(N).position(|part| part == self.bytes) {
            buf.advance(at + N);
            return Ok(true);
        }
        if window.len() == reach {
            return Err(MseError::NoSync);
        }
        // The marker may have begun in the last bytes.
        let passed = window.len().saturating_sub(N - 1);
        self.skipped += passed;
        buf.advance(passed);
        Ok(false)
    }
}
