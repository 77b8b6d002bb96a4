//! Writing into the buffer, within an area: what does not fit is cut off, and nothing panics.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::model::field::Field;
use crate::progress::width::width;

/// Columns as the terminal counts them.
pub(super) fn columns(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// An area of the terminal.
pub(super) struct Pane<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) area: Rect,
}

impl<'a> Pane<'a> {
    /// The part of `area` that there is.
    pub(super) fn new(buffer: &'a mut Buffer, area: Rect) -> Self {
        let area = area.intersection(buffer.area);
        Self { buffer, area }
    }

    pub(super) fn inner(&mut self, area: Rect) -> Pane<'_> {
        let area = area.intersection(self.area);
        Pane {
            buffer: self.buffer,
            area,
        }
    }

    pub(super) fn width(&self) -> usize {
        usize::from(self.area.width)
    }

    pub(super) fn height(&self) -> usize {
        usize::from(self.area.height)
    }

    /// Writes a text from a column of a line on, counted from the corner; returns the column behind it.
    pub(super) fn text(&mut self, column: usize, line: usize, text: &str, style: Style) -> usize {
        self.text_within(column, line, text, usize::MAX, style)
    }

    /// The same, in no more than so many columns.
    pub(super) fn text_within(
        &mut self,
        column: usize,
        line: usize,
        text: &str,
        most: usize,
        style: Style,
    ) -> usize {
        if line >= self.height() || column >= self.width() {
            return column;
        }
        let room = (self.width() - column).min(most);
        let (x, y) = (
            self.area.x.saturating_add(columns(column)),
            self.area.y.saturating_add(columns(line)),
        );
        let (end, _) = self.buffer.set_stringn(x, y, text, room, style);
        usize::from(end.saturating_sub(self.area.x))
    }

    /// Sets the style of a whole line.
    pub(super) fn style(&mut self, line: usize, style: Style) {
        if line < self.height() {
            let y = self.area.y.saturating_add(columns(line));
            let row = Rect::new(self.area.x, y, self.area.width, 1);
            self.buffer.set_style(row, style);
        }
    }

    /// Shows a text that is typed, as much of it as there is room for around the cursor; returns where that is.
    pub(super) fn field(
        &mut self,
        column: usize,
        line: usize,
        field: &Field,
        style: Style,
    ) -> Option<(u16, u16)> {
        let room = self.width().checked_sub(column)?;
        if room == 0 || line >= self.height() {
            return None;
        }
        let (before, behind) = field.halves();
        let mut shown = before;
        // One column is the cursor's.
        while width(shown) >= room {
            let mut letters = shown.chars();
            letters.next()?;
            shown = letters.as_str();
        }
        let at = self.text(column, line, shown, style);
        self.text(at, line, behind, style);
        let at = at.min(self.width().saturating_sub(1));
        Some((
            self.area.x.saturating_add(columns(at)),
            self.area.y.saturating_add(columns(line)),
        ))
    }
}
