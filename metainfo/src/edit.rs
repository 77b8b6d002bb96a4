//! Edits trackers and comment of a .torrent file, and keeps its info dictionary byte for byte.

use crate::parse::decode_outer;
use crate::{Limits, Metainfo, MetainfoError};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tailwater_bencode::{Dict, Encoded, Item, Value, encode};

/// A .torrent file whose trackers and comment are changed. Its info dictionary and whatever else it holds, known or not,
/// are kept byte for byte, so that it stays the same torrent; v1, v2 and hybrid ones alike.
///
/// ```
/// use tailwater_metainfo::{Editor, Metainfo};
///
/// let bytes = b"d8:announce10:http://old4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
/// let mut editor = Editor::new(bytes)?;
/// editor.set_trackers([["http://new/announce"], ["udp://spare:6969"]]);
/// editor.set_comment(Some("moved"));
/// let edited = editor.finish()?;
/// let (before, after) = (Metainfo::from_bytes(bytes)?, edited.metainfo);
/// assert_eq!(after.trackers(), [["http://new/announce"], ["udp://spare:6969"]]);
/// assert_eq!(after.info().info_hashes(), before.info().info_hashes());
/// # Ok::<(), tailwater_metainfo::MetainfoError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Editor<'a> {
    before: Metainfo,
    entries: BTreeMap<Cow<'a, [u8]>, Item<'a>>,
    /// The value of `announce`, as it is in the file.
    announce: Option<Cow<'a, [u8]>>,
    /// The same for `announce-list`; entries that are no list or text are kept as they are.
    tiers: Vec<Item<'a>>,
}

/// A .torrent file that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edited {
    /// The .torrent file.
    pub bytes: Vec<u8>,
    /// The same, read back.
    pub metainfo: Metainfo,
}

impl<'a> Editor<'a> {
    /// Reads a .torrent file to edit, within the default [`Limits`]. Of a key that comes twice, which is against the
    /// rules, the first value is kept, as it is the one that counts; keys out of order are put in order.
    ///
    /// # Errors
    ///
    /// As [`Metainfo::from_bytes`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, MetainfoError> {
        let limits = Limits::default();
        let before = Metainfo::from_bytes_with(bytes, &limits)?;
        let document = decode_outer(bytes, &limits)?;
        let mut entries = BTreeMap::new();
        for (key, value) in document.root().as_dict().into_iter().flat_map(Dict::iter) {
            entries
                .entry(Cow::Borrowed(key))
                .or_insert_with(|| Item::Raw(Encoded::from(value)));
        }
        let dict = document.root().as_dict();
        let list = dict.and_then(|dict| dict.get("announce-list")?.as_list());
        Ok(Self {
            before,
            entries,
            announce: dict
                .and_then(|dict| dict.get_bytes("announce"))
                .map(Cow::Borrowed),
            tiers: list.into_iter().flatten().map(tier).collect(),
        })
    }

    /// The torrent as it was.
    #[must_use]
    pub const fn before(&self) -> &Metainfo {
        &self.before
    }

    /// Replaces all trackers by others, in tiers (BEP 12); an empty tier is ignored, and without any the torrent has no
    /// trackers.
    pub fn set_trackers<T, U>(&mut self, tiers: impl IntoIterator<Item = T>)
    where
        T: IntoIterator<Item = U>,
        U: Into<String>,
    {
        let tiers = tiers.into_iter().map(|tier| {
            let urls = tier.into_iter().map(|url| text(url.into()));
            urls.collect::<Vec<_>>()
        });
        let tiers: Vec<_> = tiers.filter(|tier| !tier.is_empty()).collect();
        let first = tiers.first().and_then(|tier| tier.first()).cloned();
        let is_list = tiers.iter().map(Vec::len).sum::<usize>() > 1;
        self.announce = first.and_then(into_bytes);
        self.tiers = match is_list {
            true => tiers.into_iter().map(Item::List).collect(),
            false => Vec::new(),
        };
        self.keep_trackers();
    }

    /// Appends trackers to the existing ones, in tiers (BEP 12); an empty tier is ignored. Existing entries are kept
    /// byte for byte, even those that are no URL.
    pub fn add_trackers<T, U>(&mut self, tiers: impl IntoIterator<Item = T>)
    where
        T: IntoIterator<Item = U>,
        U: Into<String>,
    {
        let tiers = tiers.into_iter().map(|tier| {
            let urls = tier.into_iter().map(|url| text(url.into()));
            Item::List(urls.collect())
        });
        let added: Vec<_> = tiers.filter(|tier| first_of(tier).is_some()).collect();
        let has_list = self.tiers.iter().any(|tier| first_of(tier).is_some());
        let announce = self.announce.take().filter(|url| !url.is_empty());
        if let Some(url) = announce.clone().filter(|_| !has_list && !added.is_empty()) {
            // Where there is a list, `announce` does not count (BEP 12): so it has to be in a new one.
            self.tiers.push(Item::List(vec![Item::Bytes(url)]));
        }
        self.tiers.extend(added);
        let first = || self.tiers.iter().find_map(first_of).cloned();
        self.announce = announce.or_else(first);
        self.keep_trackers();
    }

    /// Removes every tracker for which `is_gone` returns true, given the bytes in the file. The others are kept byte
    /// for byte. Returns how many were removed.
    pub fn remove_trackers(&mut self, is_gone: impl Fn(&[u8]) -> bool) -> usize {
        let mut removed = 0;
        let mut stays = |item: &Item<'_>| {
            let is_removed = matches!(item, Item::Bytes(url) if is_gone(url));
            removed += usize::from(is_removed);
            !is_removed
        };
        self.tiers.retain_mut(|tier| match tier {
            Item::List(urls) => {
                let before = urls.len();
                urls.retain(&mut stays);
                !urls.is_empty() || before == 0
            }
            other => stays(other),
        });
        if self.announce.as_deref().is_some_and(&is_gone) {
            removed += 1;
            self.announce = self.tiers.iter().find_map(first_of).cloned();
        }
        if removed > 0 {
            self.keep_trackers();
        }
        removed
    }

    /// Replaces the comment, or removes it.
    pub fn set_comment(&mut self, comment: Option<impl Into<String>>) {
        self.set("comment", comment.map(|comment| text(comment.into())));
        // The same in another encoding, which would win over it.
        self.set("comment.utf-8", None);
    }

    /// The torrent as it is now.
    ///
    /// # Errors
    ///
    /// [`MetainfoError::TooLarge`], if the changes have made it too large.
    pub fn finish(self) -> Result<Edited, MetainfoError> {
        let bytes = encode(&Item::Dict(self.entries));
        let metainfo = Metainfo::from_bytes(&bytes)?;
        debug_assert_eq!(
            metainfo.info().info_hashes(),
            self.before.info().info_hashes(),
            "the info dictionary is kept byte for byte"
        );
        Ok(Edited { bytes, metainfo })
    }

    fn keep_trackers(&mut self) {
        let tiers = (!self.tiers.is_empty()).then(|| Item::List(self.tiers.clone()));
        self.set("announce", self.announce.clone().map(Item::Bytes));
        self.set("announce-list", tiers);
    }

    fn set(&mut self, key: &'static str, item: Option<Item<'a>>) {
        match item {
            Some(item) => self.entries.insert(Cow::Borrowed(key.as_bytes()), item),
            None => self.entries.remove(key.as_bytes()),
        };
    }
}

fn text(text: String) -> Item<'static> {
    Item::Bytes(Cow::Owned(text.into_bytes()))
}

fn into_bytes(item: Item<'_>) -> Option<Cow<'_, [u8]>> {
    match item {
        Item::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// An entry of `announce-list`: a list of URLs, or, against the rules, something else.
fn tier<'a>(value: Value<'_, 'a>) -> Item<'a> {
    match value.as_list() {
        Some(urls) => Item::List(urls.into_iter().map(entry).collect()),
        None => entry(value),
    }
}

fn entry<'a>(value: Value<'_, 'a>) -> Item<'a> {
    match value.as_bytes() {
        Some(bytes) => Item::Bytes(Cow::Borrowed(bytes)),
        None => Item::Raw(Encoded::from(value)),
    }
}

/// The first URL of a tier, or of a tree of them; an empty text is none.
fn first_of<'t, 'a>(tier: &'t Item<'a>) -> Option<&'t Cow<'a, [u8]>> {
    match tier {
        Item::Bytes(url) if !url.is_empty() => Some(url),
        Item::List(urls) => urls.iter().find_map(first_of),
        _ => None,
    }
}
