//! `tailwater completions`, as typed.

use clap::Args as ClapArgs;

/// Print a script that completes tailwater's commands in a shell.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater completions bash > ~/.local/share/bash-completion/completions/tailwater
  tailwater completions zsh > ~/.zfunc/_tailwater
  tailwater completions fish > ~/.config/fish/completions/tailwater.fish")]
pub(crate) struct Completions {
    /// Which shell.
    pub(crate) shell: clap_complete::Shell,
}
