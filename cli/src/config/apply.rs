//! Applies settings to the definition of the command line, as default values.

use std::collections::HashSet;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error, Id};

use super::Setting;

/// Options that mean something with one value of another only. A default that means nothing is left out, rather than
/// refused as it is where it is typed.
const ONLY_WITH: [(&[&str], &str, &str); 2] = [
    (&["memory", "lookbehind"], "storage", "memory"),
    (
        &["output", "check", "overwrite", "preallocate", "part"],
        "storage",
        "disk",
    ),
];

/// Settings, without those that typed options make meaningless.
pub(crate) struct Applied<'a> {
    settings: &'a [Setting],
    /// By their place in `settings`.
    dropped: HashSet<usize>,
}

impl<'a> Applied<'a> {
    pub(crate) fn new(settings: &'a [Setting]) -> Self {
        Self {
            settings,
            dropped: HashSet::new(),
        }
    }

    /// The definition with these defaults.
    pub(crate) fn define(&self, mut command: Command) -> Command {
        for (number, setting) in self.settings.iter().enumerate() {
            if !self.dropped.contains(&number) {
                command = set(command, &setting.command, setting);
            }
        }
        command
    }

    /// Leaves out what conflicts with something that is typed, or has no meaning with it; returns whether there was
    /// any. `command` is as it was after reading the command line.
    pub(crate) fn drop_overruled(&mut self, command: &Command, matches: &ArgMatches) -> bool {
        let (mut command, mut matches, mut path) = (command, matches, Vec::new());
        while let Some((name, inner)) = matches.subcommand() {
            let Some(sub) = command.find_subcommand(name) else {
                break;
            };
            path.push(sub.get_name().to_owned());
            (command, matches) = (sub, inner);
        }
        let typed: Vec<&Arg> = command
            .get_arguments()
            .filter(|arg| source(matches, arg.get_id()) == Some(ValueSource::CommandLine))
            .collect();
        let before = self.dropped.len();
        for (number, setting) in self.settings.iter().enumerate() {
            let is_here = setting.command.is_empty() || setting.command == path;
            let arg = command
                .get_arguments()
                .find(|arg| arg.get_id() == setting.id.as_str());
            let Some(arg) = arg.filter(|_| is_here) else {
                continue;
            };
            let is_default = source(matches, arg.get_id()) == Some(ValueSource::DefaultValue);
            let conflicts = || typed.iter().any(|typed| conflict(command, arg, typed));
            if is_default && (conflicts() || is_meaningless(matches, setting)) {
                self.dropped.insert(number);
            }
        }
        self.dropped.len() > before
    }

    /// The setting whose value clap refuses.
    pub(crate) fn at_fault(&self, error: &Error) -> Option<&'a Setting> {
        let text = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let (arg, value) = (
            text(ContextKind::InvalidArg)?,
            text(ContextKind::InvalidValue)?,
        );
        let mut options = arg.split(|c: char| c.is_whitespace() || matches!(c, '=' | '['));
        let option = options.next()?.strip_prefix("--")?;
        let mut settings = self.settings.iter();
        settings
            .find(|setting| setting.option == option && setting.values.iter().any(|it| it == value))
    }
}

fn source(matches: &ArgMatches, id: &Id) -> Option<ValueSource> {
    // An option that has not been parsed is none of the matches.
    let known = matches.try_contains_id(id.as_str());
    known.ok().and_then(|_| matches.value_source(id.as_str()))
}

fn conflict(command: &Command, one: &Arg, other: &Arg) -> bool {
    let has = |one: &Arg, other: &Arg| {
        let conflicts = command.get_arg_conflicts_with(one);
        conflicts.iter().any(|arg| arg.get_id() == other.get_id())
    };
    has(one, other) || has(other, one)
}

fn is_meaningless(matches: &ArgMatches, setting: &Setting) -> bool {
    ONLY_WITH.iter().any(|(options, with, value)| {
        let given = || {
            let raw = matches.try_get_raw(with).ok().flatten();
            raw.and_then(Iterator::last).map(ToOwned::to_owned)
        };
        options.contains(&setting.option.as_str()) && given().is_some_and(|given| given != *value)
    })
}

fn set(command: Command, path: &[String], setting: &Setting) -> Command {
    match path.split_first() {
        Some((name, rest)) => command.mut_subcommand(name, |sub| set(sub, rest, setting)),
        None => command.mut_arg(&setting.id, |arg| {
            // What has a default need not be typed.
            arg.default_values(setting.values.clone())
                .required(false)
                .required_unless_present(Resettable::<Id>::Reset)
        }),
    }
}
