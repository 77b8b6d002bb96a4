//! `--open`: the page, or a program that plays addresses, with its options.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The placeholder for the film's address among a player's options.
const PLACEHOLDER: &str = "{}";

/// The program that opens a stream: `page`, or a program and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opener {
    /// The page, in the desktop's browser.
    Page,
    Program(PlayerCommand),
}

/// A program that plays addresses, and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlayerCommand {
    program: PathBuf,
    options: Vec<String>,
}

/// A text that names no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseOpenerError {
    #[error("a quote is not closed")]
    Quote,
    #[error("no program is named; write mpv, 'mpv --fs', or page for the desktop's browser")]
    Empty,
}

impl FromStr for Opener {
    type Err = ParseOpenerError;

    /// Words are divided as a shell divides them, but no shell is run. The path of a file that is there is one word, even
    /// with spaces in it.
    fn from_str(text: &str) -> Result<Self, ParseOpenerError> {
        if text == "page" {
            return Ok(Self::Page);
        }
        let words = match Path::new(text).is_file() {
            true => vec![text.to_owned()],
            false => shell_words::split(text).map_err(|_| ParseOpenerError::Quote)?,
        };
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        Ok(Self::Program(PlayerCommand {
            program: program.ok_or(ParseOpenerError::Empty)?.into(),
            options: words.collect(),
        }))
    }
}

impl PlayerCommand {
    /// The program, by name or path.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments for a film and its subtitles: the address stands where `{}` does, or at the end.
    pub(crate) fn arguments(&self, url: &str, subtitles: &[String]) -> Vec<String> {
        let mut arguments = self.subtitle_options(subtitles);
        let mut is_placed = false;
        for option in &self.options {
            is_placed |= option.contains(PLACEHOLDER);
            arguments.push(option.replace(PLACEHOLDER, url));
        }
        if !is_placed {
            arguments.push(url.to_owned());
        }
        arguments
    }

    /// The options by which a known player shows subtitles. Those of other players are not known.
    fn subtitle_options(&self, subtitles: &[String]) -> Vec<String> {
        let stem = self.program.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy().to_lowercase();
        match stem.as_str() {
            "mpv" => subtitles
                .iter()
                .map(|url| format!("--sub-file={url}"))
                .collect(),
            "vlc" | "cvlc" if !subtitles.is_empty() => {
                vec![format!("--input-slave={}", subtitles.join("#"))]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> PlayerCommand {
        match text.parse() {
            Ok(Opener::Program(command)) => command,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn options_are_divided_as_in_a_shell_and_the_address_is_placed() {
        let cases: [(&str, &str, &[&str]); 6] = [
            ("mplayer", "mplayer", &["URL"]),
            (
                "mplayer -fs -ss 10",
                "mplayer",
                &["-fs", "-ss", "10", "URL"],
            ),
            (
                "'/opt/my player' --title=\"a b\"",
                "/opt/my player",
                &["--title=a b", "URL"],
            ),
            ("x {} --end", "x", &["URL", "--end"]),
            ("x --url={} -- {}", "x", &["--url=URL", "--", "URL"]),
            ("x '$HOME; rm *'", "x", &["$HOME; rm *", "URL"]),
        ];
        for (text, program, arguments) in cases {
            let command = command(text);
            assert_eq!(command.program, Path::new(program), "{text}");
            assert_eq!(command.arguments("URL", &[]), arguments, "{text}");
        }
        assert_eq!("page".parse(), Ok(Opener::Page));
        assert_eq!("mpv '".parse::<Opener>(), Err(ParseOpenerError::Quote));
        for text in ["", " ", "''"] {
            assert_eq!(
                text.parse::<Opener>(),
                Err(ParseOpenerError::Empty),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_path_with_spaces_that_is_there_is_one_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my player");
        std::fs::write(&path, "").unwrap();
        let command = command(path.to_str().unwrap());
        assert_eq!((command.program, command.options), (path, vec![]));
    }

    #[test]
    fn known_players_are_told_of_subtitles_in_their_own_way() {
        let subtitles = ["http://a/1.vtt".to_owned(), "http://a/2.vtt".to_owned()];
        let arguments = |text: &str| command(text).arguments("URL", &subtitles);
        let mpv = [
            "--sub-file=http://a/1.vtt",
            "--sub-file=http://a/2.vtt",
            "--fs",
            "URL",
        ];
        assert_eq!(arguments("/usr/bin/mpv --fs"), mpv);
        let vlc = ["--input-slave=http://a/1.vtt#http://a/2.vtt", "URL"];
        assert_eq!(arguments("VLC.exe"), vlc);
        assert_eq!(arguments("mplayer"), ["URL"]);
        assert_eq!(command("vlc").arguments("URL", &[]), ["URL"]);
    }
}
