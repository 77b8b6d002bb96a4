//! Keys for programs in a terminal that are not always ready for them: what a key did is looked for before the next one.

use std::time::{Duration, Instant};

use crate::tmux::Tmux;

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(90);
/// How often is looked for what a key does before it counts as lost.
const LOOKS: usize = 400;

/// Whether something comes to be so while it is looked for.
pub(crate) fn comes(is_so: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| is_so())
}

/// Presses a key until it has done something: again only where it was lost. `may_press` says whether the program is in a state
/// where it would be taken as it is meant.
#[track_caller]
pub(crate) fn press_until(
    tmux: &Tmux,
    key: &str,
    may_press: impl Fn() -> bool,
    is_so: impl Fn() -> bool,
) {
    let begun = Instant::now();
    while !is_so() {
        if may_press() {
            tmux.press(&[key]);
        }
        if comes(&is_so) {
            return;
        }
        let screen = || tmux.lines().join("\n");
        let hangs = begun.elapsed() > HANGS_AFTER;
        assert!(!hangs, "{key} does nothing\n{}", screen());
    }
}

/// Whether a text is on the screen.
pub(crate) fn shows(tmux: &Tmux, text: &str) -> bool {
    tmux.lines().iter().any(|line| line.contains(text))
}

/// Has a field hold a text. `read` finds what it holds on the screen. A program may show a field before it takes what is typed:
/// so a letter is typed and deleted first, and what is wrong at the end of the field is deleted.
#[track_caller]
pub(crate) fn fill(tmux: &Tmux, read: impl Fn(&[String]) -> Option<String>, text: &str) {
    let begun = Instant::now();
    let mut takes_keys = false;
    loop {
        let lines = tmux.lines();
        let hangs = begun.elapsed() > HANGS_AFTER;
        assert!(!hangs, "{text:?} is not taken\n{}", lines.join("\n"));
        let Some(held) = read(&lines) else { continue };
        takes_keys |= held.ends_with('z');
        let next = if !takes_keys {
            tmux.type_in("z");
            format!("{held}z")
        } else if held == text {
            return;
        } else if let Some(rest) = text.strip_prefix(&held) {
            tmux.type_in(rest);
            text.to_owned()
        } else {
            tmux.press(&["BSpace"]);
            held.chars().take(held.chars().count() - 1).collect()
        };
        comes(|| read(&tmux.lines()).is_some_and(|now| now == next));
    }
}
