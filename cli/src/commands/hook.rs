//! `--on-complete`: a program that is told of each torrent that completes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tailwater_metainfo::{Info, InfoHash};
use tokio::process::Command;

use crate::args::Hook;
use crate::error::plain;
use crate::out::Harmless;
use crate::progress::Progress;

/// What the program is told, by its environment: no untrusted text becomes an argument.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    name: String,
    info_hash: InfoHash,
    /// Bytes.
    size: u64,
    /// The folder, absolute; none if the torrent is in memory.
    dir: Option<PathBuf>,
    /// The torrent's file or folder in it.
    path: Option<PathBuf>,
}

impl Facts {
    pub(super) fn new(info: &Info, info_hash: InfoHash, dir: Option<&Path>) -> Self {
        // It fails for an empty path only, and where the current folder is gone.
        let dir = dir.map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()));
        let top = info.files().first().map(|file| {
            let path = file.path().as_str();
            path.split('/').next().unwrap_or(path).to_owned()
        });
        Self {
            name: info.name().to_owned(),
            info_hash,
            size: info.payload_len(),
            path: dir.as_ref().zip(top).map(|(dir, top)| dir.join(top)),
            dir,
        }
    }
}

/// Starts the program and waits for its end. What goes wrong with it is a warning.
///
/// # Cancel safety
///
/// The program goes on when the future is dropped.
pub(super) async fn run(hook: &Hook, facts: &Facts, progress: &Progress) {
    let mut command = Command::new(&hook.program);
    command
        .args(&hook.args)
        .env("TAILWATER_NAME", &facts.name)
        .env("TAILWATER_INFO_HASH", facts.info_hash.to_string())
        .env("TAILWATER_SIZE", facts.size.to_string())
        .stdin(Stdio::null())
        // Standard output is for results.
        .stdout(Stdio::from(std::io::stderr()));
    // An outer tailwater may have set them.
    for (name, path) in [
        ("TAILWATER_PATH", &facts.path),
        ("TAILWATER_DIR", &facts.dir),
    ] {
        match path {
            Some(path) => command.env(name, path),
            None => command.env_remove(name),
        };
    }
    let what = match command.status().await {
        Ok(status) if status.success() => return,
        Ok(status) => match status.code() {
            Some(code) => format!("ended with exit code {code}"),
            None => format!("was ended ({status})"),
        },
        Err(error) => format!("cannot be started: {}", plain(&error)),
    };
    progress.note(format_args!(
        "warning: `--on-complete` for {}: {hook} {what}",
        Harmless(&facts.name)
    ));
}
