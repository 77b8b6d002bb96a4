//! Encodes a created torrent as a .torrent file.

use super::hasher::PieceHashed;
use super::layout::Layout;
use super::walk::{Found, FoundFile};
use super::{Creator, Symlinks, TorrentVersion};
use crate::MerkleHash;
use crate::merkle::{piece_layer_height, root};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tailwater_bencode::{Item, encode};

/// What the info dictionary says of the bytes of the files.
pub(super) struct Hashed {
    /// The SHA-1 of all pieces, one after the other.
    v1: Option<Vec<u8>>,
    /// For each file its root, if it is not empty, and its piece layer, if it is longer than a piece.
    v2: Option<Vec<FileHashed>>,
}

#[derive(Default)]
struct FileHashed {
    root: Option<MerkleHash>,
    layer: Vec<u8>,
}

impl Hashed {
    /// Puts the hashes of pieces together.
    pub(super) fn new(
        files: &[FoundFile],
        layout: &Layout,
        version: TorrentVersion,
        pieces: &[PieceHashed],
    ) -> Self {
        let v1 = pieces.iter().filter_map(|piece| piece.v1);
        let v1 = version.has_v1().then(|| v1.flatten().collect());
        let v2 = version.has_v2().then(|| {
            let files = files.iter().zip(&layout.starts);
            files
                .map(|(file, start)| FileHashed::new(file.length, *start, layout, pieces))
                .collect()
        });
        Self { v1, v2 }
    }
}

impl FileHashed {
    fn new(len: u64, start: u64, layout: &Layout, pieces: &[PieceHashed]) -> Self {
        let piece_length = layout.geometry.piece_length();
        let first = layout.geometry.number_at(start) as usize;
        let count = usize::try_from(len.div_ceil(u64::from(piece_length))).unwrap_or(usize::MAX);
        let own = pieces.iter().skip(first).take(count);
        let nodes: Vec<_> = own.filter_map(|piece| piece.v2).collect();
        match nodes.as_slice() {
            [] => Self::default(),
            [root] => Self {
                root: Some(*root),
                layer: Vec::new(),
            },
            nodes => Self {
                root: root(nodes.iter().copied(), piece_layer_height(piece_length)),
                layer: nodes.iter().flat_map(|node| *node.as_bytes()).collect(),
            },
        }
    }
}

impl Creator {
    /// The .torrent file.
    pub(super) fn encode(
        &self,
        name: &str,
        found: &Found,
        layout: &Layout,
        hashed: &Hashed,
    ) -> Vec<u8> {
        let piece_length = layout.geometry.piece_length();
        let mut info = vec![
            ("name", name.into()),
            ("piece length", i64::from(piece_length).into()),
        ];
        // The v1 torrents that were made so far have none, and keep their info-hash.
        let has_attributes = hashed.v2.is_some() || self.symlinks == Symlinks::Keep;
        if let Some(pieces) = &hashed.v1 {
            info.push(("pieces", pieces.as_slice().into()));
            if found.is_folder {
                let files = found.files.iter().zip(&layout.pads);
                let files = files.flat_map(|(file, pad)| file_items(file, *pad, has_attributes));
                info.push(("files", Item::list(files)));
            } else {
                let length = found.files.iter().map(|file| file.length).sum();
                info.push(("length", length_item(length)));
                let attributes = found.files.first().map(FoundFile::attributes);
                info.extend(attributes.filter(|_| has_attributes).flatten().map(attr));
            }
        }
        if let Some(files) = &hashed.v2 {
            info.push(("meta version", 2.into()));
            info.push(("file tree", file_tree(name, found, files)));
        }
        if self.is_private {
            info.push(("private", 1.into()));
        }
        if let Some(source) = &self.source {
            info.push(("source", source.as_str().into()));
        }
        let mut outer = vec![("info", dict(info))];
        if let Some(first) = self.trackers.first().and_then(|tier| tier.first()) {
            outer.push(("announce", first.as_str().into()));
        }
        if self.trackers.iter().map(Vec::len).sum::<usize>() > 1 {
            outer.push((
                "announce-list",
                Item::list(self.trackers.iter().map(|tier| strings(tier))),
            ));
        }
        if let Some(files) = &hashed.v2 {
            outer.push(("piece layers", piece_layers(files)));
        }
        if !self.web_seeds.is_empty() {
            outer.push(("url-list", strings(&self.web_seeds)));
        }
        for (key, text) in [("comment", &self.comment), ("created by", &self.created_by)] {
            outer.extend(text.as_deref().map(|text| (key, text.into())));
        }
        outer.extend(
            self.creation_date
                .map(|date| ("creation date", date.into())),
        );
        encode(&dict(outer))
    }
}

fn dict<'a>(entries: Vec<(&'static str, Item<'a>)>) -> Item<'a> {
    let entries = entries.into_iter();
    Item::Dict(
        entries
            .map(|(key, item)| (Cow::Borrowed(key.as_bytes()), item))
            .collect(),
    )
}

fn strings(texts: &[String]) -> Item<'_> {
    Item::list(texts.iter().map(|text| text.as_str().into()))
}

/// A file in the v1 list, and the pad file behind it (BEP 47).
fn file_items(file: &FoundFile, pad: u64, has_attributes: bool) -> impl Iterator<Item = Item<'_>> {
    let mut entries = vec![
        ("length", length_item(file.length)),
        ("path", strings(&file.components)),
    ];
    entries.extend(file.attributes().filter(|_| has_attributes).map(attr));
    entries.extend(symlink_path(file));
    let pad = (pad > 0).then(|| {
        let path = [".pad".to_owned(), pad.to_string()];
        dict(vec![
            attr("p"),
            ("length", length_item(pad)),
            (
                "path",
                Item::list(path.into_iter().map(|name| name.into_bytes().into())),
            ),
        ])
    });
    std::iter::once(dict(entries)).chain(pad)
}

fn attr(attributes: &'static str) -> (&'static str, Item<'static>) {
    ("attr", attributes.into())
}

/// What a symlink points to, from the torrent's folder on.
fn symlink_path(file: &FoundFile) -> Option<(&'static str, Item<'_>)> {
    let link = file.link.as_ref()?;
    Some(("symlink path", strings(link)))
}

/// A folder of the tree of files, or a file with what the tree says of it.
#[derive(Default)]
struct Node<'a> {
    folders: BTreeMap<&'a str, Self>,
    file: Option<Item<'a>>,
}

impl<'a> Node<'a> {
    fn into_item(self) -> Item<'a> {
        let file = self.file.map(|file| (Cow::Borrowed(&b""[..]), file));
        let folders = self.folders.into_iter();
        let folders =
            folders.map(|(name, node)| (Cow::Borrowed(name.as_bytes()), node.into_item()));
        Item::Dict(file.into_iter().chain(folders).collect())
    }
}

/// The v2 tree (BEP 52). It is as deep as the folders on the disk were when they were walked.
fn file_tree<'a>(name: &'a str, found: &'a Found, hashed: &'a [FileHashed]) -> Item<'a> {
    let mut tree = Node::default();
    for (file, hashed) in found.files.iter().zip(hashed) {
        let length = ("length", length_item(file.length));
        let mut entries: Vec<_> = file.link.is_none().then_some(length).into_iter().collect();
        entries.extend(file.attributes().map(attr));
        entries.extend(symlink_path(file));
        let root = hashed.root.as_ref();
        entries.extend(root.map(|root| ("pieces root", root.as_bytes().as_slice().into())));
        let names = file.components.iter().map(String::as_str);
        let single = (!found.is_folder).then_some(name);
        let node = names.chain(single).fold(&mut tree, |node, name| {
            node.folders.entry(name).or_default()
        });
        node.file = Some(dict(entries));
    }
    tree.into_item()
}

/// The layers by their roots; files with the same content have one.
fn piece_layers(files: &[FileHashed]) -> Item<'_> {
    let layers = files.iter().filter(|file| !file.layer.is_empty());
    let layers = layers.filter_map(|file| {
        let key = file.root.as_ref()?.as_bytes().as_slice();
        Some((Cow::Borrowed(key), file.layer.as_slice().into()))
    });
    let layers: BTreeMap<Cow<'_, [u8]>, Item<'_>> = layers.collect();
    Item::Dict(layers.into_iter().collect())
}

/// No file system has files that `i64` cannot count; one that claimed it would fail when it is read.
fn length_item(length: u64) -> Item<'static> {
    i64::try_from(length).unwrap_or(i64::MAX).into()
}
