//! `tailwater completions`: scripts that have the program itself find the completions.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter,
};
use clap_complete::env::{CompleteEnv, Shells};

use crate::args::{self, Completions};
use crate::error::CliError;
use crate::out;

/// The variable by which a script requests completions.
const VARIABLE: &str = "TAILWATER_COMPLETE";
/// The variable with the index of the word to complete, where the shell sets one.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
/// The name to use where the program was called without one.
const NAME: &str = "tailwater";

/// Answers a script that requests completions, and exits. Returns if there is no such request.
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
    out::line(joining_options(&quoting_paths(script.trim_end())))
}

/// The name and the path by which this program was called.
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

/// Has bash ask for `--option=value` as one word, as it was typed, and take the answer as the value that it completes:
/// where it divides words at `=`, the program would be asked for something else.
fn joining_options(script: &str) -> String {
    const WORDS: &str = concat!(
        "    local words=(\"${COMP_WORDS[@]}\")\n",
        "    if [[ \"${BASH_VERSINFO[0]}\" -ge 4 ]]; then\n",
        "        words[COMP_CWORD]=\"$2\"\n",
        "    fi\n",
    );
    const JOINED: &str = r#"    local words=() word last joined
    local -i i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        last=$((${#words[@]} - 1))
        if [[ $word == "=" && $i -gt 1 && "${words[last]}" == --* && "${words[last]}" != *=* ]]; then
            words[last]+="="
            joined=true
            continue
        fi
        if [[ $i -eq $COMP_CWORD && "${BASH_VERSINFO[0]}" -ge 4 ]]; then
            word="$2"
        fi
        if [[ $joined == true && "${COMP_WORDS[i-1]}" == "=" ]]; then
            words[last]+="$word"
        else
            words+=("$word")
            joined=false
        fi
    done
    _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1))
"#;
    const FAILED: &str = "    if [[ $? != 0 ]]; then\n        unset COMPREPLY\n";
    const STRIPPED: &str = concat!(
        "    if [[ $? != 0 ]]; then\n        unset COMPREPLY\n",
        "    elif [[ $joined == true ]]; then\n",
        "        COMPREPLY=(\"${COMPREPLY[@]#--*=}\")\n",
    );
    script
        .replacen(WORDS, JOINED, 1)
        .replacen(FAILED, STRIPPED, 1)
}

/// The command line, with candidates that its definition does not have.
fn command() -> Command {
    let command = with_pages(with_torrents(args::command()));
    match asked_word() {
        Some(word) if !word.is_empty() => command,
        _ => without_options(command),
    }
}

/// The word that is to be completed, as far as it is typed: at the place that the script names, or else at the end.
fn asked_word() -> Option<OsString> {
    typed_words().pop()
}

/// The words after `--`, up to the word to complete.
fn typed_words() -> Vec<OsString> {
    let mut words: Vec<_> = std::env::args_os()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let index = std::env::var(INDEX)
        .ok()
        .and_then(|index| index.parse().ok());
    let index: usize = index.unwrap_or_else(|| words.len().saturating_sub(1));
    words.truncate(index.saturating_add(1));
    words
}

/// Offers the commands that have a page for `man`: those of the command that is typed before them.
fn with_pages(command: Command) -> Command {
    let mut typed = typed_words();
    typed.pop();
    let mut above = &command;
    for word in typed.iter().skip_while(|word| *word != "man").skip(1) {
        match above.find_subcommand(word) {
            Some(inner) => above = inner,
            // It has no page, and nothing below it has one.
            None => return command,
        }
    }
    let with_page = above.get_subcommands().filter(|it| !it.is_hide_set());
    let pages: Vec<_> = with_page
        .map(|it| (it.get_name().to_owned(), it.get_about().cloned()))
        .collect();
    let offered = ArgValueCandidates::new(move || {
        let pages = pages.iter().cloned();
        pages
            .map(|(name, about)| CompletionCandidate::new(name).help(about))
            .collect()
    });
    command.mut_subcommand("man", |man| man.mut_arg("command", |arg| arg.add(offered)))
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
        let joining = joining_options(&script);
        assert!(joining.contains("local words=()") && joining.contains("#--*="));
    }
}
