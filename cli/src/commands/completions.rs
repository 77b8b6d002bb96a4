//! `tailwater completions`: scripts that have the program itself find the completions.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCompleter, PathCompleter};
use clap_complete::env::{CompleteEnv, Shells};

use crate::args::{self, Completions};
use crate::error::CliError;
use crate::out;

/// By this variable a script asks for completions.
const VARIABLE: &str = "TAILWATER_COMPLETE";
/// By this one, where there is one, the script says which word is to be completed.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
/// The name where the program was called by none.
const NAME: &str = "tailwater";

/// Answers a script that asks for completions, and ends. Returns if there is no such question.
pub(crate) fn answer() {
    CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .bin(called().name)
        .complete();
}

pub(super) fn run(args: &Completions) -> Result<(), CliError> {
    let shells = Shells::builtins();
    let shell = args.shell.to_string();
    let Some(completer) = shells.completer(&shell) else {
        return Err(CliError::Usage(format!("no completions for {shell}")));
    };
    let Called { name, program } = called();
    let mut script = Vec::new();
    let written =
        completer.write_registration(VARIABLE, &identifier(&name), &name, &program, &mut script);
    written.map_err(CliError::Output)?;
    let script = String::from_utf8_lossy(&script);
    out::line(quoting_paths(script.trim_end()))
}

/// By which name, and which path, this program was called.
struct Called {
    name: String,
    program: String,
}

fn called() -> Called {
    let program = std::env::args_os().next();
    let program = program.map_or_else(|| PathBuf::from(NAME), PathBuf::from);
    let name = program.file_name().and_then(|name| name.to_str());
    let name = name
        .unwrap_or(NAME)
        .trim_end_matches(std::env::consts::EXE_SUFFIX);
    // A name alone is looked for as the shell does; a path leads there from any folder.
    let program = match program.parent() {
        None => program.clone(),
        Some(parent) if parent == Path::new("") => program.clone(),
        Some(_) => std::path::absolute(&program).unwrap_or_else(|_| program.clone()),
    };
    Called {
        name: name.to_owned(),
        program: program.to_string_lossy().into_owned(),
    }
}

/// The name as a part of a shell function's.
fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(plain).collect()
}

/// Has bash quote what is special in the names of files; it quotes nothing else then.
fn quoting_paths(script: &str) -> String {
    const ANSWERED: &str = "    if [[ $? != 0 ]]; then\n        unset COMPREPLY\n";
    const QUOTED: &str = concat!(
        "    if [[ $? != 0 ]]; then\n        unset COMPREPLY\n",
        "    elif [[ -e \"${COMPREPLY-}\" ]]; then\n        compopt -o filenames\n",
        "        [[ \"${COMPREPLY-}\" =~ /$ ]] && compopt -o nospace || compopt +o nospace\n",
    );
    script.replacen(ANSWERED, QUOTED, 1)
}

/// The command line, with candidates that its definition does not have.
fn command() -> Command {
    let command = with_torrents(args::command());
    match asked_word() {
        Some(word) if !word.is_empty() => command,
        _ => without_options(command),
    }
}

/// The word that is to be completed, as far as it is typed: what stands behind `--`, at the place that the script names,
/// or else at the end.
fn asked_word() -> Option<OsString> {
    let words: Vec<_> = std::env::args_os()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let index = std::env::var(INDEX)
        .ok()
        .and_then(|index| index.parse().ok());
    let index: usize = index.unwrap_or_else(|| words.len().saturating_sub(1));
    words.into_iter().nth(index)
}

/// Offers options only where there is nothing else: they are many, and asked for by a dash.
fn without_options(command: Command) -> Command {
    let hide = |arg: Arg| {
        let is_option = !arg.is_positional();
        arg.hide(is_option)
    };
    let command = command.disable_help_flag(true).disable_version_flag(true);
    command.mut_args(hide).mut_subcommands(without_options)
}

/// Offers `.torrent` files for arguments that are torrents, and folders on the way to them.
fn with_torrents(mut command: Command) -> Command {
    let torrents: Vec<_> = command
        .get_positionals()
        .filter(|arg| matches!(arg.get_value_hint(), ValueHint::FilePath))
        .map(Arg::get_id)
        .cloned()
        .collect();
    for id in torrents {
        command = command.mut_arg(id, |arg| {
            arg.add(ArgValueCompleter::new(
                PathCompleter::any().filter(is_torrent),
            ))
        });
    }
    command.mut_subcommands(with_torrents)
}

fn is_torrent(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|it| it.eq_ignore_ascii_case("torrent")) && !path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        assert_eq!(identifier("tailwater-0.2"), "tailwater_0_2");
    }

    #[test]
    fn the_script_for_bash_is_the_one_that_is_changed() {
        let shells = Shells::builtins();
        let bash = shells.completer("bash").expect("bash");
        let mut script = Vec::new();
        bash.write_registration("V", "n", "b", "c", &mut script)
            .expect("a script");
        let script = String::from_utf8(script).expect("text");
        assert!(quoting_paths(&script).contains("compopt -o filenames"));
    }
}
