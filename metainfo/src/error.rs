//! Errors and warnings of reading metainfo.

use crate::GeometryError;
use tailwater_bencode::DecodeError;

/// A .torrent file or info dictionary that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetainfoError {
    /// It is longer than [`Limits::len`](crate::Limits::len).
    #[error("{len} bytes are more than the {max} that a torrent file may have")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// It is not bencode.
    #[error("not a torrent file: {0}")]
    Bencode(#[from] DecodeError),
    /// It is a file of another kind, by how it begins.
    #[error("not a torrent file: it is {0}")]
    OtherKind(&'static str),
    /// A field that is needed is not there.
    #[error("{field} is missing")]
    Missing {
        /// The path of the field, such as `info.files[3].length`.
        field: String,
    },
    /// A field has a value that cannot be used.
    #[error("{field} at byte {offset}: {problem}")]
    Field {
        /// The path of the field, such as `info.files[3].length`.
        field: String,
        /// Where its value begins, in bytes from the beginning of the input.
        offset: usize,
        /// What is wrong with it.
        problem: FieldProblem,
    },
}

/// The defect of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldProblem {
    /// It is of another type.
    #[error("not {0}")]
    NotA(&'static str),
    /// It is a number below 0.
    #[error("{0} is negative")]
    Negative(i64),
    /// The sum of the files' lengths, up to this one, does not fit 64 bits.
    #[error("the sum of the files' lengths overflows")]
    SumOverflow,
    /// The lengths do not make a torrent.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// A v2 piece length is not a power of two of at least 16 KiB (BEP 52).
    #[error("piece length {0} is not a power of two of at least 16384 bytes")]
    PieceLengthV2(u64),
    /// The piece hashes are not a multiple of 20 bytes (BEP 3).
    #[error("{0} bytes are no whole number of 20-byte hashes")]
    PiecesLength(usize),
    /// There are more or fewer piece hashes than pieces.
    #[error("{found} piece hashes where {expected} pieces are")]
    PieceCount {
        /// Pieces by the files' sizes.
        expected: u32,
        /// Hashes that came.
        found: usize,
    },
    /// It is empty, which is not allowed.
    #[error("empty")]
    Empty,
    /// Nothing of the name of the only file was left after it was made safe.
    #[error("no usable name is left of {0:?}")]
    NothingLeft(String),
    /// A path has more components than [`Limits::directory_depth`](crate::Limits::directory_depth).
    #[error("a path of more than {0} components")]
    TooDeep(usize),
    /// The paths take more than [`Limits::path_bytes`](crate::Limits::path_bytes).
    #[error("paths of more than {0} bytes in all")]
    PathBytes(usize),
    /// More than [`Limits::duplicate_names`](crate::Limits::duplicate_names) files are on a path that is taken.
    #[error("more than {0} files on a path that is taken")]
    DuplicateNames(usize),
    /// A symlink's target is outside the torrent (BEP 47).
    #[error("the target {0:?} is outside the torrent")]
    EscapingSymlink(String),
    /// `length` and `files` are both there (BEP 3).
    #[error("both length and files")]
    LengthAndFiles,
    /// The `meta version` is one that BEP 52 does not define.
    #[error("version {0} of the metainfo format is not known")]
    Version(i64),
    /// A file of the v2 tree has siblings inside its own node, or the tree's root is a file (BEP 52).
    #[error("a node of the file tree that is both a file and a directory")]
    FileAndDirectory,
    /// A v2 file tree lists a pad file (BEP 52).
    #[error("a pad file in a v2 file tree")]
    PadInTree,
    /// The names in a directory of the v2 tree are not in order (BEP 52): where its files begin would depend on the reader.
    #[error("names of the file tree that are not in order")]
    Unordered,
    /// A hash is all zeros, which no file has.
    #[error("a hash of zeros")]
    ZeroHash,
    /// A hash is not 32 bytes long.
    #[error("{0} bytes where a hash of 32 is due")]
    HashLength(usize),
    /// A file's piece layer has the wrong number of bytes.
    #[error("a piece layer of {found} bytes where {expected} are due")]
    LayerLength {
        /// Bytes by the file's size.
        expected: u64,
        /// Bytes that came.
        found: usize,
    },
    /// A piece layer belongs to no file that is longer than a piece.
    #[error("a piece layer that belongs to no file")]
    StrayLayer,
    /// A piece layer does not hash to its file's `pieces root`.
    #[error("the piece layer does not match the file's pieces root")]
    LayerMismatch,
    /// The v1 and the v2 half of a hybrid torrent differ (BEP 52).
    #[error("the v1 and v2 file lists differ: {0}")]
    Hybrid(String),
}

/// A defect that does not make a torrent unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// The file is not canonical bencode; it was read leniently.
    #[error("not canonical bencode: {0}")]
    NotCanonical(DecodeError),
    /// An optional field has an unusable value and is ignored.
    #[error("{field} at byte {offset} is ignored: not {expected}")]
    Ignored {
        /// The path of the field.
        field: String,
        /// Where its value begins, in bytes from the beginning of the input.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// A field is of the wrong type, but its meaning is clear.
    #[error("{field} at byte {offset} should be {expected}")]
    Odd {
        /// The path of the field.
        field: String,
        /// Where its value begins, in bytes from the beginning of the input.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// The torrent's name was made safe.
    #[error("the name {original:?} is changed to {safe:?}")]
    NameChanged {
        /// The name in the torrent.
        original: String,
        /// The name that is used.
        safe: String,
    },
    /// A file's path was made safe.
    #[error("the path {original:?} of file {file} is changed to {safe:?}")]
    PathChanged {
        /// The number of the file in [`Info::files`](crate::Info::files).
        file: usize,
        /// The path in the torrent.
        original: String,
        /// The path that is used.
        safe: String,
    },
    /// A file was renamed because an earlier file or a directory is on its path.
    #[error("the path {original:?} of file {file} is taken: changed to {safe:?}")]
    PathTaken {
        /// The number of the file in [`Info::files`](crate::Info::files).
        file: usize,
        /// The path as it was, made safe.
        original: String,
        /// The path that is used.
        safe: String,
    },
    /// A symlink has a length; it is taken to be 0 (BEP 47).
    #[error("{field} at byte {offset} is ignored: a symlink has no length")]
    SymlinkLength {
        /// The path of the field.
        field: String,
        /// Where its value begins, in bytes from the beginning of the input.
        offset: usize,
    },
    /// A symlink points to nothing in the torrent (BEP 47).
    #[error("file {file} is a symlink to {target:?}, which the torrent does not have")]
    DanglingSymlink {
        /// The number of the file in [`Info::files`](crate::Info::files).
        file: usize,
        /// Where it points to.
        target: String,
    },
    /// A file longer than a piece has no piece layer (BEP 52). Peers can send it, as for a magnet link.
    #[error("no piece layer for the file {0:?}")]
    LayerMissing(String),
    /// There are more warnings than are kept.
    #[error("{0} more warnings")]
    More(usize),
}
