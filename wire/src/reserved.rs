//! The eight reserved bytes of the handshake.

use std::fmt;
use std::ops::{BitAnd, BitOr};

/// The features of a peer: the eight reserved bytes of its handshake (BEP 3, assigned in BEP 4).
///
/// Bits without a name here are kept as they came. A feature is in use when both sides set its bit: `ours & theirs`.
///
/// ```
/// use tailwater_wire::Reserved;
///
/// let ours = Reserved::EXTENSION_PROTOCOL | Reserved::FAST;
/// let theirs = Reserved::from_bytes([0, 0, 0, 0, 0, 0x10, 0, 0x01]);
/// assert!((ours & theirs).extension_protocol());
/// assert!(!(ours & theirs).fast());
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Reserved([u8; 8]);

impl Reserved {
    /// No bit: the protocol of BEP 3 and nothing more.
    pub const NONE: Self = Self([0; 8]);
    /// The extension protocol (BEP 10): byte 5, bit 0x10.
    pub const EXTENSION_PROTOCOL: Self = Self([0, 0, 0, 0, 0, 0x10, 0, 0]);
    /// The DHT (BEP 5): byte 7, bit 0x01.
    pub const DHT: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x01]);
    /// The fast extension (BEP 6): byte 7, bit 0x04.
    pub const FAST: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x04]);
    /// A hybrid torrent's peer that can change over to v2 (BEP 52): byte 7, bit 0x10.
    pub const V2: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x10]);

    /// Takes the bytes as they stand in a handshake.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand in a handshake.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// The bits of both; the same as `|`, in constants too.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self((u64::from_be_bytes(self.0) | u64::from_be_bytes(other.0)).to_be_bytes())
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        let wanted = u64::from_be_bytes(other.0);
        u64::from_be_bytes(self.0) & wanted == wanted
    }

    /// Whether the extension protocol's bit is set (BEP 10).
    #[must_use]
    pub const fn extension_protocol(self) -> bool {
        self.contains(Self::EXTENSION_PROTOCOL)
    }

    /// Whether the DHT's bit is set (BEP 5).
    #[must_use]
    pub const fn dht(self) -> bool {
        self.contains(Self::DHT)
    }

    /// Whether the fast extension's bit is set (BEP 6).
    #[must_use]
    pub const fn fast(self) -> bool {
        self.contains(Self::FAST)
    }

    /// Whether the v2 upgrade's bit is set (BEP 52).
    #[must_use]
    pub const fn v2(self) -> bool {
        self.contains(Self::V2)
    }
}

/// The union: sets the bits of both.
impl BitOr for Reserved {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// The intersection: what both sides have.
impl BitAnd for Reserved {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self((u64::from_be_bytes(self.0) & u64::from_be_bytes(other.0)).to_be_bytes())
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.extension_protocol(), "extension protocol"),
            (self.dht(), "dht"),
            (self.fast(), "fast"),
            (self.v2(), "v2"),
        ];
        write!(f, "Reserved({:016x}", u64::from_be_bytes(self.0))?;
        for (_, name) in names.iter().filter(|(set, _)| *set) {
            write!(f, ", {name}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_stands_where_bep_4_assigns_it() {
        for (bit, number, query) in [
            (
                Reserved::EXTENSION_PROTOCOL,
                20,
                Reserved::extension_protocol as fn(Reserved) -> bool,
            ),
            (Reserved::DHT, 0, Reserved::dht),
            (Reserved::FAST, 2, Reserved::fast),
            (Reserved::V2, 4, Reserved::v2),
        ] {
            assert_eq!(u64::from_be_bytes(bit.to_bytes()), 1 << number, "{bit:?}");
            assert!(query(bit));
            assert!(!query(Reserved::from_bytes(
                (!(1_u64 << number)).to_be_bytes()
            )));
        }
    }

    #[test]
    fn only_what_both_have_is_in_force() {
        let ours = Reserved::EXTENSION_PROTOCOL | Reserved::FAST;
        let theirs = Reserved::FAST | Reserved::DHT;
        assert_eq!(ours & theirs, Reserved::FAST);
        assert!(ours.contains(Reserved::FAST));
        assert!(!ours.contains(theirs));
    }

    #[test]
    fn unnamed_bits_are_kept_and_shown() {
        let reserved = Reserved::from_bytes([0x80, 0, 0, 0, 0, 0x10, 0, 0x04]);
        assert_eq!(Reserved::from_bytes(reserved.to_bytes()), reserved);
        assert_eq!(
            format!("{reserved:?}"),
            "Reserved(8000000000100004, extension protocol, fast)"
        );
    }
}
