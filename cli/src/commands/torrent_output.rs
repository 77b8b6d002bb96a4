//! The output of a created or edited torrent.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::Context;
use crate::error::CliError;
use crate::whole_file::{self, Existing};

/// A file, or standard output.
#[derive(Debug)]
pub(super) enum Output {
    File(PathBuf),
    Stdout,
}

impl Output {
    /// `chosen` is what the user named; in a folder, the torrent is called `file_name`.
    pub(super) fn new(chosen: &Path, file_name: impl AsRef<Path>) -> Self {
        if chosen == Path::new("-") {
            return Self::Stdout;
        }
        match chosen.is_dir() || ends_in_slash(chosen) {
            true => Self::File(chosen.join(file_name)),
            false => Self::File(chosen.to_owned()),
        }
    }

    /// The file.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdout => None,
        }
    }

    /// Whether the torrent can be written there.
    pub(super) fn check(&self, context: &Context, force: bool) -> Result<(), CliError> {
        let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
        match self {
            Self::File(path) if path.is_file() && !force => Err(CliError::Exists(path.clone())),
            Self::File(path) => whole_file::check(path),
            Self::Stdout if context.common.json() => {
                usage("`-o -` and `--json` both write to standard output: choose one")
            }
            Self::Stdout if io::stdout().is_terminal() => usage(
                "`-o -` writes a torrent to standard output, which is a terminal: send it to a file or a program",
            ),
            Self::Stdout => Ok(()),
        }
    }

    pub(super) fn write(&self, bytes: &[u8], force: bool) -> Result<(), CliError> {
        match self {
            Self::File(path) => {
                let existing = match force {
                    true => Existing::Replace,
                    false => Existing::Keep,
                };
                whole_file::write(path, bytes, existing)
            }
            Self::Stdout => {
                let mut out = io::stdout().lock();
                let written = out.write_all(bytes).and_then(|()| out.flush());
                // A closed pipe is a failure here: half of a torrent is useless.
                written.map_err(CliError::Output)
            }
        }
    }
}

fn ends_in_slash(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes
        .last()
        .is_some_and(|&last| std::path::is_separator(char::from(last)))
}
