//! Reads the big-endian fields of a packet.

use crate::error::TrackerError;

/// What is left of a packet. Every read says which field it is for, so that a packet that ends
/// too early is reported by that name.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(packet: &'a [u8]) -> Self {
        Self { rest: packet }
    }

    pub(super) fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], TrackerError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(TrackerError::malformed(format!(
                "UDP packet ends before its {field}"
            )));
        };
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u16(&mut self, field: &str) -> Result<u16, TrackerError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, field: &str) -> Result<u32, TrackerError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, field: &str) -> Result<u64, TrackerError> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(super) const fn rest(self) -> &'a [u8] {
        self.rest
    }
}
