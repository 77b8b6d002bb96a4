//! Settings by a TOML file: options by their long names, at the top for all commands, in tables for one.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Command;
use tailwater_types::system::message as plain;
use toml::de::{DeTable, DeValue};

use super::place::Place;
use super::{ALIKE, ConfigError, Kind, Origin, Value, commands, is_apart, options};

/// The longest file, in bytes: all options with their help are a hundredth of it.
const MAX_LEN: u64 = 1024 * 1024;

/// The parsed configuration file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    path: Arc<PathBuf>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The command of its table; empty at the top.
    table: Vec<String>,
    key: String,
    value: Value,
    line: usize,
}

/// Whether no file of ours can be where one may be: also below the home of another user, as with `sudo -u`.
const fn is_no_place(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error, NotADirectory | NotFound | PermissionDenied)
}

impl File {
    /// `None` if there is no file where one may be.
    pub(super) fn read(place: &Place, command: &Command) -> Result<Option<Self>, ConfigError> {
        let origin = place.path.display();
        let failed = |error: &io::Error| {
            ConfigError::new(&origin, format!("cannot be read: {}", plain(error)))
        };
        match std::fs::metadata(&place.path) {
            Err(error) if !place.is_named && is_no_place(error.kind()) => return Ok(None),
            Err(error) => return Err(failed(&error)),
            Ok(found) if found.len() > MAX_LEN => {
                return Err(ConfigError::new(
                    origin,
                    format!("is longer than {MAX_LEN} bytes"),
                ));
            }
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(&place.path).map_err(|error| failed(&error))?;
        Self::parse(&place.path, &text, command).map(Some)
    }

    fn parse(path: &Path, text: &str, command: &Command) -> Result<Self, ConfigError> {
        let path = Arc::new(path.to_owned());
        let reading = Reading {
            path: &path,
            text,
            root: command,
        };
        let table = DeTable::parse(text).map_err(|error| {
            let line = reading.line(error.span().map_or(0, |span| span.start));
            ConfigError::new(line, error.message().to_owned())
        })?;
        let mut entries = Vec::new();
        let mut errors = Vec::new();
        let table = table.get_ref();
        reading.table(table, command, &mut Vec::new(), &mut entries, &mut errors);
        match ConfigError::all(errors) {
            Some(error) => Err(error),
            None => Ok(Self { path, entries }),
        }
    }

    /// The value of an option of a command, in the table that is most its own.
    pub(super) fn value(
        &self,
        path: &[String],
        option: &str,
        kind: Kind,
    ) -> Option<(Vec<String>, Origin)> {
        let first = usize::from(is_apart(path, option));
        for end in (first..=path.len()).rev() {
            let mut entries = self.entries.iter();
            let entry = entries.find(|entry| entry.key == option && entry.table == path[..end]);
            // A key may mean something else for another command.
            if let Some(entry) = entry
                && let Ok(values) = kind.values(option, &entry.value)
            {
                let origin = Origin::File {
                    path: Arc::clone(&self.path),
                    line: entry.line,
                };
                return Some((values, origin));
            }
        }
        None
    }
}

struct Reading<'a> {
    path: &'a Arc<PathBuf>,
    text: &'a str,
    /// All commands.
    root: &'a Command,
}

impl Reading<'_> {
    fn line(&self, offset: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(offset);
        Origin::File {
            path: Arc::clone(self.path),
            line: before.filter(|&&byte| byte == b'\n').count() + 1,
        }
    }

    /// Reads a table; what is wrong in it goes to `errors`.
    fn table(
        &self,
        table: &DeTable<'_>,
        command: &Command,
        path: &mut Vec<String>,
        entries: &mut Vec<Entry>,
        errors: &mut Vec<ConfigError>,
    ) {
        for (key, value) in table {
            let origin = self.line(key.span().start);
            let key: &str = key.get_ref();
            if let DeValue::Table(inner) = value.get_ref() {
                let Some(sub) = commands(command).find(|command| command.get_name() == key) else {
                    let known = commands(command).map(Command::get_name);
                    let error = ConfigError::new(&origin, format!("there is no command {key:?}"));
                    errors.push(meant(error, key, known));
                    continue;
                };
                path.push(key.to_owned());
                self.table(inner, sub, path, entries, errors);
                path.pop();
                continue;
            }
            let Some(value) = value_of(value.get_ref()) else {
                let what = format!("{key} has no value that an option takes");
                errors.push(ConfigError::new(&origin, what));
                continue;
            };
            if let Err(error) = self.check(command, path, key, &value, &origin) {
                errors.push(error);
                continue;
            }
            let Origin::File { line, .. } = origin else {
                continue;
            };
            entries.push(Entry {
                table: path.clone(),
                key: key.to_owned(),
                value,
                line,
            });
        }
    }

    /// Refuses what no command below this table takes.
    fn check(
        &self,
        command: &Command,
        path: &[String],
        key: &str,
        value: &Value,
        origin: &Origin,
    ) -> Result<(), ConfigError> {
        let mut known = BTreeSet::new();
        let (mut kinds, mut apart) = (Vec::new(), None);
        below(command, &mut path.to_vec(), &mut |owner, option, kind| {
            known.insert(option.to_owned());
            match option == key {
                true if path.is_empty() && is_apart(owner, option) => apart = Some(owner.join(".")),
                true => kinds.push(kind),
                false => {}
            }
        });
        // Options of all commands may stand in the table of one.
        if !path.is_empty() {
            for (arg, option) in options(self.root) {
                known.insert(option.to_owned());
                if option == key {
                    kinds.push(Kind::of(arg));
                }
            }
        }
        let results: Vec<_> = kinds.iter().map(|kind| kind.values(key, value)).collect();
        if results.iter().any(Result::is_ok) {
            return Ok(());
        }
        if let Some(Err(expected)) = results.first() {
            return Err(ConfigError::new(origin, format!("{key} takes {expected}")));
        }
        if let Some(owner) = apart {
            let error = ConfigError::new(origin, format!("{key} is not set for all commands"));
            return Err(error.help(format!("put it into the table [{owner}]")));
        }
        let table = match path.is_empty() {
            true => "no command has".to_owned(),
            false => format!("`tailwater {}` has no", path.join(" ")),
        };
        let error = ConfigError::new(origin, format!("{table} option {key:?}"));
        Err(meant(error, key, known.iter().map(String::as_str)))
    }
}

/// Every option of a command and those below it.
fn below(command: &Command, path: &mut Vec<String>, each: &mut impl FnMut(&[String], &str, Kind)) {
    for (arg, option) in options(command) {
        each(path, option, Kind::of(arg));
    }
    for sub in commands(command) {
        path.push(sub.get_name().to_owned());
        below(sub, path, each);
        path.pop();
    }
}

/// Adds the name that is most alike.
fn meant<'a>(error: ConfigError, name: &str, known: impl Iterator<Item = &'a str>) -> ConfigError {
    let scored = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
    match best.filter(|(score, _)| *score >= ALIKE) {
        Some((_, known)) => error.help(format!("did you mean {known}?")),
        None => error.help("`tailwater config --example` prints all there are"),
    }
}

fn value_of(value: &DeValue<'_>) -> Option<Value> {
    let text = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        DeValue::Boolean(on) => Some(Value::Switch(*on)),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| text(item.get_ref()));
            items.collect::<Option<_>>().map(Value::List)
        }
        value => text(value).map(Value::Text),
    }
}
