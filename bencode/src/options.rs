//! Options of decoding: strictness and limits.

/// Limits on one decode. Every limit is checked before memory is allocated for what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many lists and dictionaries may be open at once. Default 100, as in libtorrent; real torrents need 5, a v2
    /// file tree two more for each directory.
    pub depth: u32,
    /// How many values there may be in all, dictionary keys included. Default 3 000 000. Each costs
    /// 16 bytes, so this bounds the decoder's memory (to twice 48 MB, while the table grows).
    pub tokens: u32,
    /// The longest string, in bytes. Default 64 MiB: the piece hashes of a torrent of 2^21 pieces fit.
    pub string_len: u32,
    /// The longest input, in bytes. Default [`u32::MAX`], which is also the most: offsets are kept in 32 bits.
    pub input_len: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 100,
            tokens: 3_000_000,
            string_len: 64 * 1024 * 1024,
            input_len: u32::MAX,
        }
    }
}

/// Which deviations from canonical bencode are accepted, and the [`Limits`].
///
/// BEP 3 demands sorted unique keys and minimal integers, which is what [`Options::strict`] checks. Old software writes
/// other things too; each flag lets one of them pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Let dictionary keys come in any order. Then a duplicate is noticed only where it follows its twin directly, and
    /// [`Dict::get`](crate::Dict::get) finds the first.
    pub unsorted_keys: bool,
    /// Let a key follow an equal key. [`Dict::get`](crate::Dict::get) finds the first, as libtorrent does;
    /// [`Dict::iter`](crate::Dict::iter) yields all.
    pub duplicate_keys: bool,
    /// Let integers and string lengths begin with superfluous zeros: `i007e`, `03:abc`, `i-05e`.
    pub leading_zeros: bool,
    /// Let `i-0e` stand for 0.
    pub negative_zero: bool,
    /// Ignore what follows the value.
    pub trailing_bytes: bool,
    /// How large the input may be.
    pub limits: Limits,
}

impl Options {
    /// Canonical bencode only, with the default [`Limits`]: exactly one byte sequence is accepted for each value.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            unsorted_keys: false,
            duplicate_keys: false,
            leading_zeros: false,
            negative_zero: false,
            trailing_bytes: false,
            limits: Limits::default(),
        }
    }

    /// Everything that has one plausible meaning, with the default [`Limits`]: all five flags are set.
    #[must_use]
    pub fn lenient() -> Self {
        Self {
            unsorted_keys: true,
            duplicate_keys: true,
            leading_zeros: true,
            negative_zero: true,
            trailing_bytes: true,
            limits: Limits::default(),
        }
    }

    /// The same strictness with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// [`Options::strict`].
impl Default for Options {
    fn default() -> Self {
        Self::strict()
    }
}
