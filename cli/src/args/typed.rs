//! Parses the command line, with errors that suggest what to type instead.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use super::Args;
use super::source::Source;
use crate::config::{self, Applied, Setting};
use crate::error::CliError;

/// Why a command line, or a configuration, is not taken.
enum Refusal {
    Configuration(CliError),
    /// Help too.
    Line(Box<Error>),
}

impl From<CliError> for Refusal {
    fn from(error: CliError) -> Self {
        Self::Configuration(error)
    }
}

/// Reads the command line, the environment and the configuration file. Help, or what is wrong, is printed; the exit code
/// is 0 for help and 2 for an error.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    load().map_err(|refusal| match refusal {
        Refusal::Configuration(error) => complain(&error),
        Refusal::Line(error) => report(&error),
    })
}

/// Reads them again while the command runs: what is in the file may have changed.
///
/// # Errors
///
/// What is wrong, in words.
pub(crate) fn parse_again() -> Result<Args, String> {
    load().map_err(|refusal| match refusal {
        Refusal::Configuration(error) => error.to_string(),
        Refusal::Line(error) => numbers_in_words(error.render().to_string().trim_end()),
    })
}

fn load() -> Result<Args, Refusal> {
    let mut typed: Vec<OsString> = std::env::args_os().collect();
    let off = config::turn_off(&mut typed);
    let mut definition = command();
    let mut settings = match config::settings(&definition, &typed) {
        Ok(settings) => settings,
        // Commands that show the configuration must work with a broken one.
        Err(_) if typed.iter().any(needs_no_settings) => Vec::new(),
        Err(error) => return Err(CliError::Config(error).into()),
    };
    settings.retain(|setting| !off.contains(&setting.option.as_str()));
    if typed.iter().any(sets_switch) {
        definition = with_switch_values(definition);
    }
    if settings.is_empty() {
        return match read(&mut definition, &typed) {
            Ok((args, _)) => Ok(args),
            Err(error) => Err(Refusal::Line(Box::new(error.format(&mut definition)))),
        };
    }
    let mut applied = Applied::new(&settings);
    loop {
        let mut command = applied.define(definition.clone());
        match read(&mut command, &typed) {
            Ok((args, matches)) if !applied.drop_overruled(&command, &matches) => return Ok(args),
            Ok(_) => {}
            Err(error) => {
                return Err(match applied.at_fault(&error) {
                    Some(setting) => wrong_setting(setting, &error).into(),
                    None => Refusal::Line(Box::new(error.format(&mut command))),
                });
            }
        }
    }
}

fn read(command: &mut Command, typed: &[OsString]) -> Result<(Args, ArgMatches), Error> {
    let matches = command.try_get_matches_from_mut(typed)?;
    Ok((Args::from_arg_matches(&matches)?, matches))
}

/// The definition of the command line.
pub(crate) fn command() -> Command {
    // The last of an option that is given twice counts, so that an alias can be overruled; lists grow.
    Args::command().args_override_self(true)
}

fn needs_no_settings(word: &OsString) -> bool {
    let words = ["-h", "--help", "-V", "--version", "--path", "--example"];
    words.iter().any(|known| word == known)
}

/// Whether a word is a switch with a value: `--seed=false`.
fn sets_switch(word: &OsString) -> bool {
    let value = word
        .to_str()
        .and_then(|word| word.strip_prefix("--")?.split_once('='));
    value.is_some_and(|(_, value)| {
        let parser = BoolishValueParser::new();
        parser
            .parse_ref(&Command::new(""), None, value.as_ref())
            .is_ok()
    })
}

/// Lets every switch take a value, which turns off what the configuration turns on. The help is without it: a switch is
/// simpler than that.
fn with_switch_values(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .value_parser(BoolishValueParser::new()),
        _ => arg,
    });
    command.mut_subcommands(with_switch_values)
}

/// An error that names where an invalid value was set.
fn wrong_setting(setting: &Setting, error: &Error) -> CliError {
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(reason), _) => reason.to_string(),
        (None, Some(ContextValue::Strings(values))) => format!("one of {}", values.join(", ")),
        (None, _) => "not what it takes".to_owned(),
    };
    let Setting { option, origin, .. } = setting;
    let value = setting.values.join(", ");
    let reason = numbers_in_words(&reason);
    CliError::Usage(format!(
        "{origin}: wrong value {value:?} of {option}: {reason}"
    ))
}

fn complain(error: &CliError) -> ExitCode {
    let help = error.remedy().map(|help| format!("\n  help: {help}"));
    let text = format!("error: {error}{}", help.unwrap_or_default());
    // When standard error is closed the message cannot be shown.
    let _ = writeln!(anstream::stderr(), "{text}");
    ExitCode::from(error.exit_code())
}

fn report(error: &Error) -> ExitCode {
    // When the output is closed the message cannot be shown.
    let _ = match suggestion(error) {
        Some(text) => writeln!(anstream::stderr(), "{text}"),
        None if error.use_stderr() => {
            let text = error.render().ansi().to_string();
            write!(anstream::stderr(), "{}", numbers_in_words(&text))
        }
        None => error.print(),
    };
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// A source where a command should be.
fn suggestion(error: &Error) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let Ok(source) = typed.parse::<Source>();
    let is_source = match &source {
        Source::File(path) => {
            begins_like_a_torrent(path)
                || Path::new(typed)
                    .extension()
                    .is_some_and(|it| it == "torrent")
        }
        Source::Url(_) | Source::Magnet(_) => true,
        Source::Stdin | Source::Bytes(_) => false,
    };
    let quoted = shell_words::quote(typed);
    is_source.then(|| {
        format!(
            "error: {typed} is a torrent, and no command\n  \
             help: `tailwater download {quoted}` fetches its files; `tailwater stream {quoted}` plays it while it comes"
        )
    })
}

/// A file may be a torrent although its name does not say so.
fn begins_like_a_torrent(path: &Path) -> bool {
    let mut start = [0];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"d"
}

/// Rewords the number errors of the standard library and clap for people.
fn numbers_in_words(text: &str) -> String {
    const STD_SAYS: [(&str, &str); 5] = [
        ("invalid digit found in string", "not a whole number"),
        (
            "cannot parse integer from empty string",
            "not a whole number",
        ),
        ("number too large to fit in target type", "too large"),
        ("number too small to fit in target type", "too small"),
        ("invalid float literal", "not a number"),
    ];
    let mut text = ranges_in_words(text);
    for (said, words) in STD_SAYS {
        text = text.replacen(said, words, 1);
    }
    text
}

/// `is not in 1..=65535`, as clap says it, for people: `is not from 1 to 65535`.
fn ranges_in_words(text: &str) -> String {
    const CLAP_SAYS: &str = " is not in ";
    let Some((before, rest)) = text.split_once(CLAP_SAYS) else {
        return text.to_owned();
    };
    let is_range = |c: char| c.is_ascii_digit() || matches!(c, '.' | '=' | '-');
    let end = rest.find(|c| !is_range(c)).unwrap_or(rest.len());
    let (range, after) = rest.split_at(end);
    match (range.split_once("..="), range.strip_suffix("..")) {
        (Some((first, last)), _) => format!("{before} is not from {first} to {last}{after}"),
        (None, Some(first)) => format!("{before} is less than {first}{after}"),
        (None, None) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_said_in_words() {
        let cases = [
            ("0 is not in 1..=65535\n", "0 is not from 1 to 65535\n"),
            ("-9 is not in -5..=5", "-9 is not from -5 to 5"),
            ("0 is not in 1..", "0 is less than 1"),
            ("it is not in time", "it is not in time"),
            ("something else", "something else"),
        ];
        for (said, words) in cases {
            assert_eq!(ranges_in_words(said), words);
        }
    }

    #[test]
    fn a_list_grows_and_anything_else_is_overruled() {
        let typed = [
            "tailwater",
            "download",
            "a",
            "-o",
            "x",
            "-o",
            "y",
            "--seed",
            "--seed",
            "--files",
            "1",
            "--files",
            "2",
            "-vv",
            "-v",
        ];
        let matches = command().try_get_matches_from(typed).unwrap();
        let args = Args::from_arg_matches(&matches).unwrap();
        assert_eq!(args.common.verbose, 3);
        let crate::args::Command::Download(download) = args.command else {
            panic!("another command");
        };
        assert_eq!(download.output.as_deref(), Some(Path::new("y")));
        assert_eq!(download.files, ["1", "2"]);
    }
}
