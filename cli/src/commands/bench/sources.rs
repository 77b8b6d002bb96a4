//! The benches that are built from the sources, or run by scripts there.

use std::path::PathBuf;
use std::process::ExitStatus;

use tokio::process::Command;

use crate::commands::Context;
use crate::error::CliError;

/// What a checkout of the sources has, and nothing else.
const MARK: &str = "cli/benches/stream/main.rs";
const RACE: &str = "bench/race/race.py";

/// Runs one of the benches of `cli/benches`.
pub(super) async fn cargo_bench(
    context: &Context,
    name: &str,
    args: &[String],
) -> Result<(), CliError> {
    let mut command = Command::new("cargo");
    command.args(["bench", "--package", "tailwater", "--bench", name, "--"]);
    command.args(args);
    run(context, command, name).await
}

/// Runs the race beside other clients.
pub(super) async fn race(context: &Context, args: &[String]) -> Result<(), CliError> {
    let mut command = Command::new("python3");
    command.arg(RACE).args(args);
    let program = std::env::current_exe().map_err(CliError::io("find", "tailwater"))?;
    command.env("TAILWATER", program);
    run(context, command, "race").await
}

async fn run(context: &Context, mut command: Command, name: &str) -> Result<(), CliError> {
    let dir = std::env::current_dir().map_err(CliError::io("find", "."))?;
    let Some(checkout) = checkout(&dir) else {
        return Err(CliError::Bench(format!(
            "`bench {name}` is built from the sources: run it in a checkout of {}",
            env!("CARGO_PKG_REPOSITORY")
        )));
    };
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let running = async {
        let mut child = command
            .current_dir(checkout)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| CliError::Bench(format!("cannot start {program}: {error}")))?;
        child.wait().await.map_err(|source| CliError::System {
            operation: "wait for the bench",
            source,
        })
    };
    // It gets a Ctrl-C of its own, and cleans up meanwhile.
    let status: ExitStatus = context.interrupt.guard(running).await?;
    match status.success() {
        true => Ok(()),
        // It has said why.
        false => Err(CliError::Reported),
    }
}

/// The checkout that a folder lies in.
fn checkout(dir: &std::path::Path) -> Option<PathBuf> {
    let mut dirs = dir.ancestors();
    dirs.find(|dir| dir.join(MARK).is_file()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_is_found_from_within() {
        let dir = tempfile::tempdir().expect("a folder");
        let inner = dir.path().join("cli/benches/stream");
        std::fs::create_dir_all(&inner).expect("folders");
        assert_eq!(checkout(&inner), None);
        std::fs::write(inner.join("main.rs"), "").expect("a file");
        assert_eq!(checkout(&inner).as_deref(), Some(dir.path()));
    }
}
