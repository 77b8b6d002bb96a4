//! Keys that the engine chooses, by which a storage tells suppliers and readers apart.

/// Names a supplier of blocks among those of its torrent: a connection to a peer, or a web seed.
///
/// The engine chooses the number and never uses one twice for the same torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SupplierKey(u64);

impl SupplierKey {
    /// The supplier of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Names a reader among those of its torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderKey(u64);

impl ReaderKey {
    /// A key from a number that no other reader of the torrent has had.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number it was made from.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}
