//! `tailwater config`, as typed.

use clap::Args as ClapArgs;

/// Show the options that are set by the configuration file and the environment, and where each comes from.
///
/// The file is $XDG_CONFIG_HOME/tailwater/config.toml, which is in ~/.config unless set (Windows: %APPDATA%), or what
/// `--config` or TAILWATER_CONFIG names. Options stand in it by their long names: at the top for all commands that have
/// them, in a table such as `[download]` for one. Each is an environment variable too: TAILWATER_MAX_DOWN, or
/// TAILWATER_DOWNLOAD_MAX_DOWN for one command. What is typed comes first, then the environment, then the table, then the
/// top. A switch that is set is turned off by `--switch=false`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater config                     what is set, and where
  tailwater config download            every option of a command
  tailwater config --path              which file it is
  tailwater config --example > ~/.config/tailwater/config.toml")]
pub(crate) struct Config {
    /// Show every option of this command, set or not.
    #[arg(value_name = "COMMAND")]
    pub(crate) of: Vec<String>,
    /// Print a file with all options, their help and their defaults, each behind a #.
    #[arg(long, conflicts_with_all = ["path", "of"])]
    pub(crate) example: bool,
    /// Print where the file is, or would be.
    #[arg(long, conflicts_with = "of")]
    pub(crate) path: bool,
}
