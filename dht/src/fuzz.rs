//! Bodies of the fuzz targets: they assert what must hold for any input.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_bencode::decode;
use tailwater_types::InfoHash;

use crate::{
    Announce, Body, Config, ItemKey, MAX_DATAGRAM_LEN, MAX_ERROR_TEXT_LEN, MAX_HINTS, MAX_NODES,
    MAX_SAVED_LEN, MAX_TRANSMITS, MAX_VALUES, Message, Method, Node, NodeId, NodeInfo, NodeLimits,
    RequestId, Response, SavedTable, Token,
};

/// More than a node takes with the limits that [`node`] gives it.
const MAX_NODE_BYTES: usize = 4 * 1024 * 1024;

/// A datagram: what can be read can be written, in canonical bencode, and then says the same.
///
/// # Panics
///
/// When the codec breaks one of its promises.
pub fn krpc(data: &[u8]) {
    let message = match Message::decode(data) {
        Ok(message) => message,
        Err(error) => {
            assert!(error.query.is_none() || data.len() <= MAX_DATAGRAM_LEN);
            return;
        }
    };
    assert!(data.len() <= MAX_DATAGRAM_LEN);
    match &message.body {
        Body::Query(query) => {
            if let Method::AnnouncePeer {
                port, implied_port, ..
            } = query.method
            {
                assert!(port != 0 || implied_port);
            }
        }
        Body::Response(response) => {
            assert!(response.all_nodes().count() <= 2 * MAX_NODES);
            assert!(response.values.len() <= MAX_VALUES);
        }
        Body::Error(error) => {
            assert!(error.text.len() <= MAX_ERROR_TEXT_LEN);
            assert!(!error.text.chars().any(char::is_control));
        }
    }
    let encoded = message.encode();
    decode(&encoded).expect("the encoder writes canonical bencode");
    // Fields that the sender left out are written, and may make it too long.
    if encoded.len() <= MAX_DATAGRAM_LEN {
        assert_eq!(Message::decode(&encoded).as_ref(), Ok(&message));
    }
}

/// A saved table: what can be read can be written, in canonical bencode, and then says the same.
///
/// # Panics
///
/// When it does not.
pub fn saved(data: &[u8]) {
    let Ok(table) = SavedTable::from_bytes(data) else {
        return;
    };
    assert!(table.nodes.len() <= 2 * MAX_HINTS);
    let bytes = table.to_bytes();
    assert!(u32::try_from(bytes.len()).is_ok_and(|len| len <= MAX_SAVED_LEN));
    assert_eq!(SavedTable::from_bytes(&bytes), Ok(table));
}

/// A node among untrusted peers: any sequence of datagrams, answers to its own questions, commands and waiting keeps
/// what [`Node::check_invariants`] promises, and its memory bounded.
///
/// The input is read as steps: one byte says which, the next ones are its arguments.
///
/// # Panics
///
/// When the node breaks one of its promises.
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do as the beginning"
)]
pub fn node(data: &[u8]) {
    let mut limits = NodeLimits::default();
    (limits.torrents, limits.peers_per_torrent) = (4, 3);
    (limits.peers, limits.items, limits.addresses) = (8, 3, 16);
    let config = Config::new([1; 32])
        .with_limits(limits)
        .with_families(true, true)
        .with_bootstrap(vec![stranger(1), stranger(130)]);
    let now = Instant::now();
    let mut table = Steps {
        data,
        now,
        node: Node::new(now, config),
        questions: Vec::new(),
        requests: Vec::new(),
    };
    while table.step().is_some() {
        table.collect();
        table.node.check_invariants();
        assert!(table.node.memory_bytes() < MAX_NODE_BYTES);
    }
}

struct Steps<'a> {
    data: &'a [u8],
    now: Instant,
    node: Node,
    /// The node's latest queries, with the address of each.
    questions: Vec<(SocketAddr, Message)>,
    requests: Vec<RequestId>,
}

impl Steps<'_> {
    fn step(&mut self) -> Option<()> {
        match self.byte()? % 8 {
            0 | 1 => {
                let from = stranger(self.byte()?);
                let len = usize::from(self.byte()?) * 4;
                let (bytes, rest) = self.data.split_at(len.min(self.data.len()));
                self.data = rest;
                self.node.handle_datagram(self.now, from, bytes);
            }
            2 | 3 => self.answer()?,
            4 => {
                let time = Duration::from_millis(u64::from(self.byte()?) * 20);
                self.now += time;
                self.node.handle_timeout(self.now);
            }
            5 => {
                let time = Duration::from_secs(u64::from(self.byte()?) * 10);
                self.now += time;
                self.node.handle_timeout(self.now);
            }
            6 => self.command()?,
            _ => {
                let which = usize::from(self.byte()?);
                if let Some(request) = self.requests.get(which).copied() {
                    self.node.cancel(request);
                }
            }
        }
        Some(())
    }

    /// One of the nodes that were asked answers, well or badly.
    fn answer(&mut self) -> Option<()> {
        let which = usize::from(self.byte()?);
        let (from, question) = self
            .questions
            .get(which % self.questions.len().max(1))?
            .clone();
        let mut response = Response::new(self.id()?);
        response.token = Token::new(b"token").ok();
        for _ in 0..self.byte()? % 10 {
            let node = NodeInfo {
                id: self.id()?,
                addr: stranger(self.byte()?),
            };
            response.nodes.get_or_insert_default().extend(node.as_v4());
            response.nodes6.get_or_insert_default().extend(node.as_v6());
            response.values.push(node.addr);
        }
        let mut answer = Message::new(question.transaction_id, response.into());
        answer.external_addr = Some(stranger(self.byte()?));
        self.node.handle_datagram(self.now, from, &answer.encode());
        Some(())
    }

    fn command(&mut self) -> Option<()> {
        let (which, target) = (self.byte()?, self.id()?);
        let info_hash = InfoHash::new(*target.as_bytes());
        let (node, now) = (&mut self.node, self.now);
        let request = match which % 8 {
            0 => node.get_peers(now, &info_hash),
            1 => node.announce(now, &info_hash, Announce::default()),
            2 => node.scrape(now, &info_hash),
            3 => node.get(now, &ItemKey::Immutable(target)),
            4 => node.sample(now, &target),
            5 => node.find_node(now, &target),
            6 => node.ping(now, stranger(which)),
            _ => {
                node.add_node(now, stranger(which));
                return Some(());
            }
        };
        self.requests.push(request);
        Some(())
    }

    /// Takes out datagrams and events, as an owner must.
    fn collect(&mut self) {
        let mut count = 0;
        while let Some(transmit) = self.node.poll_transmit() {
            count += 1;
            assert!(count <= 2 * MAX_TRANSMITS, "talks without end");
            assert!(transmit.payload.len() <= MAX_DATAGRAM_LEN);
            let message = Message::decode(&transmit.payload).expect("it speaks KRPC");
            if matches!(message.body, Body::Query(_)) {
                self.questions.push((transmit.to, message));
            }
        }
        let old = self.questions.len().saturating_sub(64);
        self.questions.drain(..old);
        while self.node.poll_event().is_some() {}
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.data.split_first()?;
        self.data = rest;
        Some(byte)
    }

    /// An id out of few, so that ids repeat; some are neighbours of the node's own id.
    fn id(&mut self) -> Option<NodeId> {
        let byte = self.byte()?;
        let own_id = self.node.own_id(crate::Family::V4)?;
        Some(match byte {
            255 => own_id,
            160..255 => own_id.with_flipped_bit(usize::from(byte) - 160),
            _ => NodeId::new([byte; crate::NODE_ID_LEN]),
        })
    }
}

/// Public, local and impossible addresses of both families.
fn stranger(number: u8) -> SocketAddr {
    match number {
        0..100 => ([20 + number, number / 3, 7, 1], 6881).into(),
        100..120 => ([10, 0, 0, number], 6881).into(),
        120..128 => ([224, 0, 0, number], u16::from(number % 2)).into(),
        128..220 => ([0x2a01, u16::from(number), 0, 0, 0, 0, 0, 1], 6881).into(),
        220..240 => ([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)], 6881).into(),
        // An IPv4-mapped IPv6 address.
        _ => ([0, 0, 0, 0, 0, 0xffff, 0x1e01, u16::from(number)], 6881).into(),
    }
}
