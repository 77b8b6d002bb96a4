//! The rows at the bottom of a terminal: drawn by a thread of their own, so that a terminal that is stopped delays only
//! what writes to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use console::{Term, style};
use parking_lot::{Mutex, MutexGuard};

use super::row::Row;
use super::table::{Line, last_line, table};
use super::width::width;

/// How often the rows are drawn, if anything has changed, and how soon a new size of the terminal is followed.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// The rows to show, and those on the terminal.
#[derive(Debug)]
pub(super) struct Screen {
    rows: Mutex<Rows>,
    /// Locked while something is written.
    drawn: Mutex<Drawn>,
}

#[derive(Debug, Default)]
struct Rows {
    by_key: BTreeMap<u64, Row>,
    /// Rows that will not change any more.
    finished: BTreeSet<u64>,
    next_key: u64,
    has_changed: bool,
    /// Something else uses the terminal.
    is_paused: bool,
    has_thread: bool,
}

#[derive(Debug)]
struct Drawn {
    term: Term,
    /// The columns that each line on the terminal takes.
    lines: Vec<usize>,
    /// Lines and columns of the terminal when they were drawn.
    size: (u16, u16),
}

impl Screen {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            rows: Mutex::default(),
            drawn: Mutex::new(Drawn {
                term: Term::buffered_stderr(),
                lines: Vec::new(),
                size: (0, 0),
            }),
        })
    }

    /// Adds a row; it has a key to be changed by.
    pub(super) fn add(self: &Arc<Self>, row: Row) -> u64 {
        let mut rows = lock(&self.rows);
        let key = rows.next_key;
        rows.next_key += 1;
        rows.by_key.insert(key, row);
        rows.has_changed = true;
        if !rows.has_thread {
            let screen = Arc::downgrade(self);
            let started = thread::Builder::new()
                .name("progress".to_owned())
                .spawn(move || draw_now_and_then(&screen));
            // Without the thread the rows are drawn when something else is said.
            rows.has_thread = started.is_ok();
        }
        key
    }

    /// Changes a row. It never waits for the terminal.
    pub(super) fn set(&self, key: u64, change: impl FnOnce(&mut Row)) {
        let mut rows = lock(&self.rows);
        if let Some(row) = rows.by_key.get_mut(&key) {
            change(row);
            rows.has_changed = true;
        }
    }

    /// A row of something that is complete, and of which all has been said. It counts among the others as long as there
    /// are any.
    pub(super) fn finish(&self, key: u64) {
        {
            let mut rows = lock(&self.rows);
            if let Some(row) = rows.by_key.get_mut(&key) {
                row.complete();
                rows.finished.insert(key);
                rows.has_changed = true;
            }
        }
        self.clear_finished();
    }

    /// Takes the finished rows away if nothing else is left.
    fn clear_finished(&self) {
        let mut drawn = lock(&self.drawn);
        {
            let mut rows = lock(&self.rows);
            if rows.finished.len() < rows.by_key.len() {
                return;
            }
            rows.by_key.clear();
            rows.finished.clear();
        }
        drawn.erase();
        self.draw(&mut drawn);
    }

    /// Takes a row away. What it showed last of a torrent stays above the others.
    pub(super) fn remove(&self, key: u64) {
        let mut drawn = lock(&self.drawn);
        let columns = drawn.measure().1;
        let left = {
            let mut rows = lock(&self.rows);
            let position = rows.by_key.keys().position(|other| *other == key);
            let all: Vec<_> = rows.by_key.values().cloned().collect();
            rows.by_key.remove(&key);
            position.and_then(|position| last_line(&all, position, usize::from(columns)))
        };
        drawn.erase();
        if let Some(line) = left {
            drawn.write(&line);
        }
        self.draw(&mut drawn);
        drop(drawn);
        self.clear_finished();
    }

    /// Takes all rows off the terminal while something else is written there.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut drawn = lock(&self.drawn);
        drawn.erase();
        let _ = drawn.term.flush();
        let result = write();
        self.draw(&mut drawn);
        result
    }

    /// Takes all rows off the terminal until [`resume`](Self::resume). Messages meanwhile are written all the same.
    pub(super) fn pause(&self) {
        let mut drawn = lock(&self.drawn);
        drawn.erase();
        let _ = drawn.term.flush();
        lock(&self.rows).is_paused = true;
    }

    /// Draws rows again.
    pub(super) fn resume(&self) {
        let mut rows = lock(&self.rows);
        rows.is_paused = false;
        rows.has_changed = true;
    }

    fn draw_if_changed(&self) {
        let mut drawn = lock(&self.drawn);
        let is_resized = !drawn.lines.is_empty() && drawn.measure() != drawn.size;
        let rows = lock(&self.rows);
        let is_due = !rows.is_paused && (is_resized || rows.has_changed);
        drop(rows);
        if is_due {
            drawn.erase();
            self.draw(&mut drawn);
        }
    }

    /// Draws below what is there.
    fn draw(&self, drawn: &mut Drawn) {
        let rows: Vec<_> = {
            let mut rows = lock(&self.rows);
            if rows.is_paused {
                return;
            }
            rows.has_changed = false;
            rows.by_key.values().cloned().collect()
        };
        drawn.size = drawn.measure();
        let (lines, columns) = drawn.size;
        for line in table(&rows, usize::from(columns), usize::from(lines)) {
            drawn.write(&line);
            drawn.lines.push(width(&line.text));
        }
        // A terminal that is gone shows nothing.
        let _ = drawn.term.flush();
    }
}

impl Drawn {
    fn measure(&self) -> (u16, u16) {
        self.term.size()
    }

    /// Takes back what was drawn. A terminal that has become narrower has wrapped it.
    fn erase(&mut self) {
        let columns = usize::from(self.measure().1).max(1);
        let lines = self.lines.drain(..);
        let lines: usize = lines.map(|width| width.div_ceil(columns).max(1)).sum();
        let _: io::Result<()> = (|| {
            // What was typed, or the echo of Ctrl-C.
            self.term.clear_line()?;
            if lines > 0 {
                self.term.move_cursor_up(lines)?;
                self.term.clear_to_end_of_screen()?;
            }
            Ok(())
        })();
    }

    fn write(&self, line: &Line) {
        let (name, rest) = line.text.split_at(line.name);
        let name = style(name).for_stderr().bold();
        let _ = self.term.write_line(&format!("{name}{rest}"));
    }
}

fn draw_now_and_then(screen: &Weak<Screen>) {
    while let Some(screen) = screen.upgrade() {
        screen.draw_if_changed();
        drop(screen);
        thread::sleep(DRAW_EVERY);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
