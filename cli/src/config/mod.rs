//! The configuration: defaults from the environment and a file. Typed options take precedence over both.
//!
//! They become default values in the definition of the command line, so that they do not count as typed: an option that
//! is typed never conflicts with one of the file.

mod apply;
mod env;
mod example;
mod file;
mod place;
mod show;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgAction, Command, ValueHint};

pub(crate) use apply::Applied;
pub(crate) use example::example;
pub(crate) use place::path;
pub(crate) use show::{Line, lines};

use crate::home;
use env::Environment;
use file::File;
use place::Place;

/// Similarity below which a name is not suggested.
const ALIKE: f64 = 0.75;
/// Options and commands that are about the configuration or the definition, so that it cannot hold them.
const ABOUT_ITSELF: [&str; 8] = [
    "config",
    "no-config",
    "help",
    "version",
    // What a daemon does instead of running.
    "print-config",
    "create-token",
    "read-only",
    "revoke-token",
];
/// The meaning of `true` for options with an optional value.
const WITHOUT_VALUE: [(&str, &str); 1] = [("json", "events")];

/// Takes `--json=false` out of what is typed: an option with an optional value is turned off as a switch is. Returns what
/// is turned off.
pub(crate) fn turn_off(typed: &mut Vec<OsString>) -> Vec<&'static str> {
    let options = WITHOUT_VALUE.map(|(option, _)| option);
    let is_off = |option: &str, word: &OsString| {
        let value = word
            .to_str()
            .and_then(|word| word.strip_prefix("--")?.strip_prefix(option));
        value.and_then(|value| value.strip_prefix('=')) == Some("false")
    };
    let off = |option: &&str| typed.iter().any(|word| is_off(option, word));
    let off: Vec<_> = options.into_iter().filter(off).collect();
    typed.retain(|word| !off.iter().any(|option| is_off(option, word)));
    off
}

/// Commands, and options of them, that are not meant by what is set for all commands: they name things of their own.
const APART: [(&str, Option<&str>); 4] = [
    ("sim", None),
    ("bench", None),
    ("edit", None),
    ("create", Some("output")),
];

fn is_apart(path: &[String], option: &str) -> bool {
    APART.iter().any(|(command, only)| {
        path.first().is_some_and(|name| name == command) && only.is_none_or(|only| only == option)
    })
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    File { path: Arc<PathBuf>, line: usize },
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// A configuration that is wrong: always wrong usage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ConfigError {
    /// The file, perhaps with a line, or the variable.
    origin: String,
    what: String,
    help: Option<String>,
    /// What else is wrong.
    next: Option<Box<Self>>,
}

impl ConfigError {
    fn new(origin: impl fmt::Display, what: impl Into<String>) -> Self {
        Self {
            origin: origin.to_string(),
            what: what.into(),
            help: None,
            next: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// All of them as one; `None` if there are none.
    fn all(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors.into_iter().rev();
        let last = errors.next()?;
        Some(errors.fold(last, |next, error| Self {
            next: Some(Box::new(next)),
            ..error
        }))
    }

    /// What the user can do about the last one; the texts of the others contain it.
    pub(crate) fn remedy(&self) -> Option<String> {
        match &self.next {
            Some(next) => next.remedy(),
            None => self.help.clone(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)?;
        let Some(next) = &self.next else {
            return Ok(());
        };
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        write!(f, "\nerror: {next}")
    }
}

/// The value of one option of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The command and its subcommands; empty for options that all commands have.
    pub(crate) command: Vec<String>,
    /// The option's long name.
    pub(crate) option: String,
    /// Its name in the definition.
    id: String,
    /// Several for an option that may be given again, none for one that is switched off.
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Switch(bool),
    Text(String),
    List(Vec<String>),
}

/// The kind of value that an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `true` or `false`.
    Switch,
    /// A number: how often it is given.
    Count,
    One,
    /// A value or, with `true`, what the option means without one.
    Optional,
    List,
}

impl Kind {
    fn of(arg: &Arg) -> Self {
        match arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => Self::Switch,
            ArgAction::Count => Self::Count,
            ArgAction::Append => Self::List,
            _ if arg
                .get_num_args()
                .is_some_and(|count| count.min_values() == 0) =>
            {
                Self::Optional
            }
            _ => Self::One,
        }
    }

    /// The values for the definition, or what is expected instead.
    fn values(self, option: &str, value: &Value) -> Result<Vec<String>, &'static str> {
        let without_value = || {
            let mut meant = WITHOUT_VALUE.iter().filter(|(name, _)| *name == option);
            meant.next().map(|(_, value)| (*value).to_owned())
        };
        match (self, value) {
            (Self::Switch, Value::Switch(on)) => Ok(vec![on.to_string()]),
            (Self::Switch, _) => Err("true or false"),
            (Self::Optional, Value::Switch(false)) => Ok(Vec::new()),
            (Self::Optional, Value::Switch(true)) => {
                without_value().map(|value| vec![value]).ok_or("a value")
            }
            (Self::One | Self::Optional | Self::List, Value::Text(text)) => Ok(vec![text.clone()]),
            (Self::List, Value::List(values)) => Ok(values.clone()),
            (Self::Count, Value::Text(text)) if text.parse::<u8>().is_ok() => {
                Ok(vec![text.clone()])
            }
            (Self::Count, _) => Err("a number from 0 to 255"),
            (Self::One | Self::Optional, _) => Err("a text in quotes or a number"),
            (Self::List, Value::Switch(_)) => Err("a text in quotes, or several in [ ]"),
        }
    }
}

/// All settings for all commands.
///
/// # Errors
///
/// When the file cannot be read or says something that no command knows.
pub(crate) fn settings(command: &Command, typed: &[OsString]) -> Result<Vec<Setting>, ConfigError> {
    let environment = Environment::read();
    let file = match Place::of(typed) {
        Some(place) => File::read(&place, command)?,
        None => None,
    };
    if environment.is_empty() && file.is_none() {
        return Ok(Vec::new());
    }
    let sources = Sources {
        environment,
        file: file.unwrap_or_default(),
        called: called(command, typed),
    };
    let mut settings = Vec::new();
    sources.collect(command, &mut Vec::new(), &mut settings)?;
    Ok(settings)
}

/// The environment variables that are named like options and mean none, with the one that is most like each.
pub(crate) fn unknown_variables(command: &Command) -> Vec<(String, Option<String>)> {
    Environment::read().unknown(command)
}

/// The command that is typed, as far as it can be known before the line is read.
fn called(command: &Command, typed: &[OsString]) -> Option<String> {
    let words = typed.iter().skip(1).filter_map(|word| word.to_str());
    words
        .filter_map(|word| command.find_subcommand(word))
        .map(|command| command.get_name().to_owned())
        .next()
}

/// The options of a command that can be configured, without those that all commands have.
fn options(command: &Command) -> impl Iterator<Item = (&Arg, &str)> {
    let named = command
        .get_arguments()
        .filter_map(|arg| Some((arg, arg.get_long()?)));
    named.filter(|(arg, long)| !arg.is_hide_set() && !ABOUT_ITSELF.contains(long))
}

fn is_path(arg: &Arg) -> bool {
    matches!(
        arg.get_value_hint(),
        ValueHint::DirPath | ValueHint::FilePath | ValueHint::AnyPath
    )
}

/// Paths with the home folder in place of `~`: no shell reads them.
fn at_home(values: &[String], option: &str, origin: &Origin) -> Result<Vec<String>, ConfigError> {
    let paths = values.iter().map(|path| home::expand(path));
    let paths: Result<_, String> = paths.collect();
    paths.map_err(|why| {
        let error = ConfigError::new(origin, format!("{option}: {why}"));
        error.help("write the whole path")
    })
}

/// The commands below a command that can be configured.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    let all = command.get_subcommands();
    all.filter(|command| !ABOUT_ITSELF.contains(&command.get_name()))
}

struct Sources {
    environment: Environment,
    file: File,
    called: Option<String>,
}

impl Sources {
    fn collect(
        &self,
        command: &Command,
        path: &mut Vec<String>,
        settings: &mut Vec<Setting>,
    ) -> Result<(), ConfigError> {
        for (arg, option) in options(command) {
            let kind = Kind::of(arg);
            let found = match self.environment.value(path, option, kind)? {
                Some(found) => Some(found),
                None => self.in_file(path, option, kind),
            };
            if let Some((values, origin)) = found {
                let values = match is_path(arg) {
                    true => at_home(&values, option, &origin)?,
                    false => values,
                };
                settings.push(Setting {
                    command: path.clone(),
                    option: option.to_owned(),
                    id: arg.get_id().to_string(),
                    values,
                    origin,
                });
            }
        }
        for sub in commands(command) {
            path.push(sub.get_name().to_owned());
            self.collect(sub, path, settings)?;
            path.pop();
        }
        Ok(())
    }

    fn in_file(&self, path: &[String], option: &str, kind: Kind) -> Option<(Vec<String>, Origin)> {
        // An option of all commands may stand in the table of the one that is called.
        let called = self.called.as_slice();
        let path = match path.is_empty() {
            true => called,
            false => path,
        };
        self.file.value(path, option, kind)
    }
}
