//! Mutable torrents: a magnet link to whatever torrent a publisher names at present (BEP 46).

use std::fmt;
use std::str::FromStr;

use tailwater_bencode::{Item as Bencode, encode};
use tailwater_types::InfoHash;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use super::{ItemKey, ItemValue, PublicKey};
use crate::{MAX_SALT_LEN, NodeId, Salt};

/// A link of [BEP 46](https://www.bittorrent.org/beps/bep_0046.html): it names the mutable item whose value is the
/// current torrent's info-hash. `magnet:?xs=urn:btpk:KEY&s=SALT`, both in hexadecimal, the salt optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MutableTorrent {
    /// The publisher.
    pub key: PublicKey,
    /// Which of its torrents.
    pub salt: Salt,
}

/// Why a link does not name a mutable torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MutableTorrentError {
    /// Not a magnet link, or one without `xs=urn:btpk:`.
    #[error("no `xs=urn:btpk:` in a magnet link")]
    NoKey,
    /// The key is not 64 hexadecimal digits.
    #[error("`xs` is not a public key of 64 hexadecimal digits")]
    InvalidKey,
    /// The salt is not hexadecimal, or too long.
    #[error("`s` is not a salt of at most {MAX_SALT_LEN} bytes in hexadecimal")]
    InvalidSalt,
}

impl MutableTorrent {
    /// The key of the item to look up.
    #[must_use]
    pub const fn item_key(&self) -> ItemKey {
        ItemKey::Mutable {
            key: self.key,
            salt: self.salt,
        }
    }

    /// The id whose nearest nodes store the item.
    #[must_use]
    pub fn target(&self) -> NodeId {
        self.item_key().target()
    }

    /// The torrent that an item's value names, if it names one.
    #[must_use]
    pub fn info_hash(value: &ItemValue) -> Option<InfoHash> {
        let document = value.decode().ok()?;
        let hash = document.root().as_dict()?.get_bytes("ih")?;
        hash.try_into().ok().map(InfoHash::new)
    }

    /// The value that names a torrent, to be signed and put.
    #[must_use]
    pub fn value(info_hash: &InfoHash) -> ItemValue {
        let entry = ("ih".as_bytes(), Bencode::bytes(info_hash.as_bytes()));
        let dict = Bencode::Dict([(entry.0.into(), entry.1)].into());
        // Thirty bytes of canonical bencode are a value.
        ItemValue::new(&encode(&dict)).unwrap_or_else(|_| unreachable!("a short canonical value"))
    }
}

impl FromStr for MutableTorrent {
    type Err = MutableTorrentError;

    fn from_str(link: &str) -> Result<Self, MutableTorrentError> {
        let (scheme, parameters) = link.split_once(":?").ok_or(MutableTorrentError::NoKey)?;
        if !scheme.eq_ignore_ascii_case("magnet") {
            return Err(MutableTorrentError::NoKey);
        }
        let find = |name: &str| {
            let mut pairs = parameters
                .split('&')
                .filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let key = find("xs").and_then(|source| source.strip_prefix("urn:btpk:"));
        let key = key.ok_or(MutableTorrentError::NoKey)?;
        let key = key.parse().map_err(|_| MutableTorrentError::InvalidKey)?;
        let salt = match find("s") {
            None => Salt::default(),
            Some(salt) => from_hex(salt).ok_or(MutableTorrentError::InvalidSalt)?,
        };
        Ok(Self { key, salt })
    }
}

fn from_hex(text: &str) -> Option<Salt> {
    if text.len() / 2 > MAX_SALT_LEN {
        return None;
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
    Salt::new(&bytes).ok()
}

impl fmt::Display for MutableTorrent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "magnet:?xs=urn:btpk:{}", self.key)?;
        let salt = self.salt.as_bytes();
        if !salt.is_empty() {
            f.write_str("&s=")?;
            HEXLOWER.encode_display(salt).fmt(f)?;
        }
        Ok(())
    }
}
