//! Settings by environment variables: `TAILWATER_MAX_DOWN` for every command that has `--max-down`, and
//! `TAILWATER_DOWNLOAD_MAX_DOWN` for one.

use std::collections::{BTreeSet, HashMap};

use clap::Command;

use super::{ALIKE, ConfigError, Kind, Origin, Value, commands, is_apart, options};

const PREFIX: &str = "TAILWATER_";
/// The variables of `--on-complete`'s programs: an option of such a name has only the variable with its command's name.
const FACTS: [&str; 5] = ["NAME", "INFO_HASH", "SIZE", "PATH", "DIR"];
/// What is neither an option nor such a fact: the file, and what the tests of the project read.
const OTHERS: [&str; 2] = ["CONFIG", "INTEROP"];

/// The environment variables with our prefix.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment(HashMap<String, String>);

impl Environment {
    pub(super) fn read() -> Self {
        let mut variables = HashMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            // A variable that is set to nothing is as good as not set.
            if value.is_empty() {
                continue;
            }
            // Paths that are no text come to programs of `--on-complete`, and are none of our options.
            if let Ok(value) = value.into_string() {
                variables.insert(name.to_owned(), value);
            }
        }
        Self(variables)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The variables that no option has, with the one that is most like each.
    pub(super) fn unknown(&self, command: &Command) -> Vec<(String, Option<String>)> {
        let mut known = BTreeSet::new();
        collect(command, &mut Vec::new(), &mut known);
        let mut unknown: Vec<_> = self
            .0
            .keys()
            .filter(|&name| !known.contains(name) && !is_ours(name))
            .map(|name| (name.clone(), most_alike(name, &known)))
            .collect();
        unknown.sort();
        unknown
    }

    /// The value of an option of a command; `path` is empty for an option of all commands.
    pub(super) fn value(
        &self,
        path: &[String],
        option: &str,
        kind: Kind,
    ) -> Result<Option<(Vec<String>, Origin)>, ConfigError> {
        for name in names(path, option) {
            let Some(text) = self.0.get(&name) else {
                continue;
            };
            let origin = Origin::Variable(name);
            let wrong = |expected: &str| {
                ConfigError::new(
                    &origin,
                    format!("{text:?} is not what --{option} takes: {expected} is expected"),
                )
            };
            let value = match kind {
                Kind::Switch => Value::Switch(truth(text).ok_or_else(|| wrong("true or false"))?),
                Kind::Optional => match truth(text) {
                    Some(on) => Value::Switch(on),
                    None => Value::Text(text.clone()),
                },
                Kind::List => {
                    let words = shell_words::split(text);
                    Value::List(
                        words.map_err(|_| wrong("words, in quotes where they have spaces"))?,
                    )
                }
                Kind::One | Kind::Count => Value::Text(text.clone()),
            };
            let values = kind.values(option, &value).map_err(wrong)?;
            return Ok(Some((values, origin)));
        }
        Ok(None)
    }
}

/// The variables of all options.
fn collect(command: &Command, path: &mut Vec<String>, known: &mut BTreeSet<String>) {
    for (_, option) in options(command) {
        known.extend(names(path, option));
    }
    for sub in commands(command) {
        path.push(sub.get_name().to_owned());
        collect(sub, path, known);
        path.pop();
    }
}

/// Whether it is no option, and has a meaning still.
fn is_ours(name: &str) -> bool {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    FACTS.contains(&name) || OTHERS.contains(&name)
}

fn most_alike(name: &str, known: &BTreeSet<String>) -> Option<String> {
    // All begin alike.
    let own = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let scored = known.iter().map(|known| {
        let score = strsim::jaro_winkler(&own(name), &own(known));
        (score, known)
    });
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(score, _)| *score >= ALIKE)
        .map(|(_, known)| known.clone())
}

/// The variables of an option, in order of precedence.
pub(super) fn names(path: &[String], option: &str) -> Vec<String> {
    let word = |text: &str| text.to_uppercase().replace('-', "_");
    let long = option;
    let option = word(long);
    let mut names = Vec::new();
    for end in (1..=path.len()).rev() {
        let command = path[..end].iter().map(|name| word(name) + "_");
        names.push(format!("{PREFIX}{}{option}", command.collect::<String>()));
    }
    if !is_apart(path, long) && !FACTS.contains(&option.as_str()) {
        names.push(format!("{PREFIX}{option}"));
    }
    names
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_after_its_option() {
        let path = |path: &[&str]| path.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let cases: [(&[&str], &str, &[&str]); 6] = [
            (&[], "no-progress", &["TAILWATER_NO_PROGRESS"]),
            (
                &["download"],
                "max-up",
                &["TAILWATER_DOWNLOAD_MAX_UP", "TAILWATER_MAX_UP"],
            ),
            (
                &["dht", "node"],
                "x",
                &["TAILWATER_DHT_NODE_X", "TAILWATER_DHT_X", "TAILWATER_X"],
            ),
            (&["create"], "name", &["TAILWATER_CREATE_NAME"]),
            (&["create"], "output", &["TAILWATER_CREATE_OUTPUT"]),
            (
                &["sim", "dht"],
                "seed",
                &["TAILWATER_SIM_DHT_SEED", "TAILWATER_SIM_SEED"],
            ),
        ];
        for (command, option, expected) in cases {
            assert_eq!(names(&path(command), option), expected);
        }
    }

    #[test]
    fn a_value_is_read_as_its_option_takes_it() {
        let variables = [("A", "yes"), ("B", "x y 'a b'"), ("C", "maybe")];
        let variables =
            variables.map(|(name, value)| (format!("{PREFIX}{name}"), value.to_owned()));
        let environment = Environment(variables.into());
        let value = |option, kind| {
            let found = environment.value(&[], option, kind);
            found.map(|found| found.map(|(values, _)| values))
        };
        let texts = |texts: &[&str]| Ok(Some(texts.iter().map(|&text| text.to_owned()).collect()));
        assert_eq!(value("a", Kind::Switch), texts(&["true"]));
        assert_eq!(value("b", Kind::List), texts(&["x", "y", "a b"]));
        assert_eq!(value("b", Kind::One), texts(&["x y 'a b'"]));
        assert_eq!(value("d", Kind::One), Ok(None));
        let wrong = value("c", Kind::Switch).unwrap_err().to_string();
        assert!(
            wrong.contains("TAILWATER_C") && wrong.contains("true or false"),
            "{wrong}"
        );
    }
}
