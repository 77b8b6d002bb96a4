//! Numbers for people.

use std::time::Duration;

use tailwater_serve::size::Size;

use crate::words::{self, duration};

/// A rate; nothing is not worth a word.
pub(super) fn rate(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => words::rate(bytes),
    }
}

pub(super) fn size(bytes: u64) -> String {
    Size(bytes).to_string()
}

/// Whole percents, rounded down, so that 100 means all.
pub(super) fn share(share: f64) -> String {
    let share = if share.is_nan() { 0.0 } else { share };
    format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0).floor())
}

/// `[====>     ]`
pub(super) fn bar(share: f64, columns: usize) -> String {
    let room = columns.saturating_sub(2);
    let filled = filled(share, room);
    let mut bar = "=".repeat(filled);
    if filled < room && share > 0.0 {
        bar.push('>');
    }
    format!("[{bar:room$}]")
}

/// So many columns of `room`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "it is between 0 and the columns of a terminal"
)]
fn filled(share: f64, room: usize) -> usize {
    let filled = (share.clamp(0.0, 1.0) * room as f64).floor();
    (filled as usize).min(room)
}

/// A time that is left.
pub(super) fn eta(seconds: Option<u64>) -> String {
    seconds.map_or(String::new(), |it| words::eta(Duration::from_secs(it)))
}

pub(super) fn time(seconds: u64) -> String {
    duration(Duration::from_secs(seconds))
}

/// How long ago something was.
pub(super) fn ago(at: u64, now: u64) -> String {
    match now.saturating_sub(at) {
        0 => "now".to_owned(),
        seconds => format!("{} ago", time(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_all_only_if_it_is() {
        assert_eq!(share(0.999_9), "99 %");
        assert_eq!(share(1.0), "100 %");
        assert_eq!(share(f64::NAN), "0 %");
        assert_eq!(share(-1.0), "0 %");
        assert_eq!(bar(0.5, 12), "[=====>    ]");
        assert_eq!(bar(1.0, 12), "[==========]");
        assert_eq!(bar(f64::NAN, 12), "[          ]");
        assert_eq!(bar(2.0, 1), "[]");
    }
}
