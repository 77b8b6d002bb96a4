//! The list of a torrent's files that are served, by their index.

use std::cmp::Ordering;

use super::condition::Validators;
use super::item::{Item, base_name};
use super::media;
use super::subtitles::{Index, Subtitle};

/// All files that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// The torrent's name.
    pub title: String,
    /// Of the torrent, in hexadecimal digits.
    pub info_hash: String,
    /// Bytes.
    pub piece_length: u32,
    /// How many pieces the torrent has.
    pub piece_count: u32,
    /// By index.
    items: Vec<Item>,
    /// Places in `items`, in the order in which people look for files.
    order: Vec<usize>,
    subtitles: Index,
    /// Where in `items` the file is that is played first.
    chosen: usize,
}

/// What is known of a file besides its torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileFacts {
    pub index: usize,
    pub path: String,
    pub length: u64,
    pub offset: u64,
}

/// What is known of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TorrentFacts {
    pub title: String,
    pub info_hash: String,
    pub piece_length: u32,
    pub piece_count: u32,
    /// Unix time.
    pub created: Option<i64>,
}

impl Library {
    /// `files` come by index. The one that is played first is `chosen` if it is there, or else the largest that some
    /// player plays, or else the largest. `None` if there are no files.
    pub(crate) fn new(
        torrent: TorrentFacts,
        files: impl IntoIterator<Item = FileFacts>,
        chosen: Option<usize>,
    ) -> Option<Self> {
        let items: Vec<_> = files
            .into_iter()
            .map(|file| Item {
                media: media::of(base_name(&file.path)),
                validators: Validators::new(
                    &format!("{}-{}", torrent.info_hash, file.index),
                    torrent.created,
                ),
                index: file.index,
                path: file.path,
                length: file.length,
                offset: file.offset,
            })
            .collect();
        let named = chosen.and_then(|chosen| items.iter().position(|item| item.index == chosen));
        let chosen = named.or_else(|| best(&items, |_| true))?;
        let mut keyed: Vec<_> = items.iter().map(Natural::of).enumerate().collect();
        keyed.sort_by(|(_, a), (_, b)| a.cmp(b));
        let order = keyed.into_iter().map(|(at, _)| at).collect();
        Some(Self {
            subtitles: Index::of(&items),
            order,
            title: torrent.title,
            info_hash: torrent.info_hash,
            piece_length: torrent.piece_length,
            piece_count: torrent.piece_count,
            items,
            chosen,
        })
    }

    /// The index of the file among these, which are sorted, that would be played first.
    pub fn best_of(&self, indices: &[usize]) -> Option<usize> {
        let best = best(&self.items, |item| {
            indices.binary_search(&item.index).is_ok()
        })?;
        Some(self.items[best].index)
    }

    /// All files, folder by folder, in natural order: 2 before 10.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.order.iter().map(|&at| &self.items[at])
    }

    /// How many there are.
    pub fn file_count(&self) -> usize {
        self.items.len()
    }

    /// The subtitles of a file, in natural order.
    pub fn subtitles(&self, film: &Item) -> Vec<Subtitle<'_>> {
        let mut found = self.subtitles.belonging_to(&self.items, film);
        found.sort_by_cached_key(|subtitle| Natural::of(subtitle.item));
        found
    }

    /// The file that is played first.
    pub fn chosen(&self) -> &Item {
        &self.items[self.chosen]
    }

    /// The file with this index in the torrent.
    pub fn get(&self, index: usize) -> Option<&Item> {
        let at = self.items.binary_search_by_key(&index, |item| item.index);
        self.items.get(at.ok()?)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.items.iter().map(|item| item.length).sum()
    }
}

/// Orders files by folder and name, numbers by their value; capitals count only where nothing else tells two names apart.
#[derive(PartialEq, Eq)]
struct Natural<'a> {
    /// In lower case.
    folder: String,
    /// In lower case.
    name: String,
    item: &'a Item,
}

impl<'a> Natural<'a> {
    fn of(item: &'a Item) -> Self {
        Self {
            folder: item.folder().to_lowercase(),
            name: item.name().to_lowercase(),
            item,
        }
    }
}

impl Ord for Natural<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        use alphanumeric_sort::compare_str;
        let (a, b) = (self.item, other.item);
        // Files of one folder stay together, whatever looks like it.
        compare_str(&self.folder, &other.folder)
            .then_with(|| a.folder().cmp(b.folder()))
            .then_with(|| compare_str(&self.name, &other.name))
            .then_with(|| a.path.cmp(&b.path))
            .then_with(|| a.index.cmp(&b.index))
    }
}

impl PartialOrd for Natural<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The position of the largest file that some player plays, or else of the largest; of equals the first.
fn best(items: &[Item], admits: impl Fn(&Item) -> bool) -> Option<usize> {
    let items = items.iter().enumerate().rev();
    items
        .filter(|(_, item)| admits(item))
        .max_by_key(|(_, item)| (item.is_playable(), item.length))
        .map(|(at, _)| at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A library of files with these paths and lengths, every third index left out.
    pub(in crate::stream) fn library(files: &[(&str, u64)], chosen: Option<usize>) -> Library {
        let mut offset = 0;
        let facts = files.iter().enumerate().map(|(at, &(path, length))| {
            let file = FileFacts {
                index: at + at / 2,
                path: path.to_owned(),
                length,
                offset,
            };
            offset += length;
            file
        });
        let facts: Vec<_> = facts.collect();
        let torrent = TorrentFacts {
            title: "A <torrent>".to_owned(),
            info_hash: "ab".repeat(20),
            piece_length: 1 << 14,
            piece_count: u32::try_from(offset.div_ceil(1 << 14)).unwrap(),
            created: Some(784_111_777),
        };
        Library::new(torrent, facts, chosen).unwrap()
    }

    #[test]
    fn the_largest_file_that_plays_is_chosen() {
        let files = [
            ("t/a.mkv", 10),
            ("t/b.iso", 900),
            ("t/c.mp4", 20),
            ("t/d.mp3", 20),
        ];
        assert_eq!(library(&files, None).chosen().path, "t/c.mp4");
        assert_eq!(library(&files, Some(1)).chosen().path, "t/b.iso");
        assert_eq!(library(&files, Some(2)).chosen().path, "t/c.mp4", "no such");
        let silent = [("t/a", 1), ("t/b", 3), ("t/c.mp4", 0)];
        assert_eq!(library(&silent, None).chosen().path, "t/b");
    }

    #[test]
    fn files_stand_in_natural_order_folder_by_folder() {
        let library = library(
            &[
                ("t/Season 10/e1.mkv", 1),
                ("t/Season 2/Episode 10.mkv", 1),
                ("t/Season 2/episode 2.mkv", 1),
                ("t/readme.txt", 1),
                ("t/Season 2/Episode 1.mkv", 1),
                ("t/Extras/Season 2/a.mkv", 1),
            ],
            None,
        );
        let paths: Vec<_> = library.items().map(|item| item.path.as_str()).collect();
        let expected = [
            "t/readme.txt",
            "t/Extras/Season 2/a.mkv",
            "t/Season 2/Episode 1.mkv",
            "t/Season 2/episode 2.mkv",
            "t/Season 2/Episode 10.mkv",
            "t/Season 10/e1.mkv",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn files_are_found_by_their_index_in_the_torrent() {
        let library = library(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)], None);
        let paths: Vec<_> = (0..6)
            .map(|index| library.get(index).map(|item| item.path.as_str()))
            .collect();
        assert_eq!(
            paths,
            [Some("a"), Some("b"), None, Some("c"), Some("d"), None]
        );
    }

    #[test]
    fn a_url_holds_the_index_and_the_name() {
        let library = library(&[("t/x/a b?.mp4", 1)], None);
        let addr = "[::1]:8000".parse().unwrap();
        assert_eq!(
            library.chosen().url(addr),
            "http://[::1]:8000/0/a%20b%3F.mp4"
        );
    }
}
