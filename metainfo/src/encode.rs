//! Encodes a torrent as a .torrent file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tailwater_bencode::{Encoded, Item, Options, encode};

use crate::Metainfo;

type Dict<'a> = BTreeMap<Cow<'a, [u8]>, Item<'a>>;

impl Metainfo {
    /// The .torrent file: the info dictionary byte for byte, and what is known around it, such as the piece layers as far as
    /// they are known. Keys that [`Metainfo`] does not know are not in it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // It was read as a dictionary before.
        let info = Encoded::new(self.info().raw(), &Options::lenient());
        let tiers = self.trackers();
        let list = Item::list(tiers.iter().map(|tier| texts(tier)));
        let nodes = Item::list(self.nodes().iter().map(|node| {
            let port = i64::from(node.port);
            Item::list([Item::bytes(&node.host), Item::Int(port)])
        }));
        let layers = piece_layers(self);
        let first = tiers.iter().flatten().next();
        let entries = [
            ("info", info.ok().map(Item::Raw)),
            ("announce", first.map(Item::bytes)),
            ("announce-list", (!tiers.is_empty()).then_some(list)),
            ("comment", self.comment().map(Item::bytes)),
            ("created by", self.created_by().map(Item::bytes)),
            ("creation date", self.creation_date().map(Item::Int)),
            ("url-list", some_texts(self.web_seeds())),
            ("httpseeds", some_texts(self.http_seeds())),
            ("nodes", (!self.nodes().is_empty()).then_some(nodes)),
            (
                "piece layers",
                (!layers.is_empty()).then_some(Item::Dict(layers)),
            ),
        ];
        let entries = entries.into_iter();
        let entries =
            entries.filter_map(|(key, item)| Some((Cow::Borrowed(key.as_bytes()), item?)));
        encode(&Item::Dict(entries.collect()))
    }
}

fn piece_layers(metainfo: &Metainfo) -> Dict<'static> {
    let files = metainfo.info().files().iter();
    let layers = files.filter_map(|file| {
        let (root, layer) = (file.pieces_root()?, metainfo.piece_layer(file)?);
        let hashes: Vec<u8> = layer.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let root = root.as_bytes().to_vec();
        Some((Cow::Owned(root), Item::Bytes(Cow::Owned(hashes))))
    });
    layers.collect()
}

fn texts(texts: &[String]) -> Item<'_> {
    Item::list(texts.iter().map(Item::bytes))
}

fn some_texts(all: &[String]) -> Option<Item<'_>> {
    (!all.is_empty()).then(|| texts(all))
}
