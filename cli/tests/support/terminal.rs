//! The binary in a terminal of its own, of which the screen can be read.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use pty_process::Size;
use pty_process::blocking::{Command, Pty};

use super::{HANGS_AFTER, Place};

/// A command that runs in a terminal; it is killed when dropped.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
}

impl Place {
    /// Starts the binary in a terminal of `rows` rows and `columns` columns.
    pub(crate) fn terminal(&self, args: &[&str], rows: u16, columns: u16) -> Terminal {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        // Settings of the person who runs the tests have no say.
        let ours = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            !name.starts_with("TAILWATER_") && name != "RUST_LOG"
        });
        let command = Command::new(env!("CARGO_BIN_EXE_tailwater"))
            .args(args)
            .current_dir(self.work())
            .env_clear()
            .envs(ours)
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env("TMPDIR", self.dir.path().join("tmp"))
            .env("TERM", "xterm-256color");
        let child = command.spawn(pts).unwrap();
        let pty = Arc::new(pty);
        Terminal {
            output: follow(Arc::clone(&pty)),
            pty,
            child,
            parser: vt100::Parser::new(some(rows), some(columns), 1_000),
        }
    }
}

impl Terminal {
    /// Waits until the screen is as it should be; its lines.
    pub(crate) fn until(&mut self, is_right: impl Fn(&[String]) -> bool) -> Vec<String> {
        // A screen that keeps changing does not wait for ever either.
        let until = Instant::now() + HANGS_AFTER;
        loop {
            let lines = self.lines();
            if is_right(&lines) {
                return lines;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(_) => panic!("the screen never was as expected, but {lines:#?}"),
            }
        }
    }

    /// What is on the screen, without spaces at the end of lines and empty lines at the end.
    fn lines(&self) -> Vec<String> {
        let (_, columns) = self.parser.screen().size();
        let rows = self.parser.screen().rows(0, columns.get());
        let mut lines: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        self.pty.resize(Size::new(rows, columns)).unwrap();
        self.parser.set_size(some(rows), some(columns));
    }

    pub(crate) fn type_in(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for its end; the exit code, and what is left on the screen.
    pub(crate) fn finish(mut self) -> (Option<i32>, Vec<String>) {
        while let Ok(bytes) = self.output.recv_timeout(HANGS_AFTER) {
            self.parser.process(&bytes);
        }
        let code = self.child.wait().unwrap().code();
        (code, self.lines())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn some(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

/// What comes out of the terminal until nothing has it open any more.
fn follow(pty: Arc<Pty>) -> Receiver<Vec<u8>> {
    let (sender, output) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(len @ 1..) = (&*pty).read(&mut bytes) {
            if sender.send(bytes[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    output
}
