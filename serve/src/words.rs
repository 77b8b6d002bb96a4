//! Words that several front ends share.

use tailwater_session::{StorageError, TorrentError};

use crate::size::Size;

/// `1 peer`, `2 peers`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Why a torrent cannot go on, for people: sizes have units.
#[must_use]
pub fn failure(error: &TorrentError) -> String {
    match error {
        TorrentError::Storage(StorageError::NoRoom {
            path,
            needed,
            free,
            promised,
        }) => {
            // Rounded, they may be the same text.
            let is_rounded_away = Size(*needed).to_string() == Size(*free).to_string();
            let amount = |bytes: u64| match is_rounded_away {
                true => format!("{bytes} bytes"),
                false => Size(bytes).to_string(),
            };
            let others = match promised {
                0 => String::new(),
                _ => format!(", of which the others need {}", amount(*promised)),
            };
            format!(
                "it needs {} more, {} are free in {}{others}",
                amount(*needed),
                amount(*free),
                path.display()
            )
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_are_rounded_to_the_same_are_said_in_bytes() {
        let no_room = |needed, free, promised| {
            failure(&TorrentError::Storage(StorageError::NoRoom {
                path: "there".into(),
                needed,
                free,
                promised,
            }))
        };
        assert_eq!(
            no_room(21_000_000, 20_999_000, 0),
            "it needs 21000000 bytes more, 20999000 bytes are free in there"
        );
        assert_eq!(
            no_room(3 << 20, 1 << 20, 1 << 20),
            "it needs 3.00 MiB more, 1.00 MiB are free in there, of which the others need 1.00 MiB"
        );
    }
}
