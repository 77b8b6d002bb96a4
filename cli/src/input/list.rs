//! A list of sources: one a line, with comments, and indented options below a source.

use std::path::PathBuf;

use super::{Terms, Wish};
use crate::args::Source;
use crate::error::CliError;
use crate::home;

/// Reads a list; `origin` is its name for errors.
pub(super) fn parse(origin: &str, bytes: &[u8]) -> Result<Vec<Wish>, CliError> {
    let wrong = |number: usize, what: &str| {
        Err(CliError::Usage(format!("{origin}, line {number}: {what}")))
    };
    let mut wishes: Vec<Wish> = Vec::new();
    // Editors of one system put a mark before the first line.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let Ok(line) = std::str::from_utf8(line) else {
            return wrong(number, "not a text (UTF-8)");
        };
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let Some(wish) = wishes.last_mut() else {
                return wrong(number, "an option (indented) needs a source above it");
            };
            if let Err(error) = set(&mut wish.terms, text) {
                return wrong(number, &error);
            }
            continue;
        }
        match text.parse() {
            Ok(Source::Stdin) => return wrong(number, "`-` is no source of a list"),
            Ok(Source::File(_)) => match home::expand(text) {
                Ok(path) => wishes.push(Wish::new(Source::File(path.into()))),
                Err(error) => return wrong(number, &error),
            },
            Ok(source) => wishes.push(Wish::new(source)),
            Err(never) => match never {},
        }
    }
    Ok(wishes)
}

/// Takes `name=value`.
fn set(terms: &mut Terms, text: &str) -> Result<(), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!(
            "{text:?} is no option; write dir=FOLDER or files=LIST"
        ));
    };
    let value = value.trim();
    match name.trim_end() {
        _ if value.is_empty() => {
            return Err(format!("the option {:?} has no value", name.trim_end()));
        }
        // The last one wins, as on the command line.
        "dir" => terms.dir = Some(PathBuf::from(home::expand(value)?)),
        "files" => terms.files.push(value.to_owned()),
        name => {
            return Err(format!(
                "unknown option {name:?}; a list knows dir and files"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_sources_comments_and_options() {
        let text = "\u{feff}# films\r\na.torrent\r\n  dir = Films/2020 \n\n\tfiles=1,3-\n   # why\n  files=*.srt\nhttp://a/b\n";
        let wishes = parse("l", text.as_bytes()).unwrap();
        assert_eq!(
            wishes,
            [
                Wish {
                    source: Source::File("a.torrent".into()),
                    terms: Terms {
                        dir: Some("Films/2020".into()),
                        files: vec!["1,3-".to_owned(), "*.srt".to_owned()],
                    },
                },
                Wish {
                    source: Source::Url("http://a/b".to_owned()),
                    terms: Terms::default(),
                },
            ]
        );
        assert_eq!(parse("l", b"").unwrap(), []);
    }

    #[test]
    fn what_a_list_does_not_know_is_named_with_its_line() {
        let cases: [(&[u8], &str); 6] = [
            (
                b"\n  dir=x",
                "l, line 2: an option (indented) needs a source above it",
            ),
            (
                b"a\n out=x",
                "l, line 2: unknown option \"out\"; a list knows dir and files",
            ),
            (
                b"a\n\n dir",
                "l, line 3: \"dir\" is no option; write dir=FOLDER or files=LIST",
            ),
            (b"a\n dir=", "l, line 2: the option \"dir\" has no value"),
            (b"a\n\xff", "l, line 2: not a text (UTF-8)"),
            (b"-", "l, line 1: `-` is no source of a list"),
        ];
        for (text, said) in cases {
            assert_eq!(parse("l", text).unwrap_err().to_string(), said);
        }
    }
}
