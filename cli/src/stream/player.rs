//! The program that `--open` names.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::error::CliError;

/// A program that plays. It goes on when this is dropped: it is the user's, and may be a browser with other pages open.
#[derive(Debug)]
pub(crate) struct Player {
    program: PathBuf,
    child: Child,
}

impl Player {
    /// Starts a program with an address, without a shell.
    pub(crate) fn open(program: &Path, url: &str) -> Result<Self, CliError> {
        let refused = |source| CliError::Player {
            program: program.to_owned(),
            source,
        };
        // What players print would run into the progress.
        let child = Command::new(program)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(refused)?;
        Ok(Self {
            program: program.to_owned(),
            child,
        })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Whether it has ended, or nobody can tell.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}
