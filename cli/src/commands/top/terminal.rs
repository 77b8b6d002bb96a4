//! The terminal: taken over while screens are shown, and given back at any end.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{execute, queue};
use tokio::sync::{Notify, mpsc};

/// Keys that wait to be handled: a text that is pasted by a terminal that does not say so.
const WAITING: usize = 1_024;

/// Whether the terminal is ours. A process has one terminal, and a panic hook and an end by signal know of nothing else.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, until it is dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// Something panicked: what is shown may be wrong, and the terminal is given back already.
    broken: Arc<Notify>,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        let taken = execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            Hide
        );
        let terminal = taken.and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        let terminal = terminal.inspect_err(|_| give_back())?;
        let broken = Arc::new(Notify::new());
        let noticed = Arc::clone(&broken);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
            noticed.notify_one();
        }));
        Ok(Self { terminal, broken })
    }

    pub(super) fn terminal(&mut self) -> &mut Terminal<CrosstermBackend<Stdout>> {
        &mut self.terminal
    }

    /// Told of a panic, in whichever task it is.
    pub(super) fn broken(&self) -> Arc<Notify> {
        Arc::clone(&self.broken)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        if !thread::panicking() {
            // That of the program again.
            drop(panic::take_hook());
        }
    }
}

/// Gives the terminal back as it was, if it was taken. A terminal that is gone needs nothing.
pub(super) fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = queue!(out, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// Reads what the terminal says, in a thread that waits for it; it ends with the terminal or the process.
pub(super) fn events() -> io::Result<mpsc::Receiver<Event>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || {
            while let Ok(event) = event::read() {
                if sender.blocking_send(event).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;

    use pty_process::Size;
    use pty_process::blocking::{Command, open};

    use super::*;

    #[test]
    #[ignore = "the other test runs it, in a terminal of its own"]
    fn panics_while_it_has_the_terminal() {
        let _screen = Screen::take().unwrap();
        panic!("as it was meant");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_shown_there() {
        let (mut pty, pts) = open().unwrap();
        pty.resize(Size::new(24, 80)).unwrap();
        let test = "commands::top::terminal::tests::panics_while_it_has_the_terminal";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env("TERM", "xterm-256color")
            .spawn(pts)
            .unwrap();
        let mut output = Vec::new();
        let mut bytes = [0; 4_096];
        // The terminal is gone when nothing has it open any more; Linux calls that an error.
        while let Ok(len @ 1..) = pty.read(&mut bytes) {
            output.extend_from_slice(&bytes[..len]);
        }
        child.wait().unwrap();
        let text = String::from_utf8_lossy(&output);
        let (_, behind) = text.split_once("\u{1b}[?1049h").unwrap();
        let (_, behind) = behind.split_once("\u{1b}[?1049l").unwrap();
        assert!(
            behind.contains("\u{1b}[?25h"),
            "the cursor is shown: {text}"
        );
        let (_, behind) = behind.split_once("as it was meant").unwrap();
        // A terminal in raw mode does not go back to the first column.
        assert!(behind.starts_with("\r\n"), "{behind:?}");
    }
}
