//! A line of text that is being typed.

use unicode_segmentation::UnicodeSegmentation;

/// The longest text, in bytes: longer than any magnet link.
const MAX_LEN: usize = 8_192;

/// A text with a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    text: String,
    /// In bytes, where a grapheme begins or the text ends.
    cursor: usize,
}

/// What is done with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Insert(char),
    Backspace,
    Delete,
    DeleteWord,
    Clear,
    Left,
    Right,
    Home,
    End,
}

impl Field {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            cursor: text.len(),
            text,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor, and that behind it.
    pub(crate) fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Inserts a text, without what is no text: line ends of what was pasted become nothing.
    pub(crate) fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.text.len() + c.len_utf8() > MAX_LEN {
                return;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        self.settle();
    }

    pub(crate) fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Insert(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Edit::Backspace => {
                let start = self.before();
                self.cut(start);
            }
            Edit::Delete => {
                let end = self.behind();
                self.text.replace_range(self.cursor..end, "");
            }
            Edit::DeleteWord => {
                let before = self.text[..self.cursor].trim_end();
                let start = before.rfind(|c: char| c.is_whitespace() || c == '/');
                self.cut(start.map_or(0, |at| {
                    let separator = before[at..].chars().next().map_or(0, char::len_utf8);
                    at + separator
                }));
            }
            Edit::Clear => {
                self.text.clear();
                self.cursor = 0;
            }
            Edit::Left => self.cursor = self.before(),
            Edit::Right => self.cursor = self.behind(),
            Edit::Home => self.cursor = 0,
            Edit::End => self.cursor = self.text.len(),
        }
        self.settle();
    }

    fn cut(&mut self, start: usize) {
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }

    fn before(&self) -> usize {
        let last = self.text[..self.cursor].graphemes(true).next_back();
        self.cursor - last.map_or(0, str::len)
    }

    fn behind(&self) -> usize {
        let next = self.text[self.cursor..].graphemes(true).next();
        self.cursor + next.map_or(0, str::len)
    }

    /// What was inserted or taken out may have joined what is around it to one grapheme.
    fn settle(&mut self) {
        let mut starts = self.text.grapheme_indices(true).map(|(at, _)| at);
        let next = starts.find(|at| *at >= self.cursor);
        self.cursor = next.unwrap_or(self.text.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_edited() {
        let mut field = Field::new("~/films/one.torrent");
        field.edit(Edit::DeleteWord);
        assert_eq!(field.text(), "~/films/");
        field.insert("a\nb");
        field.edit(Edit::Left);
        field.edit(Edit::Insert('é'));
        assert_eq!(field.halves(), ("~/films/aé", "b"));
        field.edit(Edit::Backspace);
        field.edit(Edit::Delete);
        assert_eq!(field.halves(), ("~/films/a", ""));
        field.edit(Edit::Home);
        field.edit(Edit::Backspace);
        assert_eq!(field.halves(), ("", "~/films/a"));
        field.edit(Edit::Clear);
        assert_eq!(field, Field::default());
        field.insert(&"x".repeat(2 * MAX_LEN));
        assert_eq!(field.text().len(), MAX_LEN);
    }

    proptest! {
        #[test]
        fn no_edit_panics_or_cuts_a_letter(
            edits in prop::collection::vec(prop_oneof![
                any::<char>().prop_map(Edit::Insert),
                "[a \u{301}\u{200d}👩🇩🇪/]".prop_map(|it| Edit::Insert(it.chars().next().unwrap_or('a'))),
                prop::sample::select(vec![
                    Edit::Backspace, Edit::Delete, Edit::DeleteWord, Edit::Left, Edit::Right, Edit::Home, Edit::End,
                ]),
            ], 0..60),
        ) {
            let mut field = Field::default();
            for edit in edits {
                field.edit(edit);
                let (before, behind) = field.halves();
                let whole = field.text().graphemes(true).count();
                prop_assert_eq!(before.graphemes(true).count() + behind.graphemes(true).count(), whole);
            }
        }
    }
}
