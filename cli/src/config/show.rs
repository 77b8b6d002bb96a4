//! Lists the effective options, and where each is set.

use clap::Command;
use serde::Serialize;

use super::{Setting, commands, options};

/// An option of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// The command; empty for options of all commands.
    pub(crate) command: String,
    pub(crate) option: String,
    /// What it has without being typed.
    pub(crate) values: Vec<String>,
    /// The file and line, or the variable; `default` if neither sets it.
    pub(crate) from: String,
}

/// Every option of every command.
pub(crate) fn lines(command: &Command, settings: &[Setting]) -> Vec<Line> {
    let mut lines = Vec::new();
    collect(command, settings, &mut Vec::new(), &mut lines);
    lines
}

fn collect(command: &Command, settings: &[Setting], path: &mut Vec<String>, lines: &mut Vec<Line>) {
    for (arg, option) in options(command) {
        let mut settings = settings.iter();
        let setting = settings.find(|setting| setting.option == option && setting.command == *path);
        let defaults = arg.get_default_values().iter();
        lines.push(Line {
            command: path.join(" "),
            option: option.to_owned(),
            values: match setting {
                Some(setting) => setting.values.clone(),
                None => defaults
                    .map(|value| value.to_string_lossy().into_owned())
                    .collect(),
            },
            from: match setting {
                Some(setting) => setting.origin.to_string(),
                None => "default".to_owned(),
            },
        });
    }
    for sub in commands(command) {
        path.push(sub.get_name().to_owned());
        collect(sub, settings, path, lines);
        path.pop();
    }
}
