//! A torrent in one word: its info-hash and some fields, packed by zlib and written in base 62 (`torrs://…`).

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use tailwater_metainfo::InfoHash;

use super::base62;
use super::refused::Refused;

/// What stands before it in links.
pub(super) const SCHEME: &str = "torrs://";
/// The longest word, in digits. Decoding takes time by the square of it.
const MAX_LEN: usize = 8_192;
/// The most bytes that are unpacked of it.
const MAX_UNPACKED: usize = 64 * 1_024;
/// The longest field that is packed, in bytes.
const MAX_FIELD_LEN: usize = 2_048;
/// Bytes of an info-hash.
const HASH_LEN: usize = 20;
/// Bytes of a number.
const NUMBER_LEN: usize = 8;

const TITLE: u8 = 0;
const POSTER: u8 = 1;
const TRACKER: u8 = 2;
const CATEGORY: u8 = 3;
const SIZE: u8 = 4;

/// What such a word says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TorrsHash {
    pub(super) info_hash: InfoHash,
    pub(super) title: String,
    pub(super) poster: String,
    pub(super) category: String,
    pub(super) trackers: Vec<String>,
    /// Bytes of the torrent; 0 if it is not said.
    pub(super) size: u64,
}

impl TorrsHash {
    /// One that says nothing else.
    pub(super) const fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            title: String::new(),
            poster: String::new(),
            category: String::new(),
            trackers: Vec::new(),
            size: 0,
        }
    }

    /// The word, without the scheme.
    pub(super) fn pack(&self) -> String {
        let mut plain = self.info_hash.as_bytes().to_vec();
        text(&mut plain, TITLE, &self.title);
        text(&mut plain, POSTER, &self.poster);
        text(&mut plain, CATEGORY, &self.category);
        if let Some(size) = i64::try_from(self.size).ok().filter(|size| *size > 0) {
            plain.push(SIZE);
            plain.extend_from_slice(&size.to_le_bytes());
        }
        for tracker in &self.trackers {
            text(&mut plain, TRACKER, tracker);
        }
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
        // A vector takes everything.
        let packed = packer.write_all(&plain).and_then(|()| packer.finish());
        base62::encode(&packed.unwrap_or_default())
    }

    /// What a word says, with the scheme or without it.
    pub(super) fn unpack(word: &str) -> Result<Self, Refused> {
        let wrong = |reason: &str| Refused::bad(format!("the torrs link: {reason}"));
        let word = word.trim();
        let word = word.strip_prefix(SCHEME).unwrap_or(word);
        if word.len() > MAX_LEN {
            return Err(wrong("it is too long"));
        }
        let packed = base62::decode(word).ok_or_else(|| wrong("it is not in base 62"))?;
        let mut plain = Vec::new();
        let limit = u64::try_from(MAX_UNPACKED).unwrap_or(u64::MAX);
        let unpacked = ZlibDecoder::new(&packed[..])
            .take(limit)
            .read_to_end(&mut plain);
        unpacked.map_err(|_| wrong("it is damaged"))?;
        if plain.len() == MAX_UNPACKED {
            return Err(wrong("it says too much"));
        }
        Self::of(&plain).ok_or_else(|| wrong("it ends too soon"))
    }

    fn of(plain: &[u8]) -> Option<Self> {
        let (hash, mut rest) = plain.split_first_chunk::<HASH_LEN>()?;
        let mut says = Self::new(InfoHash::new(*hash));
        while let Some((tag, more)) = rest.split_first() {
            if *tag == SIZE {
                let (size, more) = more.split_first_chunk::<NUMBER_LEN>()?;
                says.size = u64::try_from(i64::from_le_bytes(*size)).unwrap_or(0);
                rest = more;
                continue;
            }
            let (len, more) = more.split_first_chunk::<2>()?;
            let (text, more) = more.split_at_checked(u16::from_le_bytes(*len).into())?;
            says.take(*tag, &String::from_utf8_lossy(text));
            rest = more;
        }
        Some(says)
    }

    /// The first text of each kind counts.
    fn take(&mut self, tag: u8, text: &str) {
        let field = match tag {
            TITLE => &mut self.title,
            POSTER => &mut self.poster,
            CATEGORY => &mut self.category,
            TRACKER => return self.trackers.push(text.to_owned()),
            _ => return,
        };
        if field.is_empty() {
            text.clone_into(field);
        }
    }
}

/// Appends a field; one that is empty or out of all proportion is left out.
fn text(plain: &mut Vec<u8>, tag: u8, value: &str) {
    let value = value.trim();
    let len = u16::try_from(value.len()).ok();
    if let Some(len) = len.filter(|_| (1..=MAX_FIELD_LEN).contains(&value.len())) {
        plain.push(tag);
        plain.extend_from_slice(&len.to_le_bytes());
        plain.extend_from_slice(value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> TorrsHash {
        TorrsHash {
            info_hash: InfoHash::new(*b"0123456789abcdefghij"),
            title: "Ёлки, a film".to_owned(),
            poster: "https://images.example/1.jpg".to_owned(),
            category: "movie".to_owned(),
            trackers: vec![
                "udp://a.example:1/announce".to_owned(),
                "http://b".to_owned(),
            ],
            size: 5_000_000_000,
        }
    }

    #[test]
    fn a_word_says_what_was_packed_into_it() {
        let word = example().pack();
        assert!(base62::is_base62(&word), "{word}");
        assert_eq!(TorrsHash::unpack(&word), Ok(example()));
        let link = format!("{SCHEME}{word} ");
        assert_eq!(TorrsHash::unpack(&link), Ok(example()));
        let bare = TorrsHash::new(example().info_hash);
        assert_eq!(TorrsHash::unpack(&bare.pack()), Ok(bare));
    }

    #[test]
    fn a_word_that_another_program_packed_is_read() {
        // Python's zlib, and its integers for base 62.
        let word = concat!(
            "OCE1823h0o12UFItIh4ry53tsawCovd3NpJxr9ytfrNmCdtd4KRg2nvqsFg3ZIr2i7pF8Qc2jSUtBYue6fZhIic2Wh",
            "CMUeLoePUTqwKKLazmG8p08KflWGFTtNxdp",
        );
        let says = TorrsHash::unpack(word).unwrap();
        assert_eq!(
            says.info_hash.to_string(),
            "0123456789abcdef0123456789abcdef01234567"
        );
        assert_eq!((&says.title[..], &says.category[..]), ("A film", "movie"));
        assert_eq!(says.poster, "https://images.example/1.jpg");
        assert_eq!(
            (says.size, says.trackers),
            (5_000_000_000, vec!["http://a.example/announce".to_owned()])
        );
    }

    #[test]
    fn what_is_damaged_too_long_or_too_much_is_refused() {
        let word = example().pack();
        let long = "1".repeat(MAX_LEN + 1);
        for wrong in [
            "",
            "0",
            "zz",
            "-",
            &word[1..],
            &word[..word.len() / 2],
            &long,
        ] {
            assert!(TorrsHash::unpack(wrong).is_err(), "{wrong}");
        }
        // A megabyte of zeros packs into a kilobyte.
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&vec![0; 1 << 20]).unwrap();
        let bomb = base62::encode(&packer.finish().unwrap());
        assert!(bomb.len() < MAX_LEN);
        let refused = TorrsHash::unpack(&bomb).unwrap_err();
        assert!(refused.reason.contains("too much"), "{refused:?}");
    }

    proptest! {
        #[test]
        fn any_fields_are_read_or_refused(plain in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(says) = TorrsHash::of(&plain) {
                prop_assert!(says.title.len() + says.poster.len() <= 3 * plain.len());
            }
        }
    }
}
