//! Finds the configuration file.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The variable that names the file.
const VARIABLE: &str = "TAILWATER_CONFIG";

/// A file, and whether it has to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) is_named: bool,
}

impl Place {
    /// By the command line, else the environment, else the default path. None with `--no-config`, or where the system
    /// has no place for it.
    pub(super) fn of(typed: &[OsString]) -> Option<Self> {
        let named = |path: OsString| Self {
            path: path.into(),
            is_named: true,
        };
        match asked(typed) {
            Asked::Nothing => {}
            Asked::None => return None,
            Asked::File(path) => return Some(named(path)),
        }
        if let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            return Some(named(path));
        }
        Some(Self {
            path: default_path()?,
            is_named: false,
        })
    }
}

/// The file that is read, whether it is there or not.
pub(crate) fn path(typed: &[OsString]) -> Option<PathBuf> {
    Place::of(typed).map(|place| place.path)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    None,
    File(OsString),
}

/// The typed options about the configuration file, which are needed before the command line can be read. The last one
/// counts.
fn asked(typed: &[OsString]) -> Asked {
    let mut asked = Asked::Nothing;
    let mut words = typed.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        } else if word == "--no-config" || word == "--no-config=true" {
            asked = Asked::None;
        } else if word == "--config" {
            if let Some(path) = words.next() {
                asked = Asked::File(path.clone());
            }
        } else if let Some(path) = word
            .to_str()
            .and_then(|word| word.strip_prefix("--config="))
        {
            asked = Asked::File(path.into());
        }
    }
    asked
}

/// `$XDG_CONFIG_HOME/tailwater/config.toml`, which is in `~/.config` unless set; in `%APPDATA%` on Windows.
fn default_path() -> Option<PathBuf> {
    // The XDG specification says to ignore relative paths.
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = match cfg!(windows) {
        true => absolute("APPDATA"),
        false => absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config"))),
    };
    Some(base?.join("tailwater").join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_which_file() {
        let asked = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            super::asked(&words.collect::<Vec<_>>())
        };
        assert_eq!(asked("tailwater download a"), Asked::Nothing);
        assert_eq!(asked("tailwater --config x demo"), Asked::File("x".into()));
        assert_eq!(asked("tailwater demo --config=x"), Asked::File("x".into()));
        assert_eq!(asked("tailwater --config=x --no-config"), Asked::None);
        assert_eq!(asked("tailwater download -- --no-config"), Asked::Nothing);
    }
}
