//! Which file is played first: `--file`.

use tailwater_metainfo::Info;

use crate::error::CliError;
use crate::selection::select;

/// The file that a number, a path or a name means.
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
    // A name without its folders will do if only one file has it.
    let files = info.files().iter().enumerate();
    let mut named = files.filter(|(_, file)| {
        let path = file.path().as_str();
        !file.is_pad() && path.rsplit('/').next() == Some(chosen)
    });
    match (named.next(), named.next()) {
        (Some((file, _)), None) => Ok(file),
        _ => Err(none()),
    }
}

#[cfg(test)]
mod tests {
    use tailwater_metainfo::Creator;

    use super::*;

    #[test]
    fn a_file_is_chosen_by_number_path_or_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("t");
        std::fs::create_dir_all(root.join("d")).unwrap();
        for name in ["a.mkv", "b.mkv", "d/b.mkv", "d/c.mkv", "d/1-2"] {
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
            // One file, though it looks like several.
            ("1-2", Some("t/d/1-2")),
            ("0-1", None),
            ("9", None),
            ("e.mkv", None),
            ("", None),
        ];
        for (chosen, path) in cases {
            assert_eq!(paths(chosen).as_deref(), path, "{chosen}");
        }
    }
}
