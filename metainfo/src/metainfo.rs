//! The checked .torrent file: the info dictionary, and the trackers, seeds and texts around it.

use crate::merkle::PieceLayers;
use crate::parse::{Outer, parse_outer};
use crate::{
    FileEntry, HostPort, Info, Limits, Magnet, MerkleHash, MetainfoError, PieceHashes, Warning,
};

/// A checked .torrent file: v1, v2 or hybrid (BEP 3, BEP 52).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    outer: Outer,
}

impl Metainfo {
    /// Reads a .torrent file, within the default [`Limits`].
    ///
    /// What is not canonical bencode is read leniently; odd optional fields are ignored. [`Metainfo::warnings`] tells
    /// of both.
    ///
    /// # Errors
    ///
    /// When it is not a torrent that can be used; says which field or byte.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MetainfoError> {
        Self::from_bytes_with(bytes, &Limits::default())
    }

    /// Reads a .torrent file, within other limits.
    ///
    /// # Errors
    ///
    /// As [`Metainfo::from_bytes`].
    pub fn from_bytes_with(bytes: &[u8], limits: &Limits) -> Result<Self, MetainfoError> {
        let parsed = parse_outer(bytes, limits);
        let outer = parsed.map_err(|error| match (&error, other_kind(bytes)) {
            (MetainfoError::Bencode(_), Some(kind)) => MetainfoError::OtherKind(kind),
            _ => error,
        })?;
        Ok(Self { outer })
    }

    /// Makes a torrent from an info dictionary that came from peers (BEP 9), with trackers, by tier, and web seeds:
    /// what a magnet link gives. A v2 or hybrid torrent that is made so has no [piece layers](Self::piece_layer); they
    /// come from peers too.
    #[must_use]
    pub fn from_info(info: Info, trackers: Vec<Vec<String>>, web_seeds: Vec<String>) -> Self {
        let outer = Outer {
            trackers,
            web_seeds,
            http_seeds: Vec::new(),
            nodes: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
            piece_layers: info.unknown_layers(),
            warnings: info.warnings().to_vec(),
            info,
        };
        Self { outer }
    }

    /// The same with these web seeds (BEP 19) in place of its own. As in a .torrent file, each is taken once, and the URL for
    /// several files is a folder and ends in a slash.
    #[must_use]
    pub fn with_web_seeds(mut self, urls: Vec<String>) -> Self {
        self.outer.web_seeds = crate::parse::settled(urls, &self.outer.info);
        self
    }

    /// The same with these piece layers, such as those of the same torrent that were kept; others are left aside.
    #[must_use]
    pub fn with_piece_layers(mut self, layers: &PieceLayers) -> Self {
        if self.outer.piece_layers == *layers {
            self.outer.piece_layers = layers.clone();
        }
        self
    }

    pub(crate) const fn outer_mut(&mut self) -> &mut Outer {
        &mut self.outer
    }

    /// The info dictionary, on which all peers must agree.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.outer.info
    }

    /// The trackers' URLs by tier, none of them empty (BEP 12). Their schemes are not checked.
    #[must_use]
    pub fn trackers(&self) -> &[Vec<String>] {
        &self.outer.trackers
    }

    /// The URLs of servers that hold the files as they are (BEP 19).
    #[must_use]
    pub fn web_seeds(&self) -> &[String] {
        &self.outer.web_seeds
    }

    /// The URLs of servers that speak the older protocol of BEP 17.
    #[must_use]
    pub fn http_seeds(&self) -> &[String] {
        &self.outer.http_seeds
    }

    /// DHT nodes that may know the torrent (BEP 5).
    #[must_use]
    pub fn nodes(&self) -> &[HostPort] {
        &self.outer.nodes
    }

    /// Its maker's comment; not safe to print to a terminal as it is.
    #[must_use]
    pub fn comment(&self) -> Option<&str> {
        self.outer.comment.as_deref()
    }

    /// The program that made it; not safe to print to a terminal as it is.
    #[must_use]
    pub fn created_by(&self) -> Option<&str> {
        self.outer.created_by.as_deref()
    }

    /// When it was made, in seconds since 1970.
    #[must_use]
    pub const fn creation_date(&self) -> Option<i64> {
        self.outer.creation_date
    }

    /// The hashes of a file's pieces, for a file of a v2 torrent that is longer than a piece; they have been checked
    /// against [`FileEntry::pieces_root`]. A shorter file has its root as its only hash.
    #[must_use]
    pub fn piece_layer(&self, file: &FileEntry) -> Option<Vec<MerkleHash>> {
        self.outer.piece_layers.hashes(&file.pieces_root()?)
    }

    /// The hashes of the pieces of all such files, as far as they are known. It grows as peers prove more of it.
    #[must_use]
    pub const fn piece_layers(&self) -> &PieceLayers {
        &self.outer.piece_layers
    }

    /// The expected hash of each piece.
    #[must_use]
    pub fn piece_hashes(&self) -> PieceHashes {
        let layers = self.outer.piece_layers.clone();
        PieceHashes::of_torrent(self.info().clone(), layers)
    }

    /// The magnet link: hashes, name, trackers, web seeds.
    #[must_use]
    pub fn magnet(&self) -> Magnet {
        let mut magnet = Magnet::new(self.info().info_hashes());
        magnet.name = Some(self.info().name().to_owned());
        magnet.trackers = self.trackers().concat();
        magnet.web_seeds = self.web_seeds().to_vec();
        magnet
    }

    /// The warnings about it, at most [`Limits::warnings`] and one that counts the rest.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.outer.warnings
    }
}

/// What users most often take for a torrent file, by how it begins: a page that a server sent in its place, or a packed one.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match text.trim_ascii_start() {
        [b'<', ..] => Some("a web page (HTML or XML)"),
        _ if bytes.starts_with(b"\x1f\x8b") => Some("compressed with gzip"),
        _ if bytes.starts_with(b"PK\x03\x04") => Some("a zip archive"),
        _ => None,
    }
}
