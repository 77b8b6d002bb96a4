//! From messages to bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tailwater_bencode::{Item, encode};
use tailwater_metainfo::InfoHash;

use super::{Body, ClientVersion, ErrorReply, Message, Method, Query, Response, Token, Want};
use crate::compact::addr_to_compact;
use crate::{NodeId, NodeInfo};

impl Message {
    /// The datagram, in canonical bencode.
    ///
    /// Of an answer with many values or nodes it may be longer than
    /// [`MAX_SENT_DATAGRAM_LEN`](crate::MAX_SENT_DATAGRAM_LEN), which the sender has to see to.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut root = Fields::default();
        root.put("t", self.transaction_id.as_bytes());
        root.put_some("v", self.version.as_ref().map(ClientVersion::as_bytes));
        root.put_some("ip", self.external_addr.map(addr_to_compact));
        match &self.body {
            Body::Query(query) => {
                root.put("y", "q");
                root.put("q", query.method.name());
                root.put("a", arguments(query));
                root.put_some("ro", query.read_only.then_some(1));
            }
            Body::Response(response) => {
                root.put("y", "r");
                root.put("r", results(response));
            }
            Body::Error(ErrorReply { code, text }) => {
                root.put("y", "e");
                root.put("e", Item::list([code.0.into(), text.as_str().into()]));
            }
        }
        encode(&root.into())
    }
}

fn arguments(query: &Query) -> Item<'_> {
    let mut fields = Fields::default();
    fields.put("id", id(&query.id));
    match &query.method {
        Method::Ping | Method::Unknown(_) => {}
        Method::FindNode { target, want } => {
            fields.put("target", id(target));
            fields.put_some("want", families(*want));
        }
        Method::GetPeers { info_hash, want } => {
            fields.put("info_hash", hash(info_hash));
            fields.put_some("want", families(*want));
        }
        Method::AnnouncePeer {
            info_hash,
            port,
            implied_port,
            token,
        } => {
            fields.put("info_hash", hash(info_hash));
            fields.put("port", i64::from(*port));
            fields.put_some("implied_port", implied_port.then_some(1));
            fields.put("token", token.as_bytes());
        }
    }
    fields.into()
}

fn results(response: &Response) -> Item<'_> {
    let mut fields = Fields::default();
    fields.put("id", id(&response.id));
    let nodes = response.nodes.as_deref();
    fields.put_some("nodes", nodes.map(NodeInfo::list_to_compact));
    let nodes6 = response.nodes6.as_deref();
    fields.put_some("nodes6", nodes6.map(NodeInfo::list_to_compact));
    fields.put_some("token", response.token.as_ref().map(Token::as_bytes));
    if !response.values.is_empty() {
        let values = response.values.iter();
        let values = values.map(|addr| Item::from(addr_to_compact(*addr)));
        fields.put("values", Item::list(values));
    }
    fields.into()
}

fn id(id: &NodeId) -> Item<'_> {
    Item::bytes(id.as_bytes())
}

fn hash(hash: &InfoHash) -> Item<'_> {
    Item::bytes(hash.as_bytes())
}

fn families(want: Want) -> Option<Item<'static>> {
    let names = [want.v4.then_some("n4"), want.v6.then_some("n6")];
    let names: Vec<_> = names.into_iter().flatten().map(Item::from).collect();
    (!names.is_empty()).then_some(Item::List(names))
}

/// A dictionary in the making. Its keys are constants, each put once.
#[derive(Default)]
struct Fields<'a>(BTreeMap<Cow<'a, [u8]>, Item<'a>>);

impl<'a> Fields<'a> {
    fn put(&mut self, key: &'static str, value: impl Into<Item<'a>>) {
        self.0.insert(key.as_bytes().into(), value.into());
    }

    fn put_some(&mut self, key: &'static str, value: Option<impl Into<Item<'a>>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }
}

impl<'a> From<Fields<'a>> for Item<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Self::Dict(fields.0)
    }
}
