//! The handling of each message by a connection.

use std::time::Instant;

use bytes::Bytes;
use tailwater_metainfo::{Bitfield, BlockRef, Geometry, PieceIndex};
use tailwater_wire::{BlockRequest, Message};

use super::downloads::{Answer, Refused};
use super::uploads::{MAX_REFUSALS, Ruling};
use super::{Connection, Fact, MAX_REQUEST_LEN, REQUEST_QUEUE, Violation};

/// A request for fewer bytes than this counts against the peer's message budget: it costs us more than its bytes say.
/// Honest requests are this short at most at the end of a piece.
const SHORT_REQUEST: u32 = 4 * 1024;

/// The cost of a message in its sender's [budget](super::budget).
pub(super) enum Charge {
    /// It answers a request of ours, or its answer costs bandwidth.
    Nothing,
    /// The cost follows from the message's length.
    Message,
    /// As much as a message of this many bytes.
    Bytes(usize),
}

impl Connection {
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        message: Message,
    ) -> Result<Charge, Violation> {
        match message {
            Message::Piece { index, begin, data } => return self.handle_piece(index, begin, data),
            Message::Request(wanted) => return self.handle_request(wanted),
            Message::HaveAll
            | Message::HaveNone
            | Message::SuggestPiece(_)
            | Message::RejectRequest(_)
            | Message::AllowedFast(_) => return self.handle_fast(&message),
            Message::Have(index) => {
                let piece = self.piece("have", index)?;
                self.facts.push(Fact::Have(piece));
            }
            Message::Choke => {
                self.flags.set_choking(true);
                if !self.config.fast {
                    let forgotten = self.downloads.handle_choke();
                    self.facts.extend(forgotten.into_iter().map(Fact::Returned));
                }
            }
            Message::Unchoke => self.flags.set_choking(false),
            Message::Interested => self.flags.set_interested(true),
            Message::NotInterested => self.flags.set_interested(false),
            Message::Bitfield(bytes) => {
                let bits = Bitfield::from_bytes(&self.config.geometry, &bytes)?;
                self.handle_bitfield(bits);
            }
            Message::Cancel(taken_back) => {
                let block = self.block("cancel", taken_back)?;
                // BEP 6: each request is answered by exactly one piece or reject.
                if self.uploads.handle_cancel(block) {
                    self.reject(block);
                }
            }
            Message::Extended { id, payload } => self.handle_extended(now, id, &payload)?,
            Message::Port(port) => {
                self.their_dht_port = self
                    .config
                    .dht_port
                    .and(Some(port))
                    .filter(|&port| port != 0);
            }
            Message::HashRequest(wanted) => return Ok(self.serve_hashes(now, *wanted)),
            Message::Hashes(answer) => return self.handle_hashes(&answer),
            Message::HashReject(refused) => return Ok(self.handle_hash_reject(*refused)),
            // What is unknown is skipped (BEP 4).
            Message::KeepAlive | Message::Unknown { .. } => {}
        }
        Ok(Charge::Message)
    }

    /// The messages of BEP 6.
    fn handle_fast(&mut self, message: &Message) -> Result<Charge, Violation> {
        let name = match message {
            Message::HaveAll => "have all",
            Message::HaveNone => "have none",
            Message::RejectRequest(_) => "reject request",
            Message::AllowedFast(_) => "allowed fast",
            _ => "suggest piece",
        };
        if !self.config.fast {
            return Err(Violation::FastNotAgreed(name));
        }
        match *message {
            Message::HaveAll => return Ok(self.handle_all_or_none(Bitfield::all)),
            Message::HaveNone => return Ok(self.handle_all_or_none(Bitfield::none)),
            Message::RejectRequest(rejected) => {
                let block = self.block(name, rejected)?;
                match self.downloads.handle_reject(block) {
                    Refused::Standing => {
                        self.facts.push(Fact::Rejected(block));
                        return Ok(Charge::Nothing);
                    }
                    Refused::AskAgain => self.send(&Message::Request(block.into())),
                    Refused::Nothing => {}
                }
            }
            Message::AllowedFast(index) => {
                // Some clients compute the set with a wrong piece count: what is out of range is of no use, not bad.
                if let Ok(piece) = self.config.geometry.piece(index) {
                    self.facts.push(Fact::AllowedFast(piece));
                }
            }
            // A suggestion (BEP 6) that we do not take.
            _ => {}
        }
        Ok(Charge::Message)
    }

    /// Handles `have all` and `have none`. BEP 6 has them come once, in the place of a bitfield, but aria2 sends them
    /// again when it has everything. Five bytes stand for a whole bitfield and cost as much.
    fn handle_all_or_none(&mut self, bits: impl Fn(&Geometry) -> Bitfield) -> Charge {
        let bits = bits(&self.config.geometry);
        let bytes = bits.as_bytes().len();
        self.handle_bitfield(bits);
        Charge::Bytes(bytes)
    }

    /// Handles a bitfield. The last of a turn counts: it replaces what the peer said of its pieces before.
    fn handle_bitfield(&mut self, bits: Bitfield) {
        let is_replaced =
            |fact: &Fact| matches!(fact, Fact::Bitfield(_) | Fact::Have(_) | Fact::DontHave(_));
        self.facts.retain(|fact| !is_replaced(fact));
        self.facts.push(Fact::Bitfield(bits));
    }

    fn handle_piece(&mut self, index: u32, begin: u32, data: Bytes) -> Result<Charge, Violation> {
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let block = self
            .config
            .geometry
            .block(index, begin, len)
            .map_err(|error| Violation::OutOfRange {
                message: "piece",
                error,
            })?;
        match self.downloads.handle_block(block) {
            // What was taken back may be of use all the same: a reader that jumped there and back, or a piece that is kept
            // half done. If it is not wanted, the storage turns it away.
            Answer::Expected | Answer::Recalled => {
                self.facts.push(Fact::Block(block));
                self.blocks.push((block, data));
                Ok(Charge::Nothing)
            }
            Answer::Unasked => Err(Violation::UnrequestedBlock { piece: index }),
        }
    }

    fn handle_request(&mut self, wanted: BlockRequest) -> Result<Charge, Violation> {
        if wanted.length > MAX_REQUEST_LEN {
            return Err(Violation::RequestTooLong(wanted.length));
        }
        let block = self.block("request", wanted)?;
        match self.uploads.handle_request(block) {
            Ruling::Queued if block.len() >= SHORT_REQUEST => return Ok(Charge::Nothing),
            Ruling::Queued => {}
            Ruling::Refused => self.reject(block),
            Ruling::TooManyRefused => {
                return Err(Violation::RequestsWhileChoked(MAX_REFUSALS));
            }
            Ruling::Flood if self.config.fast => self.reject(block),
            Ruling::Flood => return Err(Violation::RequestFlood(REQUEST_QUEUE)),
        }
        Ok(Charge::Message)
    }

    pub(super) fn piece(&self, message: &'static str, index: u32) -> Result<PieceIndex, Violation> {
        self.config
            .geometry
            .piece(index)
            .map_err(|error| Violation::OutOfRange { message, error })
    }

    fn block(&self, message: &'static str, range: BlockRequest) -> Result<BlockRef, Violation> {
        self.config
            .geometry
            .block(range.index, range.begin, range.length)
            .map_err(|error| Violation::OutOfRange { message, error })
    }
}
