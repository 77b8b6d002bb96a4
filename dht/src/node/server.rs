//! The server: answers the queries of other nodes.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Instant;

use tailwater_types::InfoHash;

use super::{Family, MAX_TRANSMITS, Node};
use crate::{
    BUCKET_SIZE, Body, CompactAddr, ErrorCode, ErrorReply, Item, ItemFields, MAX_SENT_DATAGRAM_LEN,
    Message, Method, NodeId, NodeInfo, Put, Query, Response, TransactionId, Want,
};

/// How many times as long as a question its answer may be, for an address that has not shown that it is there and has used
/// up what [`NodeLimits::unproven_bytes_per_address`](super::NodeLimits) grants. BEP 5's own answers, of eight IPv4 nodes and a token, are within.
pub const MAX_AMPLIFICATION: usize = 4;
/// Room for an answer's other parts besides its lists, in bytes: envelope, id, token, the asking address.
const ENVELOPE_LEN: usize = 160;
/// Bytes of a peer in `values`, by family: length, colon, address, port.
const VALUE_LEN: [usize; 2] = [8, 21];
/// Bytes of both of BEP 33's filters with their keys.
const FILTERS_LEN: usize = 2 * (256 + 10);

type Answer = Result<Response, (ErrorCode, &'static str)>;

impl Node {
    pub(super) fn on_query(
        &mut self,
        now: Instant,
        from: SocketAddr,
        (transaction, question_len): (TransactionId, usize),
        query: &Query,
    ) {
        let asking = NodeInfo {
            id: query.id,
            addr: from,
        };
        if self.transmits.len() >= MAX_TRANSMITS {
            self.traffic.ignored_queries += 1;
            return;
        }
        match self.answer(now, &asking, &query.method) {
            Ok(response) => {
                self.traffic.queries_answered += 1;
                self.respond(now, &asking, (transaction, question_len), response);
            }
            Err((code, text)) => self.refuse(from, transaction, code, text),
        }
        if !query.read_only {
            self.on_asked_by(now, &asking);
        }
    }

    pub(super) fn refuse(
        &mut self,
        to: SocketAddr,
        transaction: TransactionId,
        code: ErrorCode,
        text: &str,
    ) {
        if self.transmits.len() < MAX_TRANSMITS {
            self.traffic.queries_answered += 1;
            self.send(to, transaction, ErrorReply::new(code, text).into());
        }
    }

    fn answer(&mut self, now: Instant, asking: &NodeInfo, method: &Method) -> Answer {
        let family = Family::of(&asking.addr);
        let own_id = self.own_id(family);
        let own_id = own_id.ok_or((ErrorCode::SERVER, "not in this network"))?;
        let mut response = Response::new(own_id);
        match method {
            Method::Ping => {}
            Method::FindNode { target, want } => {
                self.name_nodes(now, family, target, *want, &mut response);
            }
            Method::GetPeers {
                info_hash,
                want,
                no_seed,
                scrape,
            } => {
                let target = (*info_hash).into();
                self.name_nodes(now, family, &target, *want, &mut response);
                response.token = Some(self.tokens.make(now, asking.addr.ip(), &target));
                self.name_peers(family, info_hash, (*no_seed, *scrape), &mut response);
            }
            Method::AnnouncePeer {
                info_hash,
                port,
                implied_port,
                seed,
                token,
            } => {
                let target = (*info_hash).into();
                let ip = asking.addr.ip();
                if !self.tokens.is_valid(now, ip, &target, token) {
                    return Err((ErrorCode::PROTOCOL, "bad token"));
                }
                let port = if *implied_port {
                    asking.addr.port()
                } else {
                    *port
                };
                let peer = SocketAddr::new(ip, port);
                if let Some(side) = self.side_mut(family) {
                    side.peers.announce(now, *info_hash, peer, *seed);
                }
            }
            Method::Get { target, seq, want } => {
                self.name_nodes(now, family, target, *want, &mut response);
                response.token = Some(self.tokens.make(now, asking.addr.ip(), target));
                response.item = self.items.get(target).map(|item| fields(item, *seq));
            }
            Method::Put(put) => self.on_put(now, asking, put)?,
            Method::SampleInfohashes { target, want } => {
                self.name_nodes(now, family, target, *want, &mut response);
                if let Some(side) = self.sides[family.index()].as_ref() {
                    let samples = side.peers.samples(&mut self.random);
                    response.samples = Some(Box::new(samples));
                }
            }
            Method::Unknown(_) => return Err((ErrorCode::METHOD_UNKNOWN, "unknown query")),
        }
        Ok(response)
    }

    fn on_put(
        &mut self,
        now: Instant,
        asking: &NodeInfo,
        put: &Put,
    ) -> Result<(), (ErrorCode, &'static str)> {
        let ip = asking.addr.ip();
        if !self
            .tokens
            .is_valid(now, ip, &put.item.target(), &put.token)
        {
            return Err((ErrorCode::PROTOCOL, "bad token"));
        }
        let stored = self.items.put(now, ip, put.item.clone(), put.cas);
        stored.map_err(|code| {
            let text = match code {
                ErrorCode::CAS_MISMATCH => "another item is stored",
                ErrorCode::SEQ_TOO_LOW => "a newer item is stored",
                ErrorCode::INVALID_SIGNATURE => "invalid signature",
                _ => "cannot store items",
            };
            (code, text)
        })
    }

    fn name_nodes(
        &self,
        now: Instant,
        family: Family,
        target: &NodeId,
        want: Want,
        response: &mut Response,
    ) {
        let default = Want {
            v4: family == Family::V4,
            v6: family == Family::V6,
        };
        let want = if want == Want::default() {
            default
        } else {
            want
        };
        let closest = |family: Family| {
            let table = self.table(family)?;
            Some(table.closest_good(now, target, BUCKET_SIZE))
        };
        if want.v4 {
            let nodes = closest(Family::V4).unwrap_or_default();
            let nodes = nodes.iter().filter_map(NodeInfo::as_v4);
            response.nodes = Some(nodes.collect::<Vec<NodeInfo<SocketAddrV4>>>());
        }
        if want.v6 {
            let nodes = closest(Family::V6).unwrap_or_default();
            let nodes = nodes.iter().filter_map(NodeInfo::as_v6);
            response.nodes6 = Some(nodes.collect::<Vec<NodeInfo<SocketAddrV6>>>());
        }
    }

    /// Adds as many peers as the datagram has room for. Both filters leave none for nodes of the other family (BEP 33).
    fn name_peers(
        &mut self,
        family: Family,
        info_hash: &InfoHash,
        (no_seed, scrape): (bool, bool),
        response: &mut Response,
    ) {
        let Some(side) = self.sides[family.index()].as_ref() else {
            return;
        };
        if side.peers.torrents() == 0 {
            return;
        }
        if scrape {
            response.scrape = side.peers.filters(info_hash).map(Box::new);
        }
        if response.scrape.is_some() {
            match family {
                Family::V4 => response.nodes6 = None,
                Family::V6 => response.nodes = None,
            }
        }
        let nodes = response.nodes.as_ref().map_or(0, |nodes| nodes.len() * 26)
            + response.nodes6.as_ref().map_or(0, |nodes| nodes.len() * 38);
        let filters = response.scrape.as_ref().map_or(0, |_| FILTERS_LEN);
        let room = MAX_SENT_DATAGRAM_LEN.saturating_sub(ENVELOPE_LEN + nodes + filters);
        let most = room / VALUE_LEN[family.index()];
        response.values = side
            .peers
            .values(&mut self.random, info_hash, most, no_seed);
    }

    /// Sends an answer, cut short if a long one is not allowed.
    fn respond(
        &mut self,
        now: Instant,
        asking: &NodeInfo,
        (transaction, question_len): (TransactionId, usize),
        response: Response,
    ) {
        let family = Family::of(&asking.addr);
        let mut message = Message::new(transaction, response.into());
        message.version = self.config.version;
        message.external_addr = Some(asking.addr);
        let mut payload = message.encode();
        if payload.len() > MAX_SENT_DATAGRAM_LEN {
            payload = with_fewer_nodes(&mut message, payload, MAX_SENT_DATAGRAM_LEN);
        }
        let safe_len = question_len * MAX_AMPLIFICATION;
        let is_proven = |node: &Self| {
            let table = node.table(family);
            table.is_some_and(|table| table.get(asking).is_some())
        };
        if payload.len() > safe_len
            && !is_proven(self)
            && !self.limiter.spend(now, asking.addr, payload.len())
        {
            payload = shorten(message, safe_len);
        }
        self.transmit(asking.addr, payload);
    }
}

/// Shortens an answer: leaves out what was asked for, then the farthest nodes.
fn shorten(mut message: Message, safe_len: usize) -> Vec<u8> {
    if let Body::Response(response) = &mut message.body {
        response.scrape = None;
        response.item = None;
        response.samples = None;
        response.values.clear();
    }
    let payload = message.encode();
    with_fewer_nodes(&mut message, payload, safe_len)
}

/// Removes the farthest nodes until the datagram is short enough. An item stays whole, and may still be longer.
fn with_fewer_nodes(message: &mut Message, payload: Vec<u8>, most: usize) -> Vec<u8> {
    let mut excess = payload.len().saturating_sub(most);
    let Body::Response(response) = &mut message.body else {
        return payload;
    };
    if excess == 0 {
        return payload;
    }
    excess = cut(response.nodes6.as_mut(), excess);
    cut(response.nodes.as_mut(), excess);
    message.encode()
}

/// Takes nodes off the end until `excess` bytes are gone, and returns how many are still to go.
fn cut<A: CompactAddr>(nodes: Option<&mut Vec<NodeInfo<A>>>, excess: usize) -> usize {
    let Some(nodes) = nodes else {
        return excess;
    };
    let leaving = excess.div_ceil(NodeInfo::<A>::LEN).min(nodes.len());
    nodes.truncate(nodes.len() - leaving);
    excess.saturating_sub(leaving * NodeInfo::<A>::LEN)
}

/// A node that has this version or a newer one gets the sequence number alone (BEP 44).
fn fields(item: &Item, known: Option<i64>) -> Box<ItemFields> {
    let mut fields = ItemFields::default();
    match item {
        Item::Immutable(value) => fields.value = Some(value.clone()),
        Item::Mutable(item) => {
            fields.seq = Some(item.seq());
            if known.is_none_or(|known| item.seq() > known) {
                fields.value = Some(item.value().clone());
                fields.key = Some(item.key());
                fields.signature = Some(*item.signature());
            }
        }
    }
    Box::new(fields)
}
