//! Positions in a torrent's tables of pieces and files.

use std::fmt;

/// The index of a piece that its torrent is known to have; made by [`Geometry::piece`](crate::Geometry::piece).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(u32);

impl PieceIndex {
    /// Wraps an index that the caller has checked against a piece count.
    pub(crate) const fn new_checked(index: u32) -> Self {
        Self(index)
    }

    /// The index as it goes over the wire.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The index as a position in a table of pieces.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// The position of a file in its torrent's list of files, pad files included.
///
/// Unlike a [`PieceIndex`] it is not checked when it is made, as users type it. Each function that takes one documents
/// what happens if the torrent has no such file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIndex(u32);

impl FileIndex {
    /// Wraps a position, counted from 0.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The position, counted from 0.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The position as an index into a slice.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl From<u32> for FileIndex {
    fn from(index: u32) -> Self {
        Self(index)
    }
}

macro_rules! index_format {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

index_format!(PieceIndex);
index_format!(FileIndex);
