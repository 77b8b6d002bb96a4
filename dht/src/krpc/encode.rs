//! Encodes KRPC messages.

use std::net::SocketAddr;

use super::write::Writer;
use super::{Body, Message, Method, Put, Query, Response, Want};
use crate::compact::{CompactAddr, append_addr};
use crate::{Item, MAX_SENT_DATAGRAM_LEN, NodeInfo};

impl Message {
    /// The datagram, in canonical bencode.
    ///
    /// With many values or nodes it may be longer than [`MAX_SENT_DATAGRAM_LEN`]; the sender has to check that.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_SENT_DATAGRAM_LEN / 2);
        self.encode_into(&mut out);
        out
    }

    /// Appends the datagram to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        Writer(out).dict(|root| match &self.body {
            Body::Query(query) => {
                root.bytes(b"a");
                root.dict(|a| arguments(a, query));
                self.ip(root);
                root.entry("q", query.method.name());
                root.flag_entry("ro", query.read_only);
                self.rest(root, b"q");
            }
            Body::Response(response) => {
                self.ip(root);
                root.bytes(b"r");
                root.dict(|r| results(r, response));
                self.rest(root, b"r");
            }
            Body::Error(error) => {
                root.bytes(b"e");
                root.list(|e| {
                    e.int(error.code.0);
                    e.bytes(error.text.as_bytes());
                });
                self.ip(root);
                self.rest(root, b"e");
            }
        });
    }

    fn ip(&self, root: &mut Writer<'_>) {
        if let Some(addr) = self.external_addr {
            root.bytes(b"ip");
            address(root, addr);
        }
    }

    fn rest(&self, root: &mut Writer<'_>, kind: &[u8]) {
        root.entry("t", self.transaction_id.as_bytes());
        if let Some(version) = &self.version {
            root.entry("v", version.as_bytes());
        }
        root.entry("y", kind);
    }
}

fn arguments(a: &mut Writer<'_>, query: &Query) {
    let id = query.id.as_bytes();
    match &query.method {
        Method::Ping | Method::Unknown(_) => a.entry("id", id),
        Method::FindNode { target, want } | Method::SampleInfohashes { target, want } => {
            a.entry("id", id);
            a.entry("target", target.as_bytes());
            families(a, *want);
        }
        Method::GetPeers {
            info_hash,
            want,
            no_seed,
            scrape,
        } => {
            a.entry("id", id);
            a.entry("info_hash", info_hash.as_bytes());
            a.flag_entry("noseed", *no_seed);
            a.flag_entry("scrape", *scrape);
            families(a, *want);
        }
        Method::AnnouncePeer {
            info_hash,
            port,
            implied_port,
            seed,
            token,
        } => {
            a.entry("id", id);
            a.flag_entry("implied_port", *implied_port);
            a.entry("info_hash", info_hash.as_bytes());
            a.int_entry("port", i64::from(*port));
            a.flag_entry("seed", *seed);
            a.entry("token", token.as_bytes());
        }
        Method::Get { target, seq, want } => {
            a.entry("id", id);
            if let Some(seq) = seq {
                a.int_entry("seq", *seq);
            }
            a.entry("target", target.as_bytes());
            families(a, *want);
        }
        Method::Put(put) => put_arguments(a, id, put),
    }
}

fn put_arguments(a: &mut Writer<'_>, id: &[u8], put: &Put) {
    if let Some(cas) = put.cas {
        a.int_entry("cas", cas);
    }
    a.entry("id", id);
    if let Item::Mutable(item) = &put.item {
        a.entry("k", item.key().as_bytes());
        if !item.salt().as_bytes().is_empty() {
            a.entry("salt", item.salt().as_bytes());
        }
        a.int_entry("seq", item.seq());
        a.entry("sig", item.signature().as_bytes());
    }
    a.entry("token", put.token.as_bytes());
    a.bytes(b"v");
    a.raw(put.item.value().as_bytes());
}

fn results(r: &mut Writer<'_>, response: &Response) {
    if let Some(filters) = &response.scrape {
        r.entry("BFpe", filters.peers.as_bytes());
        r.entry("BFsd", filters.seeds.as_bytes());
    }
    r.entry("id", response.id.as_bytes());
    if let Some(samples) = &response.samples {
        r.int_entry("interval", i64::from(samples.interval_secs));
    }
    let item = response.item.as_deref();
    if let Some(key) = item.and_then(|item| item.key) {
        r.entry("k", key.as_bytes());
    }
    nodes(r, "nodes", response.nodes.as_deref());
    nodes(r, "nodes6", response.nodes6.as_deref());
    if let Some(samples) = &response.samples {
        r.int_entry("num", samples.stored);
        r.bytes(b"samples");
        r.string_of(samples.info_hashes.len() * crate::NODE_ID_LEN);
        for info_hash in &samples.info_hashes {
            r.raw(info_hash.as_bytes());
        }
    }
    if let Some(seq) = item.and_then(|item| item.seq) {
        r.int_entry("seq", seq);
    }
    if let Some(signature) = item.and_then(|item| item.signature.as_ref()) {
        r.entry("sig", signature.as_bytes());
    }
    if let Some(token) = &response.token {
        r.entry("token", token.as_bytes());
    }
    if let Some(value) = item.and_then(|item| item.value.as_ref()) {
        r.bytes(b"v");
        r.raw(value.as_bytes());
    }
    if !response.values.is_empty() {
        r.bytes(b"values");
        r.list(|list| response.values.iter().for_each(|addr| address(list, *addr)));
    }
}

fn nodes<A: CompactAddr>(r: &mut Writer<'_>, key: &str, nodes: Option<&[NodeInfo<A>]>) {
    let Some(nodes) = nodes else {
        return;
    };
    r.bytes(key.as_bytes());
    r.string_of(nodes.len() * NodeInfo::<A>::LEN);
    nodes.iter().for_each(|node| node.append_compact(r.0));
}

fn address(out: &mut Writer<'_>, addr: SocketAddr) {
    out.string_of(match addr {
        SocketAddr::V4(_) => std::net::SocketAddrV4::LEN,
        SocketAddr::V6(_) => std::net::SocketAddrV6::LEN,
    });
    append_addr(addr, out.0);
}

fn families(a: &mut Writer<'_>, want: Want) {
    if want == Want::default() {
        return;
    }
    a.bytes(b"want");
    a.list(|list| {
        if want.v4 {
            list.bytes(b"n4");
        }
        if want.v6 {
            list.bytes(b"n6");
        }
    });
}
