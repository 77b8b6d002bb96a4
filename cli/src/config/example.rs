//! A file with all options, each behind a `#`.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Arg, Command};

use super::{Kind, commands, is_apart, options};

/// The longest line of a comment, in characters.
const COLUMNS: usize = 98;

const HEAD: &str = "\
# Options by their long names. Take the # away to set one.
#
# The command line overrules this file, and so does the environment: max-down is TAILWATER_MAX_DOWN
# for all commands, and TAILWATER_DOWNLOAD_MAX_DOWN for one. A switch that is on here is turned off
# by --switch=false. `tailwater config` shows what is set, and where it comes from.

# For all commands that have the option; in the table of a command ([download]) for that one.
";

/// The text of the file.
pub(crate) fn example(command: &Command) -> String {
    let mut counts = BTreeMap::new();
    count(command, &mut counts);
    let is_common = |path: &[String], arg: &Arg, option: &str| {
        // The same name with another meaning belongs to its command.
        let count = counts.get(&(option.to_owned(), help(arg)));
        // One that has the name of a command would be taken for its table.
        let is_table = command.find_subcommand(option).is_some();
        !is_table && !is_apart(path, option) && count.is_some_and(|&count| count > 1)
    };
    let mut text = HEAD.to_owned();
    let mut common = BTreeMap::new();
    walk(command, &mut Vec::new(), &mut |path, arg, option| {
        if path.is_empty() || is_common(path, arg, option) {
            common
                .entry(option.to_owned())
                .or_insert_with(|| entry(arg, option));
        }
    });
    for entry in common.values() {
        text.push_str(entry);
    }
    let mut table = Vec::new();
    walk(command, &mut Vec::new(), &mut |path, arg, option| {
        if common.contains_key(option) && (path.is_empty() || is_common(path, arg, option)) {
            return;
        }
        if table != path {
            table = path.to_vec();
            // Writing to a text does not fail.
            let _ = write!(text, "\n[{}]\n", path.join("."));
        }
        text.push_str(&entry(arg, option));
    });
    text
}

fn count(command: &Command, counts: &mut BTreeMap<(String, String), usize>) {
    walk(command, &mut Vec::new(), &mut |_, arg, option| {
        *counts.entry((option.to_owned(), help(arg))).or_default() += 1;
    });
}

fn walk(command: &Command, path: &mut Vec<String>, each: &mut impl FnMut(&[String], &Arg, &str)) {
    for (arg, option) in options(command) {
        each(path, arg, option);
    }
    for sub in commands(command) {
        path.push(sub.get_name().to_owned());
        walk(sub, path, each);
        path.pop();
    }
}

fn help(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string);
    help.unwrap_or_default().replace('\n', " ")
}

fn entry(arg: &Arg, option: &str) -> String {
    let name = arg.get_value_names().and_then(|names| names.first());
    let possible = arg.get_possible_values();
    // One of a choice, or what stands for the value.
    let name = match possible.first() {
        Some(value) => value.get_name().to_owned(),
        None => name.map_or_else(String::new, ToString::to_string),
    };
    let default = arg.get_default_values().first();
    let value = match (Kind::of(arg), default) {
        (Kind::Switch, _) => "true".to_owned(),
        (Kind::Count, _) => "1".to_owned(),
        (Kind::List, _) => format!("[{}]", quoted(&name)),
        (Kind::One | Kind::Optional, Some(default)) => quoted(&default.to_string_lossy()),
        (Kind::One | Kind::Optional, None) => quoted(&name),
    };
    format!("\n{}#{option} = {value}\n", comment(&help(arg)))
}

/// A text as lines of a comment.
fn comment(text: &str) -> String {
    let mut comment = String::from("#");
    let mut columns = comment.len();
    for word in text.split_whitespace() {
        let width = 1 + word.chars().count();
        if columns + width > COLUMNS && columns > 1 {
            comment.push_str("\n#");
            columns = 1;
        }
        comment.push(' ');
        comment.push_str(word);
        columns += width;
    }
    comment.push('\n');
    comment
}

/// A text of a TOML file, for texts without quotation marks and control characters.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
