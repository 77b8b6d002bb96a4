//! A fingerprint of everything that a run has reported.

use std::net::{IpAddr, SocketAddr};

use crate::agenda::Nanos;
use crate::event::{ConnId, Event};

/// A 64-bit running hash of events and their times. It distinguishes runs; it is not cryptographic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn event(&mut self, at: Nanos, event: &Event) {
        self.word(at);
        self.word(u64::from(event.host().0));
        match event {
            Event::Connected { conn, .. } => self.conn(1, *conn),
            Event::Refused { conn, .. } => self.conn(2, *conn),
            Event::Accepted { conn, from, .. } => {
                self.conn(3, *conn);
                self.addr(*from);
            }
            Event::Data { conn, bytes, .. } => {
                self.conn(4, *conn);
                self.bytes(bytes);
            }
            Event::Writable { conn, .. } => self.conn(5, *conn),
            Event::Closed { conn, .. } => self.conn(6, *conn),
            Event::Datagram { from, bytes, .. } => {
                self.word(7);
                self.addr(*from);
                self.bytes(bytes);
            }
            Event::Timer { token, .. } => {
                self.word(8);
                self.word(*token);
            }
        }
    }

    fn conn(&mut self, kind: u64, conn: ConnId) {
        self.word(kind);
        self.word(u64::from(conn.slot) << 32 | u64::from(conn.generation));
    }

    fn addr(&mut self, addr: SocketAddr) {
        match addr.ip() {
            IpAddr::V4(ip) => self.bytes(&ip.octets()),
            IpAddr::V6(ip) => self.bytes(&ip.octets()),
        }
        self.word(u64::from(addr.port()));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
        // Without the length, trailing zeros would not change the hash.
        self.word(bytes.len() as u64);
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.0 ^= self.0 >> 32;
    }
}
