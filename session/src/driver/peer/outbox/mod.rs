//! The outbox: what waits to be written to a connection's stream.
//!
//! Messages overtake blocks: a request that waits behind half a second's worth of upload is a download half a second
//! late, and behind an upload that is held back it would wait as long as the upload does.
//!
//! Only what the stream has not accepted can be overtaken. So all figures here are of bytes *accepted* by the stream, not
//! of bytes sent: a stream that enciphers, and the system's socket, hold some that have not left this machine.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tailwater_metainfo::BlockRef;

use tailwater_storage::BlockParts;

/// The least payload that is kept ready: a socket that takes more must not find us reading from the disk.
const MIN_WAITING: usize = 64 * 1024;
/// The most payload that is kept ready; it is memory that is lent to this connection meanwhile.
const MAX_WAITING: usize = 1024 * 1024;
/// Payload that the peer takes in this time is kept ready.
const WAITING_FOR: Duration = Duration::from_secs(1);
/// The time over which the rate is measured.
const MEASURED_OVER: Duration = Duration::from_millis(250);

/// The messages and blocks that wait to be sent, in the order in which they go out.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// These go first, but not into the middle of a block.
    messages: VecDeque<Bytes>,
    ordered: VecDeque<Ordered>,
    /// Bytes of the first block have gone out.
    is_begun: bool,
    payload: usize,
    /// Bytes of messages, without blocks and their headers.
    messages_len: usize,
    /// No more blocks are taken until the socket has taken some: those that waited were given back.
    is_yielding: bool,
    pace: Pace,
}

/// An entry that only `messages` may overtake.
#[derive(Debug)]
enum Ordered {
    Block {
        header: Bytes,
        /// The parts of the block that the storage has in one place each; those that are out are gone.
        data: BlockParts,
        block: BlockRef,
    },
    Message(Bytes),
}

/// The bytes and blocks that the stream has accepted at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Blocks whose last byte was accepted.
    pub(crate) blocks: Vec<BlockRef>,
    /// Bytes of blocks, without the headers.
    pub(crate) payload: usize,
}

impl Outbox {
    /// Queues messages. They overtake blocks that wait, unless they have to come behind those.
    pub(crate) fn push_messages(&mut self, bytes: Bytes, follow_blocks: bool) {
        self.messages_len += bytes.len();
        let is_message = |ordered: &Ordered| matches!(ordered, Ordered::Message(_));
        // One message never overtakes another.
        match follow_blocks || self.ordered.iter().any(is_message) {
            true => self.ordered.push_back(Ordered::Message(bytes)),
            false => self.messages.push_back(bytes),
        }
    }

    /// Queues a block behind all that waits.
    pub(crate) fn push_block(&mut self, header: Bytes, data: BlockParts, block: BlockRef) {
        self.payload += bytes_of(&data);
        self.ordered.push_back(Ordered::Block {
            header,
            data,
            block,
        });
    }

    /// How many bytes of messages wait, blocks apart.
    pub(crate) const fn messages_len(&self) -> usize {
        self.messages_len
    }

    /// How many bytes of blocks should be added, so that the socket finds enough of them and no more wait than it takes
    /// soon. Many at once or none: each time costs a trip to the storage.
    pub(crate) fn wanted(&self) -> usize {
        let target = self.pace.target();
        match self.payload < target / 2 && !self.is_yielding {
            true => target - self.payload,
            false => 0,
        }
    }

    /// Gives back the blocks that wait, the first to be sent first, because the memory that they are in is needed. The very
    /// first stays, as it may have been begun, but in a copy. No more are wanted until some of it has gone out: the socket
    /// may have stopped for good.
    pub(crate) fn yield_blocks(&mut self) -> Vec<BlockRef> {
        let mut given_back = Vec::new();
        let mut is_first = true;
        self.ordered.retain_mut(|ordered| match ordered {
            Ordered::Message(_) => true,
            Ordered::Block { data, .. } if std::mem::take(&mut is_first) => {
                for part in data {
                    *part = Bytes::copy_from_slice(part);
                }
                true
            }
            Ordered::Block { data, block, .. } => {
                self.payload -= bytes_of(data);
                given_back.push(*block);
                false
            }
        });
        self.is_yielding = !is_first;
        given_back
    }

    /// Whether anything may go out when `payload` bytes of blocks may.
    pub(crate) fn can_send(&self, payload: usize) -> bool {
        self.pieces(payload).next().is_some()
    }

    /// Fills in the first bytes to send, with at most `payload` bytes of blocks among them; says how many slices there are.
    pub(crate) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>], payload: usize) -> usize {
        let pairs = slices.iter_mut().zip(self.pieces(payload));
        pairs
            .map(|(slice, piece)| *slice = IoSlice::new(piece))
            .count()
    }

    /// The stream has accepted this many bytes of those that [`Self::fill`] offered.
    pub(crate) fn advance(&mut self, now: Instant, mut accepted: usize) -> Sent {
        let mut sent = Sent::default();
        if self.is_begun {
            accepted = self.advance_ordered(accepted, &mut sent);
        }
        while accepted > 0 {
            accepted = match self.messages.front_mut() {
                Some(_) if self.is_begun => self.advance_ordered(accepted, &mut sent),
                Some(message) => {
                    let rest = advance(message, accepted);
                    self.messages_len -= accepted - rest;
                    if message.is_empty() {
                        self.messages.pop_front();
                    }
                    rest
                }
                None if self.ordered.is_empty() => 0,
                None => self.advance_ordered(accepted, &mut sent),
            };
        }
        self.payload -= sent.payload;
        self.is_yielding &= sent.payload == 0;
        self.pace.record(now, sent.payload, self.payload == 0);
        sent
    }

    /// Takes `accepted` bytes off the first that is ordered; returns what is left of `accepted`.
    fn advance_ordered(&mut self, accepted: usize, sent: &mut Sent) -> usize {
        let Some(first) = self.ordered.front_mut() else {
            return accepted;
        };
        let (rest, is_out) = match first {
            Ordered::Message(bytes) => {
                let rest = advance(bytes, accepted);
                self.messages_len -= accepted - rest;
                (rest, bytes.is_empty())
            }
            Ordered::Block {
                header,
                data,
                block,
            } => {
                let before = advance(header, accepted);
                let rest = advance_parts(data, before);
                sent.payload += before - rest;
                if data.is_empty() {
                    sent.blocks.push(*block);
                }
                (rest, data.is_empty())
            }
        };
        self.is_begun = !is_out;
        if is_out {
            self.ordered.pop_front();
        }
        rest
    }

    /// The bytes to send, in order, until `payload` bytes of blocks are among them.
    fn pieces(&self, payload: usize) -> impl Iterator<Item = &[u8]> {
        let begun = usize::from(self.is_begun);
        let first = self.ordered.iter().take(begun).flat_map(Ordered::parts);
        let messages = self.messages.iter().map(|bytes| (&bytes[..], false));
        let rest = self.ordered.iter().skip(begun).flat_map(Ordered::parts);
        let parts = first.chain(messages).chain(rest);
        let parts = parts.filter(|(bytes, _)| !bytes.is_empty());
        let mut left = payload;
        let mut is_cut = false;
        parts.map_while(move |(bytes, is_block)| match is_block {
            // Nothing gets between a part of a block and its rest.
            _ if is_cut => None,
            false => Some(bytes),
            true if left == 0 => None,
            true => {
                let part = &bytes[..bytes.len().min(left)];
                left -= part.len();
                is_cut = part.len() < bytes.len();
                Some(part)
            }
        })
    }
}

impl Ordered {
    /// Its bytes, and whether they count as a block's.
    fn parts(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let (first, data) = match self {
            Self::Message(bytes) => ((&bytes[..], false), None),
            // A header alone is of no use: it waits until its block may go.
            Self::Block { header, data, .. } => ((&header[..], true), Some(data)),
        };
        let data = data.into_iter().flatten();
        std::iter::once(first).chain(data.map(|part| (&part[..], true)))
    }
}

/// Takes off as many as there are; returns what is left of `accepted`.
fn advance(bytes: &mut Bytes, accepted: usize) -> usize {
    let taken = bytes.len().min(accepted);
    bytes.advance(taken);
    accepted - taken
}

/// The same for the parts of a block; those that are out are dropped.
fn advance_parts(parts: &mut BlockParts, mut accepted: usize) -> usize {
    while let Some(part) = parts.front_mut() {
        accepted = advance(part, accepted);
        if !part.is_empty() {
            break;
        }
        parts.pop_front();
    }
    accepted
}

fn bytes_of(parts: &BlockParts) -> usize {
    parts.iter().map(Bytes::len).sum()
}

/// The rate at which blocks go out, which decides how many are kept ready.
#[derive(Debug)]
struct Pace {
    since: Option<Instant>,
    bytes: usize,
    /// `None` until it has been measured.
    bytes_per_second: Option<u64>,
    /// Payload that is kept ready until then: twice as much each time the socket has taken all that waited.
    untested: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            since: None,
            bytes: 0,
            bytes_per_second: None,
            untested: MIN_WAITING,
        }
    }
}

impl Pace {
    /// So many bytes have gone out, and with them perhaps all that waited.
    fn record(&mut self, now: Instant, bytes: usize, is_drained: bool) {
        if bytes > 0 && is_drained {
            self.untested = (self.untested * 2).min(MAX_WAITING);
        }
        self.bytes += bytes;
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed < MEASURED_OVER {
            return;
        }
        let bytes = u64::try_from(self.bytes).unwrap_or(u64::MAX);
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        self.bytes_per_second = Some(bytes.saturating_mul(1_000) / millis.max(1));
        self.since = Some(now);
        self.bytes = 0;
    }

    fn target(&self) -> usize {
        let millis = u64::try_from(WAITING_FOR.as_millis()).unwrap_or(u64::MAX);
        let bytes = self
            .bytes_per_second
            .map(|rate| rate.saturating_mul(millis) / 1_000);
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        bytes.map_or(self.untested, |bytes| bytes.clamp(MIN_WAITING, MAX_WAITING))
    }
}
