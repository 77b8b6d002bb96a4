//! Floods: one kind of message, or two that undo each other, without end.

use bytes::{Bytes, BytesMut};
use tailwater_metainfo::Bitfield;
use tailwater_wire::{BlockRequest, HashRequest, Message};

use super::{Peer, Repeat, extensions};
use crate::Content;

/// The least that a flood sends at once, in bytes: the fewer calls, the closer to the line's speed.
const PORTION: usize = 256 * 1024;
/// How many blocks a flood of requests names before it starts again.
const REQUESTS: usize = 2_048;
/// The length of old clients' requests, in bytes.
const BIG_REQUEST: u32 = 128 * 1024;
/// The port on which the flooding peer claims to listen.
const LISTEN_PORT: u16 = 6_999;

/// A flood. Each of its messages is legal on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flood {
    /// `have all`, which BEP 6 wants once.
    HaveAll,
    /// `have none`, which BEP 6 wants once.
    HaveNone,
    /// Both in turn.
    HaveAllAndNone,
    /// A whole bitfield, which BEP 3 wants once.
    Bitfield,
    /// `interested` and `not interested` in turn.
    Interest,
    /// `choke` and `unchoke` in turn.
    Choke,
    /// `upload_only` on and off in turn (BEP 21).
    UploadOnly,
    /// Frames without a message.
    KeepAlive,
    /// Requests of a peer that is not interested, so that it stays choked.
    RequestsChoked,
    /// Requests of an interested peer, beyond any queue.
    Requests,
    /// Requests of 128 KiB.
    BigRequests,
    /// Cancels of what was never asked for.
    Cancels,
    /// Requests for hashes (BEP 52).
    HashRequests,
    /// Requests for metadata blocks (BEP 9).
    MetadataRequests,
    /// Extension handshakes (BEP 10).
    ExtensionHandshakes,
    /// Peer exchange (BEP 11).
    Pex,
    /// `have` and `lt_donthave` of the same piece in turn (BEP 54).
    HaveAndDontHave,
    /// Requests for introductions (BEP 55).
    Holepunch,
    /// `allowed fast` of each piece in turn (BEP 6).
    AllowedFast,
    /// `suggest piece` of each piece in turn (BEP 6).
    Suggest,
    /// Ports of a DHT node (BEP 5).
    Port,
    /// Rejects of what was never asked for (BEP 6).
    Rejects,
    /// `have` of each piece in turn.
    Have,
    /// Messages of unknown types.
    Unknown,
}

impl Flood {
    /// Every flood.
    pub const ALL: [Self; 24] = [
        Self::HaveAll,
        Self::HaveNone,
        Self::HaveAllAndNone,
        Self::Bitfield,
        Self::Interest,
        Self::Choke,
        Self::UploadOnly,
        Self::KeepAlive,
        Self::RequestsChoked,
        Self::Requests,
        Self::BigRequests,
        Self::Cancels,
        Self::HashRequests,
        Self::MetadataRequests,
        Self::ExtensionHandshakes,
        Self::Pex,
        Self::HaveAndDontHave,
        Self::Holepunch,
        Self::AllowedFast,
        Self::Suggest,
        Self::Port,
        Self::Rejects,
        Self::Have,
        Self::Unknown,
    ];

    /// Its name, for the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HaveAll => "have-all",
            Self::HaveNone => "have-none",
            Self::HaveAllAndNone => "have-all-and-none",
            Self::Bitfield => "bitfield",
            Self::Interest => "interest",
            Self::Choke => "choke",
            Self::UploadOnly => "upload-only",
            Self::KeepAlive => "keep-alive",
            Self::RequestsChoked => "requests-choked",
            Self::Requests => "requests",
            Self::BigRequests => "big-requests",
            Self::Cancels => "cancels",
            Self::HashRequests => "hash-requests",
            Self::MetadataRequests => "metadata-requests",
            Self::ExtensionHandshakes => "extension-handshakes",
            Self::Pex => "pex",
            Self::HaveAndDontHave => "have-and-dont-have",
            Self::Holepunch => "holepunch",
            Self::AllowedFast => "allowed-fast",
            Self::Suggest => "suggest",
            Self::Port => "port",
            Self::Rejects => "rejects",
            Self::Have => "have",
            Self::Unknown => "unknown",
        }
    }

    /// The messages after the handshake, before the flood begins.
    #[must_use]
    pub fn opening(self) -> Vec<Message> {
        let have = match self {
            // The flood's own first message announces the pieces.
            Self::HaveAll | Self::HaveNone | Self::HaveAllAndNone | Self::Bitfield => None,
            // A peer that has pieces keeps the other side busy for longer.
            Self::Choke | Self::Rejects => Some(Message::HaveAll),
            _ => Some(Message::HaveNone),
        };
        let mut opening: Vec<_> = have.into_iter().collect();
        opening.push(extensions::hello_message(LISTEN_PORT));
        if matches!(self, Self::Requests | Self::BigRequests | Self::Cancels) {
            opening.push(Message::Interested);
        }
        opening
    }

    /// The messages that it repeats.
    #[must_use]
    pub fn cycle(self, content: &Content) -> Vec<Message> {
        let geometry = content.geometry();
        let pieces = 0..geometry.piece_count();
        match self {
            Self::HaveAll => vec![Message::HaveAll],
            Self::HaveNone => vec![Message::HaveNone],
            Self::HaveAllAndNone => vec![Message::HaveAll, Message::HaveNone],
            Self::Bitfield => {
                let mut bits = Bitfield::all(geometry);
                if let Ok(first) = geometry.piece(0) {
                    bits.clear(first);
                }
                vec![Message::Bitfield(Bytes::copy_from_slice(bits.as_bytes()))]
            }
            Self::Interest => vec![Message::Interested, Message::NotInterested],
            Self::Choke => vec![Message::Unchoke, Message::Choke],
            Self::UploadOnly => [true, false].map(extensions::upload_only).into(),
            Self::KeepAlive => vec![Message::KeepAlive],
            Self::RequestsChoked | Self::Requests => {
                blocks(content).map(Message::Request).collect()
            }
            Self::BigRequests => big_requests(content).collect(),
            Self::Cancels => blocks(content).map(Message::Cancel).collect(),
            Self::HashRequests => vec![Message::HashRequest(Box::new(hash_request()))],
            Self::MetadataRequests => (0..16).map(extensions::metadata_request).collect(),
            Self::ExtensionHandshakes => (1..100).map(extensions::hello_message).collect(),
            Self::Pex => vec![extensions::pex()],
            Self::HaveAndDontHave => pieces
                .flat_map(|piece| [Message::Have(piece), extensions::dont_have(piece)])
                .collect(),
            Self::Holepunch => (0..100).map(extensions::holepunch).collect(),
            Self::AllowedFast => pieces.map(Message::AllowedFast).collect(),
            Self::Suggest => pieces.map(Message::SuggestPiece).collect(),
            Self::Port => (1..100).map(Message::Port).collect(),
            Self::Rejects => blocks(content).map(Message::RejectRequest).collect(),
            Self::Have => pieces.map(Message::Have).collect(),
            // Cannot be encoded as a `Message`: see `Self::portion`.
            Self::Unknown => Vec::new(),
        }
    }

    /// The bytes of enough cycles for one efficient send.
    #[must_use]
    pub fn portion(self, content: &Content) -> Bytes {
        let mut cycle = BytesMut::new();
        for message in self.cycle(content) {
            message.encode(&mut cycle);
        }
        if self == Self::Unknown {
            cycle.extend_from_slice(&[0, 0, 0, 2, 99, 0]);
        }
        let times = PORTION.div_ceil(cycle.len().max(1));
        cycle.repeat(times).into()
    }

    /// A peer that sends this flood and nothing else.
    #[must_use]
    pub fn peer(self, content: &Content, number: u64) -> Peer {
        self.peer_saying(content, number, self.portion(content))
    }

    /// The same with a prepared portion, which many peers may share.
    #[must_use]
    pub fn peer_saying(self, content: &Content, number: u64, portion: Bytes) -> Peer {
        let opening = self.opening();
        let peer = Peer::new(content, number);
        let peer = opening.iter().fold(peer, Peer::says);
        peer.does(Repeat::bytes(portion))
    }
}

/// The first blocks of the torrent, from its beginning again if there are fewer.
fn blocks(content: &Content) -> impl Iterator<Item = BlockRequest> + use<> {
    let blocks: Vec<_> = content.blocks().take(REQUESTS).collect();
    blocks.into_iter().cycle().take(REQUESTS)
}

/// The longest requests that the pieces allow.
fn big_requests(content: &Content) -> impl Iterator<Item = Message> + use<> {
    let geometry = content.geometry().clone();
    geometry.pieces().map(move |piece| {
        Message::Request(BlockRequest {
            index: piece.get(),
            begin: 0,
            length: geometry.piece_len(piece).min(BIG_REQUEST),
        })
    })
}

fn hash_request() -> HashRequest {
    HashRequest {
        pieces_root: [7; 32],
        base_layer: 0,
        index: 0,
        length: 512,
        proof_layers: 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Script;
    use std::collections::BTreeSet;
    use tailwater_wire::limits::HANDSHAKE_LEN;
    use tailwater_wire::{Decoder, Limits};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the beginning of time")]
    fn every_flood_is_legal_message_by_message_and_has_no_end() {
        let now = std::time::Instant::now();
        let content = Content::new(1, "file", 4_000_000, 262_144);
        let names: BTreeSet<_> = Flood::ALL.iter().map(|flood| flood.name()).collect();
        assert_eq!(names.len(), Flood::ALL.len());
        for flood in Flood::ALL {
            let mut peer = Peer::flooding(&content, 1, flood);
            let mut said = BytesMut::new();
            while said.len() < 2 * PORTION {
                said.extend_from_slice(&peer.poll_send(now).unwrap());
            }
            let _ = said.split_to(HANDSHAKE_LEN);
            let limits = Limits::default()
                .with_piece_count(content.geometry().piece_count())
                .unwrap();
            let mut decoder = Decoder::new(limits);
            let mut messages = 0;
            while decoder.decode(&mut said).unwrap().is_some() {
                messages += 1;
            }
            assert!(messages > 100, "{}: {messages}", flood.name());
        }
    }
}
