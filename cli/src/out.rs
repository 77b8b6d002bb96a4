//! Standard output: the results of a command. Progress, warnings and errors go to standard error.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::CliError;

/// Prints a line, at once.
pub(crate) fn line(text: impl Display) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    CliError::output(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Prints a value as one line of JSON, at once.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))?;
    line(text)
}

/// Untrusted text, made harmless to a terminal: control characters and those that change the direction of writing are
/// shown by their code.
pub(crate) struct Harmless<'a>(pub(crate) &'a str);

impl Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    write!(f, "{}", c.escape_unicode())?;
                }
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_does_not_command_the_terminal() {
        let shown = Harmless("é\x1b[2J\n\u{202e}x").to_string();
        assert_eq!(shown, "é\\u{1b}[2J\\n\\u{202e}x");
    }
}
