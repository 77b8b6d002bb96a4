//! The checked info dictionary of a torrent, and its files.

use crate::merkle::{Layer, PieceLayers, TreeFile};
use crate::parse::parse_info;
use crate::raw_path::on_this_platform;
use crate::{
    Geometry, InfoHash, InfoHashes, Limits, MerkleHash, MetainfoError, PieceHash, PieceHashes,
    PieceIndex, SafePath, Warning,
};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// The attributes of a file (BEP 47).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attributes {
    /// `p`: zeros that only align the next file to a piece; not to be written.
    pub pad: bool,
    /// `x`
    pub executable: bool,
    /// `h`
    pub hidden: bool,
    /// `l`
    pub symlink: bool,
}

/// One file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    pub(crate) path: SafePath,
    pub(crate) original_path: Option<Box<str>>,
    /// The components joined by slashes, the torrent's name included.
    pub(crate) raw_path: Option<Box<[u8]>>,
    pub(crate) length: u64,
    pub(crate) offset: u64,
    pub(crate) attributes: Attributes,
    pub(crate) symlink: Option<SafePath>,
    pub(crate) pieces_root: Option<MerkleHash>,
}

impl FileEntry {
    /// The path at which it is stored, relative to the download folder. It begins with the torrent's name, also in a
    /// torrent of several files. No two files that are not pad files have paths that differ only in case.
    #[must_use]
    pub const fn path(&self) -> &SafePath {
        &self.path
    }

    /// The path in the torrent as text for display, without the torrent's name, where it is not the one that is used.
    /// It is not safe.
    #[must_use]
    pub fn original_path(&self) -> Option<&str> {
        self.original_path.as_deref()
    }

    /// The path at which another program would have stored it: the path as it is in the torrent, relative to the
    /// download folder like [`FileEntry::path`], if it differs from that and each component is a plain name on this
    /// platform. Joined to a folder, it stays inside, unless a link there leads out. Two files may have the same, and
    /// one may have the [`FileEntry::path`] of another.
    ///
    /// To be used for files that exist, never to make one: such a name may be invisible, or mislead.
    #[must_use]
    pub fn path_in_torrent(&self) -> Option<PathBuf> {
        on_this_platform(self.raw_path.as_deref()?)
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Where it begins, in bytes from the beginning of the torrent.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Its bytes in the torrent.
    #[must_use]
    pub const fn range(&self) -> Range<u64> {
        // The sum was checked at parse.
        self.offset..self.offset + self.length
    }

    /// Its BEP 47 attributes.
    #[must_use]
    pub const fn attributes(&self) -> Attributes {
        self.attributes
    }

    /// Whether it is a pad file: zeros that are not to be written (BEP 47).
    #[must_use]
    pub const fn is_pad(&self) -> bool {
        self.attributes.pad
    }

    /// What it points to, if it is a symlink (BEP 47): a path like [`FileEntry::path`], relative to the download
    /// folder and not to the link.
    #[must_use]
    pub const fn symlink_target(&self) -> Option<&SafePath> {
        self.symlink.as_ref()
    }

    /// The root of its hash tree, if the torrent has v2 data and the file is not empty (BEP 52).
    #[must_use]
    pub const fn pieces_root(&self) -> Option<MerkleHash> {
        self.pieces_root
    }
}

/// A checked info dictionary: what peers must agree on, and what the info-hash is the hash of. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info(Arc<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inner {
    pub(crate) raw: Vec<u8>,
    pub(crate) name: SafePath,
    pub(crate) original_name: Option<Box<str>>,
    pub(crate) hashes: InfoHashes,
    pub(crate) geometry: Geometry,
    pub(crate) files: Vec<FileEntry>,
    /// Where the v1 piece hashes are in `raw`; there is one for each piece.
    pub(crate) pieces: Option<Range<usize>>,
    pub(crate) is_private: bool,
    pub(crate) is_multi_file: bool,
    pub(crate) warnings: Vec<Warning>,
}

impl Info {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn to_inner(&self) -> Inner {
        Inner::clone(&self.0)
    }

    /// Checks a raw info dictionary, such as peers send (BEP 9), within the default [`Limits`].
    ///
    /// Offsets in errors count from its beginning. The caller has to compare its hash.
    ///
    /// # Errors
    ///
    /// When it is not an info dictionary that can be used; says which field or byte.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MetainfoError> {
        parse_info(bytes, &Limits::default())
    }

    /// As [`Info::from_bytes`], within other limits.
    ///
    /// # Errors
    ///
    /// As [`Info::from_bytes`].
    pub fn from_bytes_with(bytes: &[u8], limits: &Limits) -> Result<Self, MetainfoError> {
        parse_info(bytes, limits)
    }

    /// The name: the file's, or that of the folder that holds the files. One safe component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// The name in the torrent as text for display, where it is not the one that is used. It is not safe.
    #[must_use]
    pub fn original_name(&self) -> Option<&str> {
        self.0.original_name.as_deref()
    }

    /// The hashes of the dictionary as it was received, never of a re-encoding.
    #[must_use]
    pub fn info_hashes(&self) -> InfoHashes {
        self.0.hashes
    }

    /// Its name on the wire: the v1 hash if it has one, else the v2 hash truncated (BEP 52).
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        // A dictionary with neither v1 pieces nor a v2 file tree is refused when it is read.
        self.0.hashes.wire().unwrap_or(InfoHash::new([0; 20]))
    }

    /// The layout of pieces and blocks.
    ///
    /// In a v2-only torrent each file begins with a piece of its own (BEP 52): its pieces are those of
    /// [`Geometry::aligned`], and the positions from a file's end to the next piece hold no byte.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.0.geometry
    }

    /// The files by offset, pad files included.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.0.files
    }

    /// The SHA-1 of a piece; `None` in a v2-only torrent, or for a piece of a larger torrent.
    #[must_use]
    pub fn piece_hash(&self, piece: PieceIndex) -> Option<PieceHash> {
        let hashes = self.0.raw.get(self.0.pieces.clone()?)?;
        let (hashes, _) = hashes.as_chunks::<20>();
        hashes.get(piece.as_usize()).copied().map(PieceHash::new)
    }

    /// The expected hash of each piece. Without the piece layers of a .torrent file, nothing is known of the pieces of
    /// a v2-only torrent's longer files, and of a hybrid's only the v1 hash; see
    /// [`Metainfo::piece_hashes`](crate::Metainfo::piece_hashes).
    #[must_use]
    pub fn piece_hashes(&self) -> PieceHashes {
        PieceHashes::of_torrent(self.clone(), PieceLayers::default())
    }

    /// The files that have a hash tree (BEP 52).
    pub(crate) fn tree_files(&self) -> impl Iterator<Item = (&FileEntry, TreeFile)> {
        let geometry = self.geometry();
        let files = self.files().iter().filter(|file| file.length() > 0);
        files.filter_map(move |file| {
            let tree = TreeFile {
                root: file.pieces_root()?,
                len: file.length(),
                first_piece: geometry.number_at(file.offset()),
            };
            Some((file, tree))
        })
    }

    /// The files that have a piece layer: they are longer than a piece.
    pub(crate) fn layered_files(&self) -> impl Iterator<Item = (&FileEntry, TreeFile)> {
        let piece_length = u64::from(self.geometry().piece_length());
        self.tree_files()
            .filter(move |(file, _)| file.length() > piece_length)
    }

    /// The piece layers, of which the dictionary says nothing.
    pub(crate) fn unknown_layers(&self) -> PieceLayers {
        let piece_length = self.geometry().piece_length();
        let files = self.tree_files().map(|(_, file)| file);
        PieceLayers::new(files, piece_length, |file| {
            Layer::unknown(file.root, file.len, piece_length)
        })
    }

    /// Whether only its trackers may be asked for peers (BEP 27).
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.0.is_private
    }

    /// Whether the files lie in a folder of the torrent's name.
    #[must_use]
    pub fn is_multi_file(&self) -> bool {
        self.0.is_multi_file
    }

    /// The bytes of all files that are not pad files.
    #[must_use]
    pub fn payload_len(&self) -> u64 {
        let files = self.0.files.iter().filter(|file| !file.is_pad());
        files.map(FileEntry::length).sum()
    }

    /// The dictionary as received: what goes to peers that ask for the metadata.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }

    /// The warnings about it, at most [`Limits::warnings`] and one that counts the rest.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.0.warnings
    }
}
