//! Changing what stands around the info dictionary.

use crate::parse::decode_outer;
use crate::{Limits, Metainfo, MetainfoError};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tailwater_bencode::{Dict, Encoded, Item, encode};

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
    /// Takes a .torrent file, within the default [`Limits`]. Of a key that comes twice, which is against the rules, the
    /// first value is kept, as it is the one that counts; keys out of order are put in order.
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
        Ok(Self { before, entries })
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
        let list = is_list.then(|| Item::List(tiers.into_iter().map(Item::List).collect()));
        self.set("announce", first);
        self.set("announce-list", list);
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
    /// [`MetainfoError::TooLarge`], if that is what the changes have made of it.
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
