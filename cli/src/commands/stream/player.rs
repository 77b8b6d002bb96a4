//! The program that `--open` names, while it runs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};

use super::said::Said;
use crate::args::PlayerCommand;
use crate::error::{CliError, plain};

/// A player process. It goes on when this is dropped: it is the user's, and may be a browser with other pages open.
#[derive(Debug)]
pub(crate) struct Player {
    program: PathBuf,
    child: Child,
    said: Said,
}

impl Player {
    /// Starts a program with an address and the addresses of subtitles, without a shell.
    pub(crate) fn open(
        command: &PlayerCommand,
        url: &str,
        subtitles: &[String],
    ) -> Result<Self, CliError> {
        let program = command.program().to_path_buf();
        // What players print would run into the progress; it matters when they fail.
        let child = Command::new(&program)
            .args(command.arguments(url, subtitles))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(source) => return Err(CliError::Player { program, source }),
        };
        let mut said = Said::default();
        said.follow(child.stdout.take());
        said.follow(child.stderr.take());
        Ok(Self {
            program,
            child,
            said,
        })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Waits until it has ended; how, if that can be told.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// The last lines that it has printed, once it has ended.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn last_lines(&mut self) -> Vec<String> {
        self.said.last_lines().await
    }
}

/// Opens a page in the desktop's browser, which goes on by itself.
pub(crate) fn open_page(url: &str) -> Result<(), CliError> {
    open::that_detached(url).map_err(|error| CliError::Browser {
        url: url.to_owned(),
        reason: why_not_opened(&error),
    })
}

/// The error in words, as the crate reports a failed launcher by its command line and the debug form of its status.
fn why_not_opened(error: &std::io::Error) -> String {
    let text = error.to_string();
    let launcher = text
        .strip_prefix("Launcher \"")
        .and_then(|rest| rest.split('"').next());
    match (launcher, error.kind()) {
        (Some(launcher), _) => {
            format!("{launcher} failed, as it does where there is no browser")
        }
        (None, ErrorKind::NotFound) => "there is no program that opens pages".to_owned(),
        (None, _) => plain(error),
    }
}
