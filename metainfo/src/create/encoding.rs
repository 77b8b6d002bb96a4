//! Encodes a created torrent as a .torrent file.

use super::Creator;
use super::walk::{Found, FoundFile};
use std::borrow::Cow;
use tailwater_bencode::{Item, encode};

impl Creator {
    /// The .torrent file.
    pub(super) fn encode(
        &self,
        name: &str,
        found: &Found,
        piece_length: u32,
        pieces: &[u8],
    ) -> Vec<u8> {
        let mut info = vec![
            ("name", name.into()),
            ("piece length", i64::from(piece_length).into()),
            ("pieces", pieces.into()),
        ];
        if found.is_folder {
            info.push(("files", Item::list(found.files.iter().map(file_item))));
        } else {
            info.push((
                "length",
                length_item(found.files.iter().map(|file| file.length).sum()),
            ));
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

fn file_item(file: &FoundFile) -> Item<'_> {
    dict(vec![
        ("length", length_item(file.length)),
        ("path", strings(&file.components)),
    ])
}

/// No file system has files that `i64` cannot count; one that claimed it would fail when it is read.
fn length_item(length: u64) -> Item<'static> {
    i64::try_from(length).unwrap_or(i64::MAX).into()
}
