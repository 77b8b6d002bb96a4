//! A script with the part of its output that has not been sent yet.

use std::fmt;
use std::time::Instant;

use bytes::{Buf, Bytes};

use crate::Script;

/// Carries a script's bytes to a transport that may take fewer than it is given, such as a simulated network.
///
/// ```
/// use std::time::Instant;
/// use tailwater_hostile::{HttpClient, Pump};
///
/// let mut pump = Pump::new(HttpClient::get("127.0.0.1:80", "/"));
/// let mut wire = Vec::new();
/// // A transport that takes three bytes at a time, and twelve in all.
/// pump.pump(Instant::now(), |bytes| {
///     let taken = bytes.len().min(3).min(12 - wire.len());
///     wire.extend_from_slice(&bytes[..taken]);
///     taken
/// });
/// assert_eq!(wire, b"GET / HTTP/1");
/// ```
pub struct Pump {
    script: Box<dyn Script>,
    unsent: Bytes,
}

impl Pump {
    /// A script of which nothing has been sent.
    #[must_use]
    pub fn new(script: impl Script + 'static) -> Self {
        Self {
            script: Box::new(script),
            unsent: Bytes::new(),
        }
    }

    /// Sends until the script has nothing to send, or `send`, which returns how many bytes it took, takes none. Returns
    /// how many bytes were sent.
    pub fn pump(&mut self, now: Instant, mut send: impl FnMut(&[u8]) -> usize) -> usize {
        let mut total = 0;
        loop {
            if self.unsent.is_empty() {
                match self.script.poll_send(now) {
                    Some(bytes) => self.unsent = bytes,
                    None => return total,
                }
                continue;
            }
            let taken = send(&self.unsent).min(self.unsent.len());
            if taken == 0 {
                return total;
            }
            self.unsent.advance(taken);
            total += taken;
        }
    }

    /// Bytes came from the other side. They are lost on a script that does not read.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.script.is_reading() {
            self.script.handle_bytes(now, bytes);
        }
    }

    /// When to pump again, if nothing comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.script.poll_timeout()
    }

    /// Whether the script reads received bytes.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.script.is_reading()
    }

    /// Whether the script hangs up now.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.unsent.is_empty() && self.script.is_over()
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("unsent", &self.unsent.len())
            .finish_non_exhaustive()
    }
}
