//! The saved state of a node: its ids and the nodes that it knew.
//!
//! One bencoded dictionary:
//!
//! | key | value |
//! |---|---|
//! | `id`, `id6` | its id in each network: 20 bytes |
//! | `nodes`, `nodes6` | the nodes that it knew, in compact form (BEP 5, BEP 32), best first |
//!
//! Any of them may be missing, and others may be there: a later version may add some.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tailwater_bencode::{DecodeError, Dict, Item, Limits, Options, decode_with, encode};

use crate::address::is_usable;
use crate::{CompactAddr, MAX_HINTS, NodeId, NodeInfo};

/// The longest saved table that is read, in bytes: several times what [`MAX_HINTS`] nodes of each family take.
pub const MAX_SAVED_LEN: u32 = 64 * 1024;
/// How many bencoded values a saved table may have, those of unknown keys included.
const MAX_TOKENS: u32 = 1024;
/// How deep a saved table may nest: its own fields need one level, the rest is for fields of a later version.
const MAX_DEPTH: u32 = 8;

/// The saved state of a node: its ids and the nodes that it knew. With it, the first lookup of the next run needs no
/// bootstrap node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
// Not `#[non_exhaustive]`: others keep tables in files of their own.
pub struct SavedTable {
    /// Its id in each network, IPv4 first.
    pub ids: [Option<NodeId>; 2],
    /// The nodes that it knew. Of each family, the first [`MAX_HINTS`] are saved.
    pub nodes: Vec<NodeInfo>,
}

/// Why something is no saved table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SavedTableError {
    /// It is not bencode, or too much of it.
    #[error(transparent)]
    Bencode(#[from] DecodeError),
    /// It is bencode, but no dictionary.
    #[error("not a dictionary")]
    NotADictionary,
    /// A field is not a string of bytes of a length that it can have.
    #[error("{key} is not what it should be")]
    Field {
        /// Which field.
        key: &'static str,
    },
}

impl SavedTable {
    /// The bytes to keep.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut fields = BTreeMap::new();
        for (key, id) in [("id", &self.ids[0]), ("id6", &self.ids[1])] {
            if let Some(id) = id {
                fields.insert(Cow::Borrowed(key.as_bytes()), Item::bytes(id.as_bytes()));
            }
        }
        let v4 = compact(self.nodes.iter().filter_map(NodeInfo::as_v4));
        let v6 = compact(self.nodes.iter().filter_map(NodeInfo::as_v6));
        for (key, list) in [("nodes", &v4), ("nodes6", &v6)] {
            if !list.is_empty() {
                fields.insert(Cow::Borrowed(key.as_bytes()), Item::bytes(list));
            }
        }
        encode(&Item::Dict(fields))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made. Nodes at impossible addresses and those beyond [`MAX_HINTS`] are left
    /// out, and unknown fields ignored.
    ///
    /// # Errors
    ///
    /// When it is none, or longer than [`MAX_SAVED_LEN`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SavedTableError> {
        let mut limits = Limits::default();
        (limits.depth, limits.tokens) = (MAX_DEPTH, MAX_TOKENS);
        (limits.string_len, limits.input_len) = (MAX_SAVED_LEN, MAX_SAVED_LEN);
        let document = decode_with(bytes, &Options::strict().with_limits(limits))?;
        let dict = document.root().as_dict();
        let dict = dict.ok_or(SavedTableError::NotADictionary)?;
        let mut nodes = list(dict, "nodes", NodeInfo::as_v4)?;
        nodes.extend(list(dict, "nodes6", NodeInfo::as_v6)?);
        Ok(Self {
            ids: [id(dict, "id")?, id(dict, "id6")?],
            nodes,
        })
    }
}

fn compact<A: CompactAddr>(nodes: impl Iterator<Item = NodeInfo<A>>) -> Vec<u8> {
    let nodes: Vec<_> = nodes.take(MAX_HINTS).collect();
    NodeInfo::list_to_compact(&nodes)
}

/// The bytes of a field, if it is there.
fn field<'a>(dict: Dict<'_, 'a>, key: &'static str) -> Result<Option<&'a [u8]>, SavedTableError> {
    let value = dict.get(key);
    let bytes = value.map(|value| value.as_bytes().ok_or(SavedTableError::Field { key }));
    bytes.transpose()
}

fn id(dict: Dict<'_, '_>, key: &'static str) -> Result<Option<NodeId>, SavedTableError> {
    let id = field(dict, key)?.map(<[u8; 20]>::try_from).transpose();
    let id = id.map_err(|_| SavedTableError::Field { key })?;
    Ok(id.map(NodeId::new))
}

/// `_family` names the family, so that a caller cannot mix up a field and its form.
fn list<A: CompactAddr>(
    dict: Dict<'_, '_>,
    key: &'static str,
    _family: fn(&NodeInfo) -> Option<NodeInfo<A>>,
) -> Result<Vec<NodeInfo>, SavedTableError> {
    let bytes = field(dict, key)?.unwrap_or_default();
    if bytes.len() % NodeInfo::<A>::LEN != 0 {
        return Err(SavedTableError::Field { key });
    }
    let nodes = NodeInfo::<A>::list_from_compact(bytes, MAX_HINTS);
    let nodes = nodes.into_iter().map(|node| NodeInfo {
        id: node.id,
        addr: node.addr.into(),
    });
    Ok(nodes.filter(|node| is_usable(node.addr)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn table(count: u8) -> SavedTable {
        let v4 = (0..count).map(|n| NodeInfo {
            id: NodeId::new([n; 20]),
            addr: ([20, 0, n, 1], 6881).into(),
        });
        let v6 = (0..count).map(|n| NodeInfo {
            id: NodeId::new([n; 20]),
            addr: ([0x2a01, u16::from(n), 0, 0, 0, 0, 0, 1], 6881).into(),
        });
        SavedTable {
            ids: [Some(NodeId::new([7; 20])), None],
            nodes: v4.chain(v6).collect(),
        }
    }

    #[test]
    fn what_is_saved_is_read_again() {
        for count in [0, 1, 255] {
            let table = table(count);
            assert_eq!(SavedTable::from_bytes(&table.to_bytes()), Ok(table));
        }
        assert_eq!(SavedTable::from_bytes(b"de"), Ok(SavedTable::default()));
    }

    proptest! {
        #[test]
        fn damage_is_refused_or_read_in_one_way(
            flips in vec((any::<Index>(), any::<u8>()), 0..6),
            cut in any::<Index>(),
        ) {
            let mut bytes = table(3).to_bytes();
            for (at, byte) in flips {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            crate::fuzz::saved(&bytes);
            crate::fuzz::saved(&bytes[..cut.index(bytes.len())]);
        }
    }

    #[test]
    fn the_longest_table_may_be_read() {
        let mut table = table(255);
        table.nodes.extend_from_within(..);
        table.ids[1] = table.ids[0];
        let len = u32::try_from(table.to_bytes().len()).unwrap();
        assert!(len * 3 < MAX_SAVED_LEN, "{len}");
        let read = SavedTable::from_bytes(&table.to_bytes()).unwrap();
        assert_eq!(read.nodes.len(), 2 * MAX_HINTS);
    }

    #[test]
    fn later_versions_may_add_fields_and_strangers_addresses_are_left_out() {
        let bytes = b"d5:extrali1ee5:nodes26:aaaaaaaaaaaaaaaaaaaa\x01\x02\x03\x04\x00\x00e";
        assert_eq!(SavedTable::from_bytes(bytes), Ok(SavedTable::default()));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let field = |key| Err(SavedTableError::Field { key });
        let not_a_dictionary = Err(SavedTableError::NotADictionary);
        assert_eq!(SavedTable::from_bytes(b"le"), not_a_dictionary);
        assert_eq!(SavedTable::from_bytes(b"d2:id2:abe"), field("id"));
        assert_eq!(SavedTable::from_bytes(b"d3:id6i1ee"), field("id6"));
        assert_eq!(SavedTable::from_bytes(b"d5:nodes3:abce"), field("nodes"));
        assert_eq!(SavedTable::from_bytes(b"d6:nodes6le e"), {
            let error = tailwater_bencode::decode(b"d6:nodes6le e").unwrap_err();
            Err(SavedTableError::Bencode(error))
        });
        let long = vec![b'i'; 70_000];
        let result = SavedTable::from_bytes(&long);
        assert!(matches!(result, Err(SavedTableError::Bencode(_))));
    }
}
