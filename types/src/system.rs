//! Formats errors of the operating system for people.

use std::io;

/// An error's message without the error number and the capital letter that the standard library gives it: to be read
/// after a colon. The number is in [`io::Error::raw_os_error`].
///
/// ```
/// let error = std::io::Error::from_raw_os_error(2);
/// let told = tailwater_types::system::message(&error);
/// assert!(!told.contains("os error"));
/// ```
#[must_use]
pub fn message(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let rest = chars.as_str();
    // An abbreviation stays as it is.
    match rest.chars().next().is_some_and(char::is_uppercase) {
        true => text.to_owned(),
        false => first.to_lowercase().chain(rest.chars()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_is_quoted_without_its_number() {
        let error = io::Error::from_raw_os_error(28);
        assert_eq!(message(&error), "no space left on device");
    }

    #[test]
    fn other_words_stay() {
        for text in ["it is not a file", "TLS is off", ""] {
            assert_eq!(message(&io::Error::other(text)), text);
        }
    }
}
