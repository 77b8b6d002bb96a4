//! Draws what has changed, and waits for what changes it.

use std::io::{self, Stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::Event;
use ratatui::layout::Rect;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::client::Client;
use super::model::Model;
use super::update::order::{News, Order};
use super::update::{handle_event, handle_news, is_redraw};
use super::view;
use super::view::theme::Theme;

/// How often times that are shown go on.
const EVERY: Duration = Duration::from_secs(1);
/// What has come by now is handled before anything is drawn, but no more than this.
const AT_ONCE: usize = 256;

/// The screens, and all that changes them.
pub(super) struct Show {
    pub(super) model: Model,
    pub(super) theme: Theme,
    pub(super) client: Client,
    /// Keys, and new sizes of the terminal.
    pub(super) events: mpsc::Receiver<Event>,
    /// What would be on standard error.
    pub(super) said: mpsc::Receiver<String>,
}

impl Show {
    /// Shows the screens until the user has enough, or the terminal is gone.
    pub(super) async fn run(
        mut self,
        terminal: &mut Terminal<CrosstermBackend<Stdout>>,
    ) -> io::Result<()> {
        let mut clock = interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut is_changed = true;
        while !self.model.is_done {
            if is_changed {
                self.draw(terminal)?;
            }
            is_changed = tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.take_events(&event, terminal)?,
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                },
                Some(news) = self.client.next() => self.take_news(news),
                Some(line) = self.said.recv() => {
                    self.model.complain(line.trim().to_owned());
                    true
                }
                _ = clock.tick() => self.model.set_time(now()),
            };
        }
        Ok(())
    }

    fn draw(&self, terminal: &mut Terminal<CrosstermBackend<Stdout>>) -> io::Result<()> {
        terminal.draw(|frame| {
            let area = frame.area();
            let cursor = view::draw(&self.model, self.theme, area, frame.buffer_mut());
            if let Some(cursor) = cursor {
                frame.set_cursor_position(cursor);
            }
        })?;
        Ok(())
    }

    /// Takes an event, and those that have come meanwhile; whether anything may have changed.
    fn take_events(
        &mut self,
        first: &Event,
        terminal: &mut Terminal<CrosstermBackend<Stdout>>,
    ) -> io::Result<bool> {
        self.take_event(first, terminal)?;
        for _ in 0..AT_ONCE {
            match self.events.try_recv() {
                Ok(event) if !self.model.is_done => self.take_event(&event, terminal)?,
                _ => break,
            }
        }
        Ok(true)
    }

    fn take_event(
        &mut self,
        event: &Event,
        terminal: &mut Terminal<CrosstermBackend<Stdout>>,
    ) -> io::Result<()> {
        if is_redraw(event) {
            // To clear it would ask the terminal where its cursor is, and the thread that reads keys would take the answer.
            let size = terminal.size()?;
            terminal.resize(Rect::new(0, 0, size.width, size.height))?;
        }
        let orders = handle_event(&mut self.model, event);
        self.send(orders);
        Ok(())
    }

    fn take_news(&mut self, first: News) -> bool {
        let orders = handle_news(&mut self.model, first);
        self.send(orders);
        for _ in 0..AT_ONCE {
            let Some(news) = self.client.next_now() else {
                break;
            };
            let orders = handle_news(&mut self.model, news);
            self.send(orders);
        }
        true
    }

    fn send(&mut self, orders: Vec<Order>) {
        for order in orders {
            if !self.client.send(order) {
                let text = "the daemon is busy; try again when it has answered";
                self.model.complain(text);
            }
        }
    }
}

/// Seconds of the Unix time.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |time| time.as_secs())
}
