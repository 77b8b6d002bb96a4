//! Decodes KRPC messages.

use tailwater_bencode::{Dict, Limits, Options, Value, decode_with};
use tailwater_types::InfoHash;

use super::{
    Body, ErrorCode, ErrorReply, ItemFields, KrpcError, KrpcErrorKind, Message, Method, Put, Query,
    Response, Samples, ScrapeFilters, Want,
};
use crate::compact::addr_from_compact;
use crate::limits::{
    MAX_BENCODE_DEPTH, MAX_BENCODE_TOKENS, MAX_DATAGRAM_LEN, MAX_ERROR_TEXT_LEN, MAX_NODES,
    MAX_SAMPLES, MAX_VALUES,
};
use crate::short::{ClientVersion, MethodName, Salt, Token, TooLongError};
use crate::{
    BloomFilter, Item, ItemValue, MutableItem, NODE_ID_LEN, NodeId, NodeInfo, PublicKey, Signature,
};

use KrpcErrorKind::{Invalid, Missing};

impl Message {
    /// Reads a datagram.
    ///
    /// Keys may come in any order, as some software writes them; unknown ones are ignored, and so are optional fields
    /// that make no sense. Addresses are not judged: they may be private, have port 0, or be the reader's own.
    ///
    /// # Errors
    ///
    /// When it is too long, not bencode, or lacks what its type needs.
    pub fn decode(datagram: &[u8]) -> Result<Self, KrpcError> {
        let len = datagram.len();
        if len > MAX_DATAGRAM_LEN {
            return Err(KrpcErrorKind::DatagramTooLong { len }.into());
        }
        let document = decode_with(datagram, &options()).map_err(KrpcErrorKind::from)?;
        let root = document.root().as_dict();
        let root = root.ok_or(KrpcErrorKind::NotADictionary)?;
        let transaction_id = short(root, "t", "t")?;
        let body = match bytes(root, "y", "y")? {
            b"q" => query(root).map(Body::Query).map_err(|kind| KrpcError {
                query: Some(transaction_id),
                kind,
            })?,
            b"r" => Body::Response(response(root)?),
            b"e" => Body::Error(error(root)?),
            _ => return Err(Invalid("y").into()),
        };
        let version = root.get_bytes("v");
        Ok(Self {
            transaction_id,
            version: version.and_then(|version| ClientVersion::new(version).ok()),
            external_addr: root.get_bytes("ip").and_then(addr_from_compact),
            body,
        })
    }
}

fn options() -> Options {
    let mut limits = Limits::default();
    limits.depth = MAX_BENCODE_DEPTH;
    limits.tokens = MAX_BENCODE_TOKENS;
    let mut options = Options::strict().with_limits(limits);
    options.unsorted_keys = true;
    options
}

fn query(root: Dict<'_, '_>) -> Result<Query, KrpcErrorKind> {
    let method = bytes(root, "q", "q")?;
    let arguments = dict(root, "a")?;
    let method = match method {
        b"ping" => Method::Ping,
        b"find_node" => Method::FindNode {
            target: target(arguments)?,
            want: want(arguments),
        },
        b"get_peers" => Method::GetPeers {
            info_hash: info_hash(arguments)?,
            want: want(arguments),
            no_seed: flag(arguments, "noseed"),
            scrape: flag(arguments, "scrape"),
        },
        b"announce_peer" => announce_peer(arguments)?,
        b"get" => Method::Get {
            target: target(arguments)?,
            seq: arguments.get_int("seq"),
            want: want(arguments),
        },
        b"put" => Method::Put(Box::new(put(arguments)?)),
        b"sample_infohashes" => Method::SampleInfohashes {
            target: target(arguments)?,
            want: want(arguments),
        },
        other => Method::Unknown(MethodName::new(other).map_err(|_| Invalid("q"))?),
    };
    Ok(Query {
        id: NodeId::new(array(arguments, "id", "a.id")?),
        read_only: flag(root, "ro"),
        method,
    })
}

fn announce_peer(arguments: Dict<'_, '_>) -> Result<Method, KrpcErrorKind> {
    let implied_port = flag(arguments, "implied_port");
    let port = match (arguments.get("port"), implied_port) {
        (None, false) => return Err(Missing("a.port")),
        (port, _) => port
            .and_then(Value::as_int)
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(0),
    };
    if port == 0 && !implied_port {
        return Err(Invalid("a.port"));
    }
    Ok(Method::AnnouncePeer {
        info_hash: info_hash(arguments)?,
        port,
        implied_port,
        seed: arguments.get_int("seed") == Some(1),
        token: short(arguments, "token", "a.token")?,
    })
}

fn put(arguments: Dict<'_, '_>) -> Result<Put, KrpcErrorKind> {
    let value = arguments.get("v").ok_or(Missing("a.v"))?;
    let value = ItemValue::new(value.raw()).map_err(|error| match error {
        crate::ItemValueError::TooLong { .. } => KrpcErrorKind::ValueTooLong,
        _ => Invalid("a.v"),
    })?;
    let item = match arguments.get("k") {
        None => Item::Immutable(value),
        Some(_) => Item::Mutable(MutableItem::unverified(
            PublicKey::new(array(arguments, "k", "a.k")?),
            salt(arguments)?,
            arguments.get_int("seq").ok_or(Missing("a.seq"))?,
            value,
            Signature::new(array(arguments, "sig", "a.sig")?),
        )),
    };
    Ok(Put {
        token: short(arguments, "token", "a.token")?,
        item,
        cas: arguments.get_int("cas"),
    })
}

fn salt(arguments: Dict<'_, '_>) -> Result<Salt, KrpcErrorKind> {
    let Some(salt) = arguments.get("salt") else {
        return Ok(Salt::default());
    };
    let salt = salt.as_bytes().ok_or(Invalid("a.salt"))?;
    Salt::new(salt).map_err(|_| KrpcErrorKind::SaltTooLong)
}

fn response(root: Dict<'_, '_>) -> Result<Response, KrpcErrorKind> {
    let results = dict(root, "r")?;
    let values = results.get_list("values").into_iter().flatten();
    let token = results.get_bytes("token");
    Ok(Response {
        id: NodeId::new(array(results, "id", "r.id")?),
        nodes: results
            .get_bytes("nodes")
            .map(|nodes| NodeInfo::list_from_compact(nodes, MAX_NODES)),
        nodes6: results
            .get_bytes("nodes6")
            .map(|nodes| NodeInfo::list_from_compact(nodes, MAX_NODES)),
        values: values
            .filter_map(|value| addr_from_compact(value.as_bytes()?))
            .take(MAX_VALUES)
            .collect(),
        token: token.and_then(|token| Token::new(token).ok()),
        scrape: scrape_filters(results),
        item: item_fields(results),
        samples: samples(results),
    })
}

fn scrape_filters(results: Dict<'_, '_>) -> Option<Box<ScrapeFilters>> {
    let filter = |key| BloomFilter::from_bytes(results.get_bytes(key)?);
    // BEP 33 has both or none.
    let (seeds, peers) = (filter("BFsd")?, filter("BFpe")?);
    Some(Box::new(ScrapeFilters { seeds, peers }))
}

fn item_fields(results: Dict<'_, '_>) -> Option<Box<ItemFields>> {
    let value = results.get("v");
    let fields = ItemFields {
        value: value.and_then(|value| ItemValue::new(value.raw()).ok()),
        key: array(results, "k", "r.k").ok().map(PublicKey::new),
        seq: results.get_int("seq"),
        signature: array(results, "sig", "r.sig").ok().map(Signature::new),
    };
    (fields != ItemFields::default()).then(|| Box::new(fields))
}

fn samples(results: Dict<'_, '_>) -> Option<Box<Samples>> {
    let hashes = results.get_bytes("samples")?.chunks_exact(NODE_ID_LEN);
    let interval = results.get_int("interval").unwrap_or_default();
    Some(Box::new(Samples {
        // The longest that BEP 51 permits is 6 hours.
        interval_secs: u16::try_from(interval.clamp(0, 21_600)).unwrap_or_default(),
        stored: results.get_int("num").unwrap_or_default().max(0),
        info_hashes: hashes
            .take(MAX_SAMPLES)
            .filter_map(|hash| hash.try_into().ok().map(InfoHash::new))
            .collect(),
    }))
}

fn error(root: Dict<'_, '_>) -> Result<ErrorReply, KrpcErrorKind> {
    let list = root.get("e").ok_or(Missing("e"))?;
    let mut list = list.as_list().ok_or(Invalid("e"))?.iter();
    let code = list.next().and_then(Value::as_int).ok_or(Invalid("e"))?;
    let text = list.next().and_then(Value::as_bytes).unwrap_or_default();
    Ok(ErrorReply {
        code: ErrorCode(code),
        text: printable(text),
    })
}

/// An error's text, cut to [`MAX_ERROR_TEXT_LEN`] and safe to show on a terminal.
fn printable(text: &[u8]) -> String {
    let mut printable = String::new();
    let text = String::from_utf8_lossy(text);
    for char in text.chars().filter(|char| !char.is_control()) {
        if printable.len() + char.len_utf8() > MAX_ERROR_TEXT_LEN {
            break;
        }
        printable.push(char);
    }
    printable
}

/// Names other than the two are for the future (BEP 32).
fn want(arguments: Dict<'_, '_>) -> Want {
    let mut want = Want::default();
    for family in arguments.get_list("want").into_iter().flatten() {
        match family.as_bytes() {
            Some(b"n4") => want.v4 = true,
            Some(b"n6") => want.v6 = true,
            _ => {}
        }
    }
    want
}

fn target(arguments: Dict<'_, '_>) -> Result<NodeId, KrpcErrorKind> {
    array(arguments, "target", "a.target").map(NodeId::new)
}

fn info_hash(arguments: Dict<'_, '_>) -> Result<InfoHash, KrpcErrorKind> {
    array(arguments, "info_hash", "a.info_hash").map(InfoHash::new)
}

fn flag(dict: Dict<'_, '_>, key: &str) -> bool {
    dict.get_int(key).is_some_and(|value| value != 0)
}

fn dict<'doc, 'a>(
    parent: Dict<'doc, 'a>,
    key: &'static str,
) -> Result<Dict<'doc, 'a>, KrpcErrorKind> {
    let value = parent.get(key).ok_or(Missing(key))?;
    value.as_dict().ok_or(Invalid(key))
}

fn bytes<'a>(dict: Dict<'_, 'a>, key: &str, path: &'static str) -> Result<&'a [u8], KrpcErrorKind> {
    let value = dict.get(key).ok_or(Missing(path))?;
    value.as_bytes().ok_or(Invalid(path))
}

fn array<const LEN: usize>(
    dict: Dict<'_, '_>,
    key: &str,
    path: &'static str,
) -> Result<[u8; LEN], KrpcErrorKind> {
    bytes(dict, key, path)?
        .try_into()
        .map_err(|_| Invalid(path))
}

fn short<'a, T: TryFrom<&'a [u8], Error = TooLongError>>(
    dict: Dict<'_, 'a>,
    key: &str,
    path: &'static str,
) -> Result<T, KrpcErrorKind> {
    T::try_from(bytes(dict, key, path)?).map_err(|_| Invalid(path))
}
