//! What clients keep with a torrent: a title, a poster, a category, and what else they like.

use crate::control::{Attributes, TorrentView};

/// The longest title that the daemon keeps, in bytes.
const MAX_TITLE_LEN: usize = 500;
const POSTER: &str = "poster";
const CATEGORY: &str = "category";
pub(super) const DATA: &str = "data";

/// What clients keep with a torrent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) title: String,
    pub(super) poster: String,
    pub(super) category: String,
    pub(super) data: String,
}

impl Texts {
    /// Those of a torrent. Its name stands for a title that it has not.
    pub(super) fn of(view: &TorrentView, attributes: &Attributes) -> Self {
        let text = |name: &str| attributes.get(name).cloned().unwrap_or_default();
        Self {
            title: view.title.clone().unwrap_or_else(|| view.name.clone()),
            poster: text(POSTER),
            category: text(CATEGORY),
            data: text(DATA),
        }
    }

    /// The title, as the daemon keeps it; none if there is none.
    pub(super) fn kept_title(&self) -> Option<String> {
        let plain: String = self.title.chars().map(without_breaks).collect();
        let mut end = MAX_TITLE_LEN.min(plain.len());
        while !plain.is_char_boundary(end) {
            end -= 1;
        }
        let title = plain[..end].trim();
        (!title.is_empty()).then(|| title.to_owned())
    }

    /// The others, for the daemon. Empty ones are deleted where there were any.
    pub(super) fn attributes(&self) -> Attributes {
        let pairs = [
            (POSTER, &self.poster),
            (CATEGORY, &self.category),
            (DATA, &self.data),
        ];
        let pairs = pairs.into_iter();
        pairs
            .map(|(name, text)| (name.to_owned(), text.clone()))
            .collect()
    }

    /// For a torrent that is new: without those that are empty.
    pub(super) fn new_attributes(&self) -> Attributes {
        let mut attributes = self.attributes();
        attributes.retain(|_, text| !text.is_empty());
        attributes
    }
}

fn without_breaks(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_and_not_too_long() {
        let kept = |title: &str| {
            let texts = Texts {
                title: title.to_owned(),
                ..Texts::default()
            };
            texts.kept_title()
        };
        assert_eq!(kept(" a\nb "), Some("a b".to_owned()));
        assert_eq!((kept(""), kept("\n ")), (None, None));
        let long = kept(&"é".repeat(MAX_TITLE_LEN)).unwrap();
        assert_eq!(long.chars().count(), MAX_TITLE_LEN / 2);
        let odd = kept(&format!("a{}", "é".repeat(MAX_TITLE_LEN))).unwrap();
        assert_eq!(odd.len(), MAX_TITLE_LEN - 1);
    }
}
