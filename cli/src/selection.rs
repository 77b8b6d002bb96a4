//! Which files of a torrent are wanted: `--files 0,2-5` or by their paths.

use std::ops::RangeInclusive;

use tailwater_metainfo::Info;

use crate::error::CliError;

/// The indices that some lists choose, sorted. `None` for no list: everything.
pub(crate) fn select(info: &Info, lists: &[String]) -> Result<Option<Vec<usize>>, CliError> {
    if lists.is_empty() {
        return Ok(None);
    }
    let mut chosen = Vec::new();
    for list in lists {
        // A path may hold a comma.
        match find(info, list) {
            Some(file) => chosen.push(file),
            None => {
                for item in list.split(',').map(str::trim) {
                    chosen.extend(item_files(info, item)?);
                }
            }
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(Some(chosen))
}

fn item_files(info: &Info, item: &str) -> Result<RangeInclusive<usize>, CliError> {
    let none = || CliError::NoSuchFile {
        name: info.name().to_owned(),
        chosen: item.to_owned(),
    };
    if let Some(file) = find(info, item) {
        return Ok(file..=file);
    }
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let (first, last) = (
        number(first).ok_or_else(none)?,
        number(last).ok_or_else(none)?,
    );
    match first <= last && last < info.files().len() {
        true => Ok(first..=last),
        false => Err(none()),
    }
}

fn number(text: &str) -> Option<usize> {
    let text = text.trim();
    // `parse` would take a plus sign.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The file with this path, with or without the torrent's folder.
fn find(info: &Info, path: &str) -> Option<usize> {
    let inside = |whole: &str| match info.is_multi_file() {
        true => whole
            .split_once('/')
            .is_some_and(|(_, inside)| inside == path),
        false => false,
    };
    let mut files = info.files().iter();
    files.position(|file| {
        !file.is_pad() && (file.path().as_str() == path || inside(file.path().as_str()))
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
            "2-1",
            "x",
            "-1",
            "1-",
            "+1",
            "0,",
            "99999999999999999999",
        ] {
            let item = list.rsplit(',').next().unwrap();
            assert_eq!(chosen(&[list]), Err(format!("t has no file {item:?}")));
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
