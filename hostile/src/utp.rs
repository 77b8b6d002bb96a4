//! Hostile datagrams for a port where uTP (BEP 29) is spoken. Packets are made by hand: most of them are wrong.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use fastrand::Rng;
use tailwater_metainfo::PeerId;
use tailwater_wire::{BlockRequest, Handshake, Message, Reserved};

use crate::{Content, DatagramScript};

/// The types of packets.
const DATA: u8 = 0;
const STATE: u8 = 2;
const RESET: u8 = 3;
const SYN: u8 = 4;
/// Bytes of a header.
const HEADER_LEN: usize = 20;
/// The window that an attacker names unless it names none.
const WINDOW: u32 = 1 << 20;
/// A connection that is not answered, or was reset, is begun again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// How often a connection that is held tells where it stands, and repeats what was not acknowledged.
const EVERY: Duration = Duration::from_millis(200);
/// The longest random datagram.
const RANDOM_LEN: usize = 1_400;
/// Bytes of a selective acknowledgement: the most that its length can say, in words of four.
const HUGE_ACK: u8 = 252;
/// Blocks that a connection asks for.
const REQUESTS: u32 = 64;
/// It asks once it has told so many times that it is interested: it should be unchoked by then.
const ASKS_AFTER: u32 = 5;

/// One kind of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramAttack {
    /// Beginnings of connections, each another.
    Syns,
    /// Random bytes of any length.
    Random,
    /// Packets of connections that there are not.
    WrongIds,
    /// Chains of extensions that end behind the packet, or never.
    Extensions,
    /// A connection that asks for blocks and acknowledges none.
    NeverAcknowledges,
    /// A connection that asks for blocks, acknowledges, and has no room for ever.
    ZeroWindow,
    /// A connection that acknowledges all that could have been sent, in any order, without end.
    HugeAcks,
}

impl DatagramAttack {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Syns,
        Self::Random,
        Self::WrongIds,
        Self::Extensions,
        Self::NeverAcknowledges,
        Self::ZeroWindow,
        Self::HugeAcks,
    ];

    /// A short name, for tables and flags.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syns => "syns",
            Self::Random => "random",
            Self::WrongIds => "wrong-ids",
            Self::Extensions => "extensions",
            Self::NeverAcknowledges => "never-acks",
            Self::ZeroWindow => "zero-window",
            Self::HugeAcks => "huge-acks",
        }
    }

    /// What one port sends. Each number is another port's.
    #[must_use]
    pub fn script(self, content: &Content, number: u64) -> Box<dyn DatagramScript> {
        let rng = Rng::with_seed(number);
        match self {
            Self::Syns | Self::Random | Self::WrongIds | Self::Extensions => {
                Box::new(Noise { kind: self, rng })
            }
            Self::NeverAcknowledges | Self::ZeroWindow | Self::HugeAcks => {
                Box::new(Held::new(self, rng, content, number))
            }
        }
    }
}

/// The fields of a header that an attack chooses.
struct Fields {
    kind: u8,
    extension: u8,
    id: u16,
    window: u32,
    seq: u16,
    ack: u16,
}

impl Fields {
    fn packet(&self) -> BytesMut {
        let mut packet = BytesMut::with_capacity(HEADER_LEN);
        packet.put_u8(self.kind << 4 | 1);
        packet.put_u8(self.extension);
        packet.put_u16(self.id);
        packet.put_u32(0);
        packet.put_u32(0);
        packet.put_u32(self.window);
        packet.put_u16(self.seq);
        packet.put_u16(self.ack);
        packet
    }
}

/// Datagrams that belong to nothing, without end.
struct Noise {
    kind: DatagramAttack,
    rng: Rng,
}

impl Noise {
    fn header(&mut self, kind: u8, extension: u8) -> BytesMut {
        let fields = Fields {
            kind,
            extension,
            id: self.rng.u16(..),
            window: WINDOW,
            seq: self.rng.u16(..),
            ack: self.rng.u16(..),
        };
        fields.packet()
    }

    fn random(&mut self, len: usize) -> BytesMut {
        let mut bytes = BytesMut::zeroed(len);
        self.rng.fill(&mut bytes);
        bytes
    }

    /// A chain whose last link claims more than there is, or one of more links than are read.
    fn chain(&mut self) -> BytesMut {
        let kind = self.rng.u8(0..=4);
        let mut packet = self.header(kind, 1);
        if self.rng.bool() {
            packet.put_slice(&[self.rng.u8(..), 255, 0, 0]);
        }
        for _ in 0..self.rng.usize(..600) {
            // The next link, and nothing in this one.
            packet.put_slice(&[2, 0]);
        }
        packet
    }
}

impl DatagramScript for Noise {
    fn handle_datagram(&mut self, _now: Instant, datagram: &[u8]) -> bool {
        datagram.first().is_some_and(|first| first >> 4 == STATE)
    }

    fn poll_send(&mut self, _now: Instant) -> Option<Bytes> {
        let datagram = match self.kind {
            DatagramAttack::Syns => self.header(SYN, 0),
            DatagramAttack::Extensions => self.chain(),
            DatagramAttack::WrongIds => {
                let kind = self.rng.u8(0..=3);
                let mut packet = self.header(kind, 0);
                let len = self.rng.usize(..RANDOM_LEN);
                packet.unsplit(self.random(len));
                packet
            }
            _ => {
                let len = self.rng.usize(..RANDOM_LEN);
                self.random(len)
            }
        };
        Some(datagram.freeze())
    }
}

/// A connection that is made, asks for blocks, and is then held.
struct Held {
    kind: DatagramAttack,
    rng: Rng,
    /// The handshake of BitTorrent, and interest: its first packet.
    greeting: Bytes,
    /// Requests: its second packet.
    requests: Bytes,
    /// How often the first packet was sent.
    greeted: u32,
    /// What we receive by; we send by the next one.
    id: u16,
    is_connected: bool,
    /// The last packet of the other side's that came in order.
    ack: u16,
    next: Option<Instant>,
}

impl Held {
    fn new(kind: DatagramAttack, mut rng: Rng, content: &Content, number: u64) -> Self {
        let mut name = [b'u'; 20];
        name[..8].copy_from_slice(&number.to_be_bytes());
        let handshake = Handshake {
            reserved: Reserved::FAST,
            info_hash: content.info_hash(),
            peer_id: PeerId::new(name),
        };
        let mut greeting = BytesMut::from(&handshake.to_bytes()[..]);
        Message::HaveNone.encode(&mut greeting);
        Message::Interested.encode(&mut greeting);
        let mut requests = BytesMut::new();
        for index in 0..REQUESTS {
            let request = BlockRequest {
                index,
                begin: 0,
                length: 16 * 1024,
            };
            Message::Request(request).encode(&mut requests);
        }
        Self {
            kind,
            id: rng.u16(..),
            rng,
            greeting: greeting.freeze(),
            requests: requests.freeze(),
            greeted: 0,
            is_connected: false,
            ack: 0,
            next: None,
        }
    }

    const fn window(&self) -> u32 {
        match self.kind {
            DatagramAttack::ZeroWindow => 0,
            _ => WINDOW,
        }
    }

    /// A packet of the connection.
    fn packet(&self, kind: u8, extension: u8, seq: u16) -> BytesMut {
        let fields = Fields {
            kind,
            extension,
            id: self.id.wrapping_add(1),
            window: self.window(),
            seq,
            ack: self.ack,
        };
        fields.packet()
    }

    /// Its two packets, again and again: it does not read what was acknowledged.
    fn data(&mut self) -> Bytes {
        self.greeted = self.greeted.wrapping_add(1);
        let is_asking = self.greeted > ASKS_AFTER && self.greeted.is_multiple_of(2);
        let (seq, payload) = match is_asking {
            true => (3, &self.requests),
            false => (2, &self.greeting),
        };
        let mut packet = self.packet(DATA, 0, seq);
        packet.put_slice(payload);
        packet.freeze()
    }

    fn huge_ack(&mut self) -> Bytes {
        let mut packet = self.packet(STATE, 1, 4);
        packet.put_slice(&[0, HUGE_ACK]);
        let mut mask = BytesMut::zeroed(HUGE_ACK.into());
        match self.rng.bool() {
            true => mask.fill(0xff),
            false => self.rng.fill(&mut mask),
        }
        packet.unsplit(mask);
        packet.freeze()
    }
}

impl DatagramScript for Held {
    fn handle_datagram(&mut self, _now: Instant, datagram: &[u8]) -> bool {
        let Some(
            &[
                first,
                _,
                i0,
                i1,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                s0,
                s1,
                _,
                _,
            ],
        ) = datagram.first_chunk::<HEADER_LEN>()
        else {
            return false;
        };
        let (kind, seq) = (first >> 4, u16::from_be_bytes([s0, s1]));
        if u16::from_be_bytes([i0, i1]) != self.id {
            return false;
        }
        match kind {
            RESET => {
                // The next connection is another one.
                self.is_connected = false;
                self.greeted = 0;
                self.id = self.rng.u16(..);
                false
            }
            _ if !self.is_connected => {
                self.is_connected = true;
                // The number of its first packet is the next one.
                self.ack = match kind {
                    STATE => seq.wrapping_sub(1),
                    _ => seq,
                };
                self.next = None;
                true
            }
            DATA if self.kind == DatagramAttack::ZeroWindow => {
                if seq == self.ack.wrapping_add(1) {
                    self.ack = seq;
                }
                false
            }
            _ => false,
        }
    }

    fn poll_send(&mut self, now: Instant) -> Option<Bytes> {
        if self.is_connected && self.kind == DatagramAttack::HugeAcks && self.next.is_some() {
            // In turns with its requests, so that there is something to acknowledge.
            return Some(match self.rng.u8(..64) {
                0 => self.data(),
                _ => self.huge_ack(),
            });
        }
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        if self.is_connected {
            self.next = Some(now + EVERY);
            return Some(self.data());
        }
        self.next = Some(now + AGAIN);
        let syn = Fields {
            kind: SYN,
            extension: 0,
            id: self.id,
            window: self.window(),
            seq: 1,
            ack: 0,
        };
        Some(syn.packet().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_made_of_packets_of_version_1_except_for_random_bytes() {
        #[expect(clippy::disallowed_methods, reason = "the beginning of time")]
        let now = Instant::now();
        let content = Content::new(1, "file", 100_000, 16_384);
        for (attack, kinds) in [
            (DatagramAttack::Syns, SYN..=SYN),
            (DatagramAttack::WrongIds, DATA..=RESET),
            (DatagramAttack::Extensions, DATA..=SYN),
        ] {
            let mut script = attack.script(&content, 1);
            for _ in 0..100 {
                let datagram = script.poll_send(now).unwrap();
                let is_chain = attack == DatagramAttack::Extensions;
                assert_eq!(datagram[0] & 0x0f, 1);
                assert!(kinds.contains(&(datagram[0] >> 4)), "{attack:?}");
                assert_eq!(datagram[1], u8::from(is_chain));
                assert!(datagram.len() >= HEADER_LEN);
            }
        }
    }

    /// A packet of the other side's.
    fn from_victim(kind: u8, id: u16, seq: u16) -> BytesMut {
        let fields = Fields {
            kind,
            extension: 0,
            id,
            window: WINDOW,
            seq,
            ack: 1,
        };
        fields.packet()
    }

    #[test]
    fn a_held_connection_is_begun_kept_and_begun_again_when_it_is_reset() {
        #[expect(clippy::disallowed_methods, reason = "the beginning of time")]
        let mut now = Instant::now();
        let content = Content::new(1, "file", 100_000, 16_384);
        for attack in [
            DatagramAttack::NeverAcknowledges,
            DatagramAttack::ZeroWindow,
            DatagramAttack::HugeAcks,
        ] {
            let mut script = attack.script(&content, 1);
            let syn = script.poll_send(now).unwrap();
            let id = u16::from_be_bytes([syn[2], syn[3]]);
            assert_eq!((syn[0] >> 4, script.poll_send(now)), (SYN, None));
            assert!(!script.handle_datagram(now, &from_victim(STATE, id.wrapping_add(5), 9)));
            assert!(script.handle_datagram(now, &from_victim(STATE, id, 9)));
            let data = script.poll_send(now).unwrap();
            assert_eq!(data[0] >> 4, DATA);
            assert_eq!(data[2..4], id.wrapping_add(1).to_be_bytes());
            assert_eq!(data[18..20], 8_u16.to_be_bytes());
            let is_closed = attack == DatagramAttack::ZeroWindow;
            assert_eq!(data[12..16] == [0; 4], is_closed);
            assert!(!script.handle_datagram(now, &from_victim(DATA, id, 9)));
            now += EVERY;
            let again = script.poll_send(now).unwrap();
            let acknowledged = u16::from_be_bytes([again[18], again[19]]);
            assert_eq!(acknowledged, if is_closed { 9 } else { 8 }, "{attack:?}");
            script.handle_datagram(now, &from_victim(RESET, id, 0));
            now += AGAIN;
            assert_eq!(script.poll_send(now).unwrap()[0] >> 4, SYN);
        }
    }
}
