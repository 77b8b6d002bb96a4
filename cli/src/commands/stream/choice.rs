//! Chooses the file that is played first: `--file`.

use tailwater_metainfo::Info;

use crate::error::CliError;
use crate::input::selection::select;
use crate::out::Harmless;

/// How many files of the same name are listed.
const MAX_SHOWN: usize = 5;

/// The file that a number, a path, or the end of a path means.
pub(crate) fn choose(info: &Info, chosen: &str) -> Result<usize, CliError> {
    let none = || CliError::NoSuchFile {
        name: info.name().to_owned(),
        chosen: chosen.to_owned(),
        meant: None,
    };
    let found = select(info, &[chosen.to_owned()]).ok().flatten();
    if let Some([file]) = found.as_deref() {
        let is_file = |file: &usize| !info.files()[*file].is_pad();
        return Some(*file).filter(is_file).ok_or_else(none);
    }
    // A name without its folders, or without some of them, will do if only one file has it.
    let files = info.files().iter().enumerate();
    let named = files.filter(|(_, file)| {
        let folders = file.path().as_str().strip_suffix(chosen);
        !file.is_pad() && folders.is_some_and(|it| it.is_empty() || it.ends_with('/'))
    });
    let named: Vec<_> = named
        .map(|(number, file)| (number, file.path().as_str()))
        .collect();
    match &named[..] {
        [] => Err(none()),
        &[(file, _)] => Ok(file),
        several => Err(CliError::SeveralFiles {
            name: info.name().to_owned(),
            chosen: chosen.to_owned(),
            number: several.len(),
            list: list(several),
        }),
    }
}

/// Files by number and path, as far as one line has room.
fn list(files: &[(usize, &str)]) -> String {
    let shown = files.iter().take(MAX_SHOWN);
    let mut shown: Vec<_> = shown
        .map(|(number, path)| format!("{number} ({})", Harmless(path)))
        .collect();
    if files.len() > MAX_SHOWN {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use tailwater_metainfo::Creator;

    use super::*;

    #[test]
    fn a_file_is_chosen_by_number_path_or_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("t");
        for folder in ["d/x", "f", "g"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        for name in [
            "a.mkv",
            "b.mkv",
            "d/b.mkv",
            "d/c.mkv",
            "d/1-2",
            "d/x/e.mkv",
            "f/x.mkv",
            "g/x.mkv",
        ] {
            std::fs::write(root.join(name), [7; 100]).unwrap();
        }
        let created = Creator::new().create(&root, |_| std::ops::ControlFlow::Continue(()));
        let metainfo = created.unwrap().metainfo;
        let paths = |chosen: &str| {
            let file = choose(metainfo.info(), chosen).ok()?;
            Some(metainfo.info().files()[file].path().to_string())
        };
        let cases = [
            ("0", Some("t/a.mkv")),
            ("a.mkv", Some("t/a.mkv")),
            ("b.mkv", Some("t/b.mkv")),
            ("d/b.mkv", Some("t/d/b.mkv")),
            ("t/d/b.mkv", Some("t/d/b.mkv")),
            ("c.mkv", Some("t/d/c.mkv")),
            ("x/e.mkv", Some("t/d/x/e.mkv")),
            ("/e.mkv", None),
            ("mkv", None),
            // One file, though it looks like several.
            ("1-2", Some("t/d/1-2")),
            ("0-1", None),
            ("9", None),
            ("f.mkv", None),
            // Two files.
            ("x.mkv", None),
            ("", None),
        ];
        for (chosen, path) in cases {
            assert_eq!(paths(chosen).as_deref(), path, "{chosen}");
        }
    }
}
