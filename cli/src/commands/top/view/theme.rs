//! Colours and other emphasis. Nothing is told by a colour alone.

use ratatui::style::{Color, Modifier, Style};

use super::super::model::torrent::State;

/// How things are emphasised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    has_colours: bool,
}

impl Theme {
    pub(crate) const fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    const fn colour(self, colour: Color) -> Style {
        match self.has_colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    /// What a torrent does; its name stands there too.
    pub(super) const fn state(self, state: State) -> Style {
        match state {
            State::Downloading => self.colour(Color::Green),
            State::Seeding => self.colour(Color::Cyan),
            State::Metadata | State::Checking | State::Moving | State::Starting => {
                self.colour(Color::Yellow)
            }
            State::Error => self.error(),
            State::Queued | State::Paused | State::Unknown => Self::faint(),
        }
    }

    pub(super) const fn error(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn down(self) -> Style {
        self.colour(Color::Green)
    }

    pub(super) const fn up(self) -> Style {
        self.colour(Color::Cyan)
    }

    pub(super) const fn faint() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) const fn strong() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) const fn head() -> Style {
        Style::new().add_modifier(Modifier::UNDERLINED)
    }

    pub(super) const fn selected() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
