//! `tailwater completions` and `tailwater man`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

/// Print a script that completes tailwater's commands in a shell.
///
/// The script is for the name by which this program was called, and asks the program itself: it offers commands, options,
/// their choices, and `.torrent` files where a torrent is expected.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  echo 'source <(tailwater completions bash)' >> ~/.bashrc
  echo 'source <(tailwater completions zsh)' >> ~/.zshrc       after compinit
  tailwater completions fish > ~/.config/fish/completions/tailwater.fish

After an update of tailwater, make a script that was written to a file anew.")]
pub(crate) struct Completions {
    /// Which shell.
    pub(crate) shell: clap_complete::Shell,
}

/// Print a manual page, or write those of all commands.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater man | man -l -
  tailwater man dht node | man -l -
  tailwater man --out ~/.local/share/man/man1      then: man tailwater-download")]
pub(crate) struct Man {
    /// The command whose page is printed. Default: the page of tailwater itself.
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub(crate) command: Vec<String>,
    /// Write all pages to this folder, which is made if need be.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}
