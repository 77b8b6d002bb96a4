//! The eight reserved bytes of the handshake.

use std::fmt;

use bitflags::bitflags;

bitflags! {
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
    pub struct Reserved: u64 {
        /// The extension protocol (BEP 10): byte 5, bit 0x10.
        const EXTENSION_PROTOCOL = 1 << 20;
        /// The DHT (BEP 5): byte 7, bit 0x01.
        const DHT = 1;
        /// The fast extension (BEP 6): byte 7, bit 0x04.
        const FAST = 1 << 2;
        /// A hybrid torrent's peer that can change over to v2 (BEP 52): byte 7, bit 0x10.
        const V2 = 1 << 4;
        // The others may be assigned: none is dropped.
        const _ = !0;
    }
}

impl Reserved {
    /// No bit: the protocol of BEP 3 and nothing more.
    pub const NONE: Self = Self::empty();

    /// Takes the bytes as they stand in a handshake.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self::from_bits_retain(u64::from_be_bytes(bytes))
    }

    /// The bytes as they stand in a handshake.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.bits().to_be_bytes()
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

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.extension_protocol(), "extension protocol"),
            (self.dht(), "dht"),
            (self.fast(), "fast"),
            (self.v2(), "v2"),
        ];
        write!(f, "Reserved({:016x}", self.bits())?;
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
