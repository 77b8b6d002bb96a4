//! Matches subtitles to films by their names.

use std::collections::BTreeMap;

use isolang::Language;
use percent_encoding::percent_decode_str;

use super::escape::segment;
use super::item::Item;

/// The longest file that is read as subtitles, in bytes. A film of three hours has a tenth of that.
pub(crate) const MAX_LEN: u64 = 2 * 1024 * 1024;
/// The most subtitles of one film that are offered.
const MAX_TRACKS: usize = 32;
/// Folders beside a film in which its subtitles stand, in lower case.
const FOLDERS: [&str; 3] = ["subs", "subtitles", "sub"];

/// Subtitles of a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtitle<'a> {
    /// The file.
    pub item: &'a Item,
    /// For people: a language, or else what tells it from others.
    pub label: String,
    /// Of two letters (ISO 639-1).
    pub language: Option<&'static str>,
}

impl Subtitle<'_> {
    /// The path of the URL at which they are, as WebVTT.
    pub fn url_path(&self) -> String {
        url_path(self.item)
    }
}

fn url_path(item: &Item) -> String {
    let stem = stem(item.name());
    format!("/subtitles/{}/{}.vtt", item.index, segment(stem))
}

/// Whether a path, without `/subtitles/INDEX/`, is what [`Subtitle::url_path`] says.
pub(crate) fn is_name(item: &Item, name: &str) -> bool {
    let expected = stem(item.name()).bytes().chain(*b".vtt");
    percent_decode_str(name).eq(expected)
}

/// Whether a file is subtitles that can be offered.
pub(crate) fn is_subtitles(item: &Item) -> bool {
    let extension = item.name().rsplit_once('.').map_or("", |(_, it)| it);
    let is_known = ["srt", "vtt"]
        .iter()
        .any(|it| it.eq_ignore_ascii_case(extension));
    is_known && (1..=MAX_LEN).contains(&item.length)
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The subtitles of a torrent, and where its films are. The time of a search grows with what it finds, not with the
/// files of the torrent: an untrusted torrent may have 100 000 files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// Places among the items, by folder, name without extension, and place; in lower case.
    subtitles: BTreeMap<(String, String, usize), usize>,
    /// How many films each folder has, in lower case.
    films: BTreeMap<String, usize>,
}

impl Index {
    pub(crate) fn of(items: &[Item]) -> Self {
        let mut index = Self::default();
        for (at, item) in items.iter().enumerate() {
            let folder = item.folder().to_lowercase();
            if is_subtitles(item) {
                let stem = stem(item.name()).to_lowercase();
                index.subtitles.insert((folder, stem, at), at);
            } else if item.is_playable() {
                *index.films.entry(folder).or_default() += 1;
            }
        }
        index
    }

    /// Those with the film's name, and perhaps more behind it, in its folder or a folder for subtitles beside it; those in
    /// a folder of its name there; and all of those places if it is the only film in its folder.
    pub(crate) fn belonging_to<'a>(&self, items: &'a [Item], film: &Item) -> Vec<Subtitle<'a>> {
        let folder = film.folder().to_lowercase();
        let name = stem(film.name()).to_lowercase();
        let is_alone = self.films.get(&folder) == Some(&1);
        let inside = |name: &str| match folder.is_empty() {
            true => name.to_owned(),
            false => format!("{folder}/{name}"),
        };
        let mut found = Vec::new();
        let places = FOLDERS.map(inside);
        for place in std::iter::once(&folder).chain(&places) {
            found.extend(self.named(place, &name));
            if is_alone {
                found.extend(self.all(place));
            }
        }
        for place in &places {
            found.extend(self.all(&format!("{place}/{name}")));
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(MAX_TRACKS);
        let subtitles = found.into_iter().map(|at| describe(&items[at], &name));
        subtitles.collect()
    }

    /// Those in a folder whose names begin with a film's.
    fn named<'a>(&'a self, folder: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let from = (folder.to_owned(), name.to_owned(), 0);
        let range = self.subtitles.range(from..);
        let theirs = range
            .take_while(move |((place, stem, _), _)| place == folder && stem.starts_with(name));
        // "film 10" does not belong to "film 1".
        let is_whole = move |stem: &str| {
            let next = stem.get(name.len()..).and_then(|rest| rest.chars().next());
            next.is_none_or(|next| !next.is_alphanumeric())
        };
        let whole = theirs.filter(move |((_, stem, _), _)| is_whole(stem));
        whole.map(|(_, &at)| at).take(MAX_TRACKS)
    }

    fn all<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = usize> + 'a {
        let range = self
            .subtitles
            .range((folder.to_owned(), String::new(), 0)..);
        let theirs = range.take_while(move |((place, ..), _)| place == folder);
        theirs.map(|(_, &at)| at).take(MAX_TRACKS)
    }
}

/// Derives label and language of subtitles from the part of their name that the film's name lacks.
fn describe<'a>(item: &'a Item, film: &str) -> Subtitle<'a> {
    let stem = stem(item.name());
    let lower = stem.to_lowercase();
    // Lower case may have another length; then all of the name says something.
    let suffix = match lower.starts_with(film) {
        true => stem.get(film.len()..),
        false => None,
    };
    let rest = suffix.unwrap_or(stem);
    let divides = |c: char| !c.is_alphanumeric();
    let words: Vec<_> = rest
        .split(divides)
        .filter(|word| !word.is_empty())
        .collect();
    let known = words.iter().enumerate();
    let mut known = known.filter_map(|(at, word)| Some((at, language(word)?)));
    // A suffix begins with its language (pt-BR, en.hi); in a name of its own any short word may look like one (The IT
    // Crowd), and the last one is it.
    let language = match suffix {
        Some(_) => known.next(),
        None => known.next_back(),
    };
    let Some((at, language)) = language else {
        let label = match words.is_empty() {
            true => "Subtitles".to_owned(),
            false => words.join(" "),
        };
        return Subtitle {
            item,
            label,
            language: None,
        };
    };
    // What stands behind the language, or before it in a name of its own, such as numbers, says little.
    let more = words[at + 1..].join(" ");
    let name = language.to_name();
    Subtitle {
        item,
        label: match more.is_empty() {
            true => name.to_owned(),
            false => format!("{name} ({more})"),
        },
        language: language.to_639_1(),
    }
}

/// A language by its code or English name; only those that have a code of two letters, as other words are short too.
fn language(word: &str) -> Option<Language> {
    let lower = word.to_lowercase();
    let found = match lower.len() {
        2 => Language::from_639_1(&lower),
        3 => Language::from_639_3(&lower),
        _ => {
            let mut letters = lower.chars();
            let first = letters.next()?.to_uppercase();
            Language::from_name(&first.chain(letters).collect::<String>())
        }
    };
    found.filter(|language| language.to_639_1().is_some())
}

#[cfg(test)]
mod tests {
    use super::super::library::tests::library;
    use super::*;

    fn offered(files: &[(&str, u64)], film: &str) -> Vec<(String, String, Option<&'static str>)> {
        let library = library(files, None);
        let film = library.items().find(|item| item.path == film).unwrap();
        let subtitles = library.subtitles(film).into_iter();
        subtitles
            .map(|it| (it.item.path.clone(), it.label, it.language))
            .collect()
    }

    fn paths(files: &[(&str, u64)], film: &str) -> Vec<String> {
        offered(files, film)
            .into_iter()
            .map(|(path, ..)| path)
            .collect()
    }

    const SERIES: &[(&str, u64)] = &[
        ("t/e1.mkv", 9),
        ("t/e10.mkv", 9),
        ("t/e1.srt", 1),
        ("t/E1.en.SRT", 1),
        ("t/e10.en.srt", 1),
        ("t/Subs/e1.fr.vtt", 1),
        ("t/Subs/e10/2_English.srt", 1),
        ("t/Subs/e10/3_French.srt", 1),
        ("t/other.srt", 1),
        ("u/e1.srt", 1),
    ];

    #[test]
    fn subtitles_go_by_the_films_name_and_folder() {
        let first = ["t/E1.en.SRT", "t/e1.srt", "t/Subs/e1.fr.vtt"];
        assert_eq!(paths(SERIES, "t/e1.mkv"), first);
        let tenth = [
            "t/e10.en.srt",
            "t/Subs/e10/2_English.srt",
            "t/Subs/e10/3_French.srt",
        ];
        assert_eq!(paths(SERIES, "t/e10.mkv"), tenth);
    }

    #[test]
    fn a_film_that_is_alone_has_all_that_are_beside_it() {
        let files = [
            ("t/film.mkv", 9),
            ("t/whatever.srt", 1),
            ("t/subtitles/English.srt", 1),
            ("t/about.txt", 1),
            ("t/Subs/deep/er.srt", 1),
            ("t/long.srt", MAX_LEN + 1),
            ("t/empty.srt", 0),
        ];
        let expected = ["t/whatever.srt", "t/subtitles/English.srt"];
        assert_eq!(paths(&files, "t/film.mkv"), expected);
        assert!(paths(&[("film.mkv", 1)], "film.mkv").is_empty());
    }

    #[test]
    fn languages_are_told_by_codes_and_names() {
        let cases = [
            ("film.en.srt", "English", Some("en")),
            ("film.eng.srt", "English", Some("en")),
            ("film.English.srt", "English", Some("en")),
            ("film_de_forced.srt", "German (forced)", Some("de")),
            ("film.pt-BR.srt", "Portuguese (BR)", Some("pt")),
            ("The IT Crowd.en.srt", "English", Some("en")),
            ("film.en.sdh.srt", "English (sdh)", Some("en")),
            ("film.srt", "Subtitles", None),
            ("film.commentary.srt", "commentary", None),
            ("2_French.srt", "French", Some("fr")),
        ];
        for (name, label, language) in cases {
            let path = format!("t/{name}");
            let files = [("t/film.mkv", 9), (path.as_str(), 1)];
            let found = offered(&files, "t/film.mkv");
            assert_eq!(
                found,
                [(path.clone(), label.to_owned(), language)],
                "{name}"
            );
        }
    }

    #[test]
    fn many_subtitles_are_a_few() {
        let names: Vec<_> = (0..100)
            .map(|number| format!("t/film.{number}.srt"))
            .collect();
        let mut files = vec![("t/film.mkv", 9)];
        files.extend(names.iter().map(|name| (name.as_str(), 1)));
        assert_eq!(paths(&files, "t/film.mkv").len(), MAX_TRACKS);
    }
}
