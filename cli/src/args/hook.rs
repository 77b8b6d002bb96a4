//! A program to start, with its arguments, as one text.

use std::fmt;
use std::str::FromStr;

/// A program and its arguments: split as a shell would split them, but no shell runs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
}

/// A text that is not a program with arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseHookError {
    #[error("a quotation mark is missing")]
    Quotes,
    #[error("no program is named")]
    Empty,
}

impl FromStr for Hook {
    type Err = ParseHookError;

    fn from_str(text: &str) -> Result<Self, ParseHookError> {
        let words = shell_words::split(text).map_err(|_| ParseHookError::Quotes)?;
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        Ok(Self {
            program: program.ok_or(ParseHookError::Empty)?,
            args: words.collect(),
        })
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_arguments() {
        let hook: Hook = "mv -t '/mnt/my films'".parse().unwrap();
        assert_eq!(hook.program, "mv");
        assert_eq!(hook.args, ["-t", "/mnt/my films"]);
        assert_eq!("".parse::<Hook>(), Err(ParseHookError::Empty));
        assert_eq!("''".parse::<Hook>(), Err(ParseHookError::Empty));
        assert_eq!("a 'b".parse::<Hook>(), Err(ParseHookError::Quotes));
    }
}
