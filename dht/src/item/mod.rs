//! Items: small values that the network keeps (BEP 44).

mod mutable;
mod torrent;
mod value;

pub use mutable::{InvalidSignatureError, MutableItem, PublicKey, SecretKey, Signature};
pub use torrent::{MutableTorrent, MutableTorrentError};
pub use value::{ItemValue, ItemValueError};

use sha1::{Digest, Sha1};

use crate::{NodeId, Salt};

/// Something that is stored in the network (BEP 44).
// Not `#[non_exhaustive]`: BEP 44 has two kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Found by its hash.
    Immutable(ItemValue),
    /// Found by its owner's key, and replaced by its owner.
    Mutable(MutableItem),
}

/// What to ask the network for (BEP 44).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Not `#[non_exhaustive]`: BEP 44 has two kinds.
pub enum ItemKey {
    /// The item whose value has this SHA-1.
    Immutable(NodeId),
    /// The newest item of a key and a salt.
    Mutable {
        /// The owner's public key.
        key: PublicKey,
        /// Tells several items of one owner apart.
        salt: Salt,
    },
}

impl Item {
    /// The value.
    #[must_use]
    pub const fn value(&self) -> &ItemValue {
        match self {
            Self::Immutable(value) => value,
            Self::Mutable(item) => item.value(),
        }
    }

    /// The key that the item is looked up by.
    #[must_use]
    pub fn key(&self) -> ItemKey {
        match self {
            Self::Immutable(value) => ItemKey::Immutable(value.target()),
            Self::Mutable(item) => ItemKey::Mutable {
                key: item.key(),
                salt: item.salt(),
            },
        }
    }

    /// The id whose nearest nodes store the item.
    #[must_use]
    pub fn target(&self) -> NodeId {
        self.key().target()
    }

    /// Its sequence number, if it is mutable.
    #[must_use]
    pub const fn seq(&self) -> Option<i64> {
        match self {
            Self::Immutable(_) => None,
            Self::Mutable(item) => Some(item.seq()),
        }
    }
}

impl ItemKey {
    /// The id whose nearest nodes store the item.
    #[must_use]
    pub fn target(&self) -> NodeId {
        match self {
            Self::Immutable(target) => *target,
            Self::Mutable { key, salt } => {
                let hash = Sha1::new().chain_update(key.as_bytes());
                let hash: [u8; 20] = hash.chain_update(salt.as_bytes()).finalize().into();
                hash.into()
            }
        }
    }
}
