//! `tailwater config`

use std::env;
use std::ffi::OsString;

use super::Context;
use crate::args::{self, Config};
use crate::config::{self, Line};
use crate::error::CliError;
use crate::out::{self, Harmless};

pub(super) fn run(context: &Context, args: &Config) -> Result<(), CliError> {
    let typed: Vec<OsString> = env::args_os().collect();
    let command = args::command();
    if args.example {
        return out::line(config::example(&command).trim_end());
    }
    let file = config::path(&typed);
    if args.path {
        return match file {
            Some(file) => out::line(file.display()),
            None => Err(CliError::Usage(
                "there is no configuration file: `--no-config` is given, or no folder for it is known".to_owned(),
            )),
        };
    }
    for (name, meant) in config::unknown_variables(&command) {
        let help = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => {
                "options in capitals, with _ for -: TAILWATER_MAX_DOWN is --max-down".to_owned()
            }
        };
        context.progress.note(format_args!(
            "warning: the environment variable {} means nothing: no option has that name\n  help: {help}",
            Harmless(&name)
        ));
    }
    let of = args.of.join(" ");
    let settings = config::settings(&command, &typed);
    let lines = config::lines(&command, &settings.map_err(CliError::Config)?);
    let is_known = lines.iter().any(|line| line.command == of);
    if !args.of.is_empty() && !is_known {
        return Err(CliError::Usage(format!(
            "{of:?} is no command that has options"
        )));
    }
    // Options of all commands belong to each.
    let is_meant = |line: &Line| match of.is_empty() {
        true => line.from != "default",
        false => line.command == of || line.command.is_empty(),
    };
    let lines: Vec<_> = lines.into_iter().filter(is_meant).collect();
    if context.common.json() {
        return lines.iter().try_for_each(out::json);
    }
    if lines.is_empty() {
        let file = file.map(|file| format!("{}, and no", file.display()));
        return out::line(format_args!(
            "nothing is set: there is nothing in {} environment variable that is the name of an option",
            file.unwrap_or_else(|| "any".to_owned())
        ));
    }
    show(&lines)
}

fn show(lines: &[Line]) -> Result<(), CliError> {
    let mut command = None;
    for line in lines {
        if command != Some(&line.command) {
            let name = match line.command.as_str() {
                "" => "all commands",
                name => name,
            };
            out::line(format_args!("{name}:"))?;
            command = Some(&line.command);
        }
        let value = match line.values.as_slice() {
            [] => "not set".to_owned(),
            values => values.join(", "),
        };
        out::line(format_args!("  {} = {value}  ({})", line.option, line.from))?;
    }
    Ok(())
}
