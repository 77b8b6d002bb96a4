//! Counts with their nouns, for messages.

/// `1 peer`, `2 peers`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
