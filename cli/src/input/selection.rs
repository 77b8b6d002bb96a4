//! Selects the wanted files of a torrent: by number, range, path, folder or pattern, without those that are excluded.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use globset::{GlobBuilder, GlobMatcher};
use tailwater_metainfo::Info;

use crate::error::CliError;

/// Similarity below which a name is not suggested.
const ALIKE: f64 = 0.8;
/// What marks an item that is excluded.
const NOT: char = '!';

/// The indices that some lists choose, sorted. `None` for no list: everything.
pub(crate) fn select(info: &Info, lists: &[String]) -> Result<Option<Vec<usize>>, CliError> {
    choose(info, lists, &[], None)
}

/// The indices that lists choose without those that others exclude, sorted. Where nothing is chosen but something
/// excluded, what is left of `otherwise`, or of everything. `None` for everything.
pub(crate) fn choose(
    info: &Info,
    lists: &[String],
    excluded: &[String],
    otherwise: Option<&[usize]>,
) -> Result<Option<Vec<usize>>, CliError> {
    let (mut chosen, mut refused) = (Vec::new(), Vec::new());
    let mut has_choice = false;
    for list in lists {
        // A path may hold a comma.
        let items = match find(info, list) {
            Some(_) => vec![list.as_str()],
            None => items(list),
        };
        for item in items {
            match item.strip_prefix(NOT) {
                // A file may have a name that begins so.
                Some(not) if find(info, item).is_none() => refused.extend(unwanted(info, not)?),
                _ => {
                    has_choice = true;
                    chosen.extend(wanted(info, item)?);
                }
            }
        }
    }
    for list in excluded {
        let whole = find(info, list).is_some();
        let items = match whole {
            true => vec![list.as_str()],
            false => items(list),
        };
        for item in items {
            refused.extend(unwanted(info, item)?);
        }
    }
    if !has_choice {
        if refused.is_empty() {
            return Ok(otherwise.map(<[usize]>::to_vec));
        }
        chosen = otherwise.map_or_else(|| (0..info.files().len()).collect(), <[usize]>::to_vec);
    }
    let mut is_refused = vec![false; info.files().len()];
    for &file in &refused {
        is_refused[file] = true;
    }
    chosen.retain(|&file| !is_refused[file]);
    chosen.sort_unstable();
    chosen.dedup();
    let is_left = chosen.iter().any(|&file| !info.files()[file].is_pad());
    match is_left || refused.is_empty() {
        true => Ok(Some(chosen)),
        false => Err(CliError::NothingLeft(info.name().to_owned())),
    }
}

/// The first item of some lists that is a number or a range: those mean something for one torrent only.
pub(crate) fn number_in(lists: &[String]) -> Option<&str> {
    let items = lists.iter().flat_map(|list| items(list));
    items
        .map(|item| item.strip_prefix(NOT).unwrap_or(item))
        .find(|item| range(item, usize::MAX).is_some())
}

/// The items of a list: what is between commas, but for those in the braces or brackets of a pattern.
fn items(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_comma = |c: char| {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    let mut items: Vec<_> = list.split(is_comma).map(str::trim).collect();
    // A comma at the end is left from an item that was taken away.
    if items.len() > 1 && items.last().is_some_and(|item| item.is_empty()) {
        items.pop();
    }
    items
}

/// The files that an item names; an error if there is none.
fn wanted(info: &Info, item: &str) -> Result<Vec<usize>, CliError> {
    match named(info, item)? {
        Some(files) if !files.is_empty() => Ok(files),
        _ => Err(no_such_file(info, item)),
    }
}

/// The files that an item excludes. A folder or pattern that matches nothing excludes nothing.
fn unwanted(info: &Info, item: &str) -> Result<Vec<usize>, CliError> {
    named(info, item)?.ok_or_else(|| no_such_file(info, item))
}

fn no_such_file(info: &Info, item: &str) -> CliError {
    if let Some(range) = range(item, usize::MAX).filter(|range| range.start() > range.end()) {
        let (first, last) = range.into_inner();
        return CliError::Usage(format!(
            "the range {item} of files runs backwards: write {last}-{first}"
        ));
    }
    CliError::NoSuchFile {
        name: info.name().to_owned(),
        chosen: item.to_owned(),
        meant: alike(info, item),
    }
}

/// The file or folder whose name is most like one that is not there.
fn alike(info: &Info, item: &str) -> Option<String> {
    let wanted = item.trim_end_matches('/').to_lowercase();
    let mut names = BTreeSet::new();
    for file in info.files().iter().filter(|file| !file.is_pad()) {
        let path = file.path().as_str();
        let path = inside(info, path).unwrap_or(path);
        let folders = path.match_indices('/').map(|(end, _)| &path[..=end]);
        names.extend(folders.chain([path, name_of(path)]));
    }
    let scored = names.into_iter().map(|name| {
        let known = name.trim_end_matches('/').to_lowercase();
        (strsim::jaro_winkler(&wanted, &known), name)
    });
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(score, _)| *score >= ALIKE)
        .map(|(_, name)| name.to_owned())
}

/// The files that an item names. `None` if it is neither a file nor numbers of files, nor a folder or pattern.
fn named(info: &Info, item: &str) -> Result<Option<Vec<usize>>, CliError> {
    let item = item.strip_prefix("./").unwrap_or(item);
    if let Some(file) = find(info, item) {
        return Ok(Some(vec![file]));
    }
    if let Some(range) = range(item, info.files().len().saturating_sub(1)) {
        let is_there = range.start() <= range.end() && *range.end() < info.files().len();
        return Ok(is_there.then(|| range.collect()));
    }
    let is_pattern = item.contains(['*', '?', '[', '{']);
    if is_pattern {
        let pattern = Pattern::new(item)?;
        return Ok(Some(files(info, |path| pattern.matches(path))));
    }
    // A name by itself is each file of that name, in whatever folder, as a pattern without a folder is.
    if !item.contains('/') {
        let files = files(info, |path| name_of(path) == item);
        if !files.is_empty() {
            return Ok(Some(files));
        }
    }
    let folder = item.trim_end_matches('/');
    let is_inside = |path: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let inside = match folder.is_empty() {
        true => Vec::new(),
        false => files(info, is_inside),
    };
    // A slash at the end means a folder, whether it exists or not.
    Ok((item.ends_with('/') || !inside.is_empty()).then_some(inside))
}

/// The files whose path matches, with or without the torrent's folder.
fn files(info: &Info, matches: impl Fn(&str) -> bool) -> Vec<usize> {
    let all = info.files().iter().enumerate();
    let matching = all.filter(|(_, file)| {
        let path = file.path().as_str();
        !file.is_pad() && (matches(path) || inside(info, path).is_some_and(&matches))
    });
    matching.map(|(index, _)| index).collect()
}

/// Numbers of files: `3`, `2-5`, and, with `last` for the end, `3-` and `-5`.
fn range(item: &str, last: usize) -> Option<RangeInclusive<usize>> {
    let Some((first, end)) = item.split_once('-') else {
        let file = number(item)?;
        return Some(file..=file);
    };
    match (first.trim(), end.trim()) {
        ("", "") => None,
        ("", end) => Some(0..=number(end)?),
        (first, "") => {
            let first = number(first)?;
            // Beyond the last file it is a range of files that are not there.
            Some(first..=last.max(first))
        }
        (first, end) => Some(number(first)?..=number(end)?),
    }
}

fn number(text: &str) -> Option<usize> {
    let text = text.trim();
    // `parse` would take a plus sign.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// A pattern for files (`*.mkv`, `Season ?/*.srt`) or folders (`Season */`).
struct Pattern {
    matcher: GlobMatcher,
    /// Compared with paths rather than with names.
    is_path: bool,
    /// Names folders, and so all that is in them.
    is_folder: bool,
}

impl Pattern {
    fn new(item: &str) -> Result<Self, CliError> {
        let text = item.trim_end_matches('/');
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        let wrong = |error: globset::Error| {
            CliError::Usage(format!(
                "{item:?} is no pattern for files: {}",
                error.kind()
            ))
        };
        Ok(Self {
            matcher: glob.map_err(wrong)?.compile_matcher(),
            is_path: text.contains('/'),
            is_folder: text.len() < item.len(),
        })
    }

    fn matches(&self, path: &str) -> bool {
        match self.is_folder {
            true => path
                .char_indices()
                .filter(|&(_, c)| c == '/')
                .any(|(end, _)| self.matches_whole(&path[..end])),
            false => self.matches_whole(path),
        }
    }

    fn matches_whole(&self, path: &str) -> bool {
        self.matcher.is_match(match self.is_path {
            true => path,
            false => name_of(path),
        })
    }
}

/// The last part of a path.
fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path without the torrent's folder.
fn inside<'a>(info: &Info, path: &'a str) -> Option<&'a str> {
    let (_, inside) = path.split_once('/').filter(|_| info.is_multi_file())?;
    Some(inside)
}

/// The file with this path, with or without the torrent's folder.
fn find(info: &Info, path: &str) -> Option<usize> {
    let mut files = info.files().iter();
    files.position(|file| {
        let whole = file.path().as_str();
        !file.is_pad() && (whole == path || inside(info, whole) == Some(path))
    })
}

/// The bytes of the pieces that hold something of the chosen files: what is downloaded.
pub(crate) fn wanted_bytes(info: &Info, chosen: Option<&[usize]>) -> u64 {
    let geometry = info.geometry();
    let Some(chosen) = chosen else {
        return geometry.total();
    };
    // Neighbours share a piece, and files come by offset.
    let mut sum = 0;
    let mut last = None;
    for file in chosen
        .iter()
        .filter_map(|&index| info.files().get(index))
        .filter(|file| !file.is_pad())
    {
        for piece in geometry.pieces_in(file.range().start, file.range().end) {
            if last.is_none_or(|last| piece > last) {
                sum += u64::from(geometry.piece_len(piece));
                last = Some(piece);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_metainfo::{Creator, Metainfo};

    /// Files `t/a`, `t/b,c`, `t/d/e`, `t/z` of 10 000 bytes each, in three pieces of 16 KiB.
    fn torrent() -> Metainfo {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("t");
        std::fs::create_dir_all(root.join("d")).unwrap();
        for name in ["a", "b,c", "d/e", "z"] {
            std::fs::write(root.join(name), [7; 10_000]).unwrap();
        }
        let creator = Creator::new().piece_length(16_384);
        creator
            .create(&root, |_| std::ops::ControlFlow::Continue(()))
            .unwrap()
            .metainfo
    }

    fn chosen(lists: &[&str]) -> Result<Option<Vec<usize>>, String> {
        let lists: Vec<_> = lists.iter().map(|&list| list.to_owned()).collect();
        select(torrent().info(), &lists).map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_chosen_by_number_range_and_path() {
        assert_eq!(chosen(&[]), Ok(None));
        let cases: [(&[&str], &[usize]); 8] = [
            (&["0"], &[0]),
            (&["2-3,0"], &[0, 2, 3]),
            (&["1-2", "2"], &[1, 2]),
            (&[" 3 , 0 "], &[0, 3]),
            (&["d/e"], &[2]),
            (&["t/d/e,0"], &[0, 2]),
            (&["b,c"], &[1]),
            (&["z,a"], &[0, 3]),
        ];
        for (lists, files) in cases {
            assert_eq!(chosen(lists), Ok(Some(files.to_vec())), "{lists:?}");
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_chosen() {
        for list in [
            "",
            "4",
            "0-4",
            "x",
            "+1",
            "99999999999999999999",
            "4-",
            "-4",
            "-",
            "x/",
            ",",
            "*.mkv",
            "!4",
            "!x",
        ] {
            let item = list.rsplit([',', '!']).next().unwrap();
            assert_eq!(chosen(&[list]), Err(format!("t has no file {item:?}")));
        }
        assert!(
            chosen(&["[a"])
                .unwrap_err()
                .contains("\"[a\" is no pattern")
        );
    }

    #[test]
    fn names_by_themselves_are_found_in_any_folder() {
        for (list, files) in [("e", 2), ("./a", 0), ("./d/e", 2), ("0,", 0)] {
            assert_eq!(chosen(&[list]), Ok(Some(vec![files])), "{list}");
        }
        let backwards = chosen(&["2-1"]).unwrap_err();
        assert!(backwards.contains("write 1-2"), "{backwards}");
        let torrent = torrent();
        let meant = |item| alike(torrent.info(), item);
        assert_eq!(meant("D/").as_deref(), Some("d/"));
        assert_eq!(meant("xyzzy"), None);
    }

    #[test]
    fn files_are_chosen_by_folder_and_pattern() {
        let cases: [(&[&str], &[usize]); 10] = [
            (&["d/"], &[2]),
            (&["d"], &[2]),
            (&["t/"], &[0, 1, 2, 3]),
            (&["?"], &[0, 2, 3]),
            (&["[a,e]"], &[0, 2]),
            (&["{a,z},2"], &[0, 2, 3]),
            (&["*/*"], &[0, 1, 2, 3]),
            (&["d/*"], &[2]),
            (&["**/e"], &[2]),
            (&["[d]/"], &[2]),
        ];
        for (lists, files) in cases {
            assert_eq!(chosen(lists), Ok(Some(files.to_vec())), "{lists:?}");
        }
        let cases: [(&[&str], &[usize]); 5] = [
            (&["2-"], &[2, 3]),
            (&["-1"], &[0, 1]),
            (&["3-,-0"], &[0, 3]),
            (&["3-"], &[3]),
            (&["0 - 1"], &[0, 1]),
        ];
        for (lists, files) in cases {
            assert_eq!(chosen(lists), Ok(Some(files.to_vec())), "{lists:?}");
        }
    }

    #[test]
    fn what_is_excluded_is_left_out() {
        let cases: [(&[&str], &[usize]); 6] = [
            (&["!a"], &[1, 2, 3]),
            (&["!d/,!0"], &[1, 3]),
            (&["0-2", "!b*"], &[0, 2]),
            (&["!1-", "!*.nfo", "!x/"], &[0]),
            (&["!*.nfo"], &[0, 1, 2, 3]),
            (&["!t/z", "z,a"], &[0]),
        ];
        for (lists, files) in cases {
            let chosen = chosen(lists);
            let all = vec![0, 1, 2, 3];
            assert_eq!(
                chosen.map(|it| it.unwrap_or(all)),
                Ok(files.to_vec()),
                "{lists:?}"
            );
        }
        let torrent = torrent();
        let info = torrent.info();
        let text = |text: &str| vec![text.to_owned()];
        let left = choose(info, &[], &text("a,b*"), Some(&[0, 2])).unwrap();
        assert_eq!(left, Some(vec![2]), "of what the link selects");
        let nothing = choose(info, &text("a"), &text("*"), None);
        assert!(matches!(nothing, Err(CliError::NothingLeft(_))));
    }

    #[test]
    fn numbers_are_told_from_names() {
        let number = |list: &str| number_in(&[list.to_owned()]).map(str::to_owned);
        for (list, found) in [
            ("*.a,3-", "3-"),
            ("!-7", "-7"),
            ("0", "0"),
            ("d/,1-2", "1-2"),
        ] {
            assert_eq!(number(list).as_deref(), Some(found));
        }
        for list in ["*.mkv", "d/", "!*.nfo", "a-b", "{1,2}"] {
            assert_eq!(number(list), None, "{list}");
        }
    }

    #[test]
    fn shared_pieces_are_wanted_once() {
        let torrent = torrent();
        let wanted = |chosen: &[usize]| wanted_bytes(torrent.info(), Some(chosen));
        assert_eq!(wanted_bytes(torrent.info(), None), 40_000);
        assert_eq!(wanted(&[0]), 16_384);
        assert_eq!(wanted(&[0, 1]), 32_768);
        assert_eq!(wanted(&[3]), 16_384 + (40_000 - 32_768));
        assert_eq!(wanted(&[]), 0);
    }
}
