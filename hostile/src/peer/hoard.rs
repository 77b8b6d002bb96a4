//! A peer that requests a block of each piece and reads none.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_wire::{BlockRequest, Message};

use super::{Behaviour, Out};
use crate::Content;

/// The pause between two rounds of requests: pieces that are missing in one may be there in the next.
const PAUSE: Duration = Duration::from_millis(250);

/// Shows interest, reads until it is unchoked, then requests the first block of each piece again and again and reads no
/// more: every block that the victim reads for it stays in the victim's memory.
#[derive(Clone, Debug)]
pub struct Hoard {
    round: Bytes,
    is_begun: bool,
    next: Option<Instant>,
}

impl Hoard {
    /// A hoarder of this torrent; hoarders with different numbers request pieces in different orders.
    #[must_use]
    pub fn of(content: &Content, number: u64) -> Self {
        let geometry = content.geometry();
        let mut firsts: Vec<_> = geometry
            .pieces()
            .filter_map(|piece| geometry.nth_block(piece, 0))
            .collect();
        fastrand::Rng::with_seed(number).shuffle(&mut firsts);
        let mut round = BytesMut::new();
        for block in firsts {
            Message::Request(BlockRequest::from(block)).encode(&mut round);
        }
        Self {
            round: round.freeze(),
            is_begun: false,
            next: None,
        }
    }
}

impl Behaviour for Hoard {
    fn handle_message(&mut self, now: Instant, message: &Message, _out: &mut Out) {
        if *message == Message::Unchoke {
            self.next.get_or_insert(now);
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out) {
        if !std::mem::replace(&mut self.is_begun, true) {
            out.say(&Message::Interested);
        }
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + PAUSE);
            out.say_raw(self.round.clone());
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn is_reading(&self) -> bool {
        self.next.is_none()
    }
}
