//! Identifiers: info-hashes, peer ids, hashes of pieces and of hash trees.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// The 20-byte name of a torrent on the wire, in trackers and in the DHT (BEP 3).
///
/// For a v2-only torrent this is the truncated SHA-256 (BEP 52); see [`InfoHashV2::truncated`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash([u8; 20]);

/// The SHA-256 of a v2 info dictionary (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2([u8; 32]);

/// The 20-byte id that a peer gives itself (BEP 3, BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 20]);

/// The SHA-1 of one v1 piece (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceHash([u8; 20]);

/// A node of a v2 file's hash tree: a leaf, a piece's hash or the file's `pieces root` (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MerkleHash([u8; 32]);

/// A text that is not the hex form of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseHexError {
    /// How many digits the identifier has.
    pub expected: usize,
}

impl fmt::Display for ParseHexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} hexadecimal digits", self.expected)
    }
}

impl std::error::Error for ParseHexError {}

macro_rules! identifier {
    ($name:ident, $len:literal) => {
        impl $name {
            /// Wraps the raw bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        /// Lower-case hexadecimal.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                HEXLOWER.encode_display(&self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        /// Hexadecimal in either case.
        impl FromStr for $name {
            type Err = ParseHexError;

            fn from_str(text: &str) -> Result<Self, ParseHexError> {
                let error = ParseHexError { expected: $len * 2 };
                let digits = text.as_bytes();
                if digits.len() != $len * 2 {
                    return Err(error);
                }
                let mut bytes = [0; $len];
                let decoded = HEXLOWER_PERMISSIVE.decode_mut(digits, &mut bytes);
                decoded.map(|_| Self(bytes)).map_err(|_| error)
            }
        }
    };
}

identifier!(InfoHash, 20);
identifier!(InfoHashV2, 32);
identifier!(PeerId, 20);
identifier!(PieceHash, 20);
identifier!(MerkleHash, 32);

impl InfoHashV2 {
    /// The first 20 bytes, by which a v2 torrent is known on the wire (BEP 52).
    #[must_use]
    pub fn truncated(&self) -> InfoHash {
        let mut bytes = [0; 20];
        bytes.copy_from_slice(&self.0[..20]);
        InfoHash(bytes)
    }
}

/// The hashes by which a torrent is known: v1, v2, or both for a hybrid (BEP 3, BEP 52).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every place that builds one must think of a third kind of hash"
)]
pub struct InfoHashes {
    /// The SHA-1 of the info dictionary, if the torrent has v1 pieces.
    pub v1: Option<InfoHash>,
    /// The SHA-256 of the info dictionary, if the torrent has a v2 file tree.
    pub v2: Option<InfoHashV2>,
}

impl InfoHashes {
    /// The 20 bytes for handshakes, trackers and the DHT: v1 where there is one, else v2 truncated (BEP 52).
    #[must_use]
    pub fn wire(&self) -> Option<InfoHash> {
        self.names().next()
    }

    /// All names on the wire, [`wire`](Self::wire) first: a hybrid torrent has two, and a swarm under each (BEP 52).
    pub fn names(&self) -> impl Iterator<Item = InfoHash> + use<> {
        let v2 = self.v2.map(|hash| hash.truncated());
        let v1 = self.v1;
        v1.into_iter().chain(v2.filter(|v2| v1 != Some(*v2)))
    }

    /// The name to which a connection of a hybrid torrent that began under the v1 hash can change over (BEP 52).
    #[must_use]
    pub fn upgrade(&self) -> Option<InfoHash> {
        self.names().nth(1)
    }

    /// Whether a connection under this name speaks v2 (BEP 52).
    #[must_use]
    pub fn is_v2(&self, name: InfoHash) -> bool {
        self.v2.is_some_and(|hash| hash.truncated() == name)
    }
}

impl From<InfoHash> for InfoHashes {
    fn from(hash: InfoHash) -> Self {
        Self {
            v1: Some(hash),
            v2: None,
        }
    }
}

impl From<InfoHashV2> for InfoHashes {
    fn from(hash: InfoHashV2) -> Self {
        Self {
            v1: None,
            v2: Some(hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_in_either_case() {
        let text = "0123456789abcdef0123456789ABCDEF01234567";
        let hash: InfoHash = text.parse().unwrap();
        assert_eq!(hash.to_string(), text.to_ascii_lowercase());
    }

    #[test]
    fn hex_of_the_wrong_length_or_alphabet_is_refused() {
        let error = ParseHexError { expected: 40 };
        assert_eq!("01".parse::<InfoHash>(), Err(error));
        assert_eq!("g".repeat(40).parse::<InfoHash>(), Err(error));
        assert_eq!("é".repeat(20).parse::<InfoHash>(), Err(error));
    }

    #[test]
    fn a_v2_hash_is_truncated_to_its_first_bytes() {
        let mut bytes = [7; 32];
        bytes[19] = 9;
        let mut expected = [7; 20];
        expected[19] = 9;
        assert_eq!(InfoHashV2::new(bytes).truncated(), InfoHash::new(expected));
    }

    #[test]
    fn a_hybrid_has_two_names_and_others_one() {
        let (v1, v2) = (InfoHash::new([1; 20]), InfoHashV2::new([2; 32]));
        let hybrid = InfoHashes {
            v1: Some(v1),
            v2: Some(v2),
        };
        assert_eq!(hybrid.names().collect::<Vec<_>>(), [v1, v2.truncated()]);
        assert_eq!(hybrid.upgrade(), Some(v2.truncated()));
        assert!(hybrid.is_v2(v2.truncated()) && !hybrid.is_v2(v1));
        for (hashes, name) in [(v1.into(), v1), (InfoHashes::from(v2), v2.truncated())] {
            assert_eq!(hashes.names().collect::<Vec<_>>(), [name]);
            assert_eq!((hashes.wire(), hashes.upgrade()), (Some(name), None));
        }
    }
}
