//! A terminal in tmux, of which the screen can be read.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::Place;

/// Nothing here takes longer unless it hangs.
const DEADLINE: Duration = Duration::from_secs(90);

/// A tmux server of its own with one window; it ends when dropped.
pub(crate) struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// Runs a command of the shell in a terminal of this size. `tailwater` is the program in it.
    pub(crate) fn start(place: &Place, command: &str, columns: u16, rows: u16) -> Self {
        // One that ends just now may have its socket still.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tmux = Self {
            socket: place.path(&format!("tmux{number}")),
        };
        let config = place.write("tmux.conf", b"set -g default-terminal screen-256color\n");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_tailwater"));
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        // With the folders and without the settings of the person who runs the tests.
        let ours = place.command(&[]);
        let mut start = tmux.command();
        for (name, value) in ours.get_envs() {
            match value {
                Some(value) => start.env(name, value),
                None => start.env_remove(name),
            };
        }
        let started = start
            .arg("-f")
            .arg(config)
            .args(["new-session", "-d"])
            .args(["-x", &columns.to_string(), "-y", &rows.to_string()])
            .arg(command)
            .current_dir(place.work())
            .env("PATH", path)
            .env("SHELL", "/bin/sh")
            .env("PS1", "$ ")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .status();
        assert!(started.unwrap().success());
        tmux
    }

    /// Runs `tailwater top` with these arguments. The terminal outlasts it, and shows what it said.
    pub(crate) fn top(place: &Place, args: &str, columns: u16, rows: u16) -> Self {
        let command = format!("tailwater top {args}; echo ended with $?; exec sleep 1000");
        Self::start(place, &command, columns, rows)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-u").arg("-S").arg(&self.socket);
        command
    }

    /// Runs a command of tmux; what it prints, if it succeeds.
    fn ask(&self, args: &[&str]) -> Option<String> {
        let output = self.command().args(args).output().unwrap();
        let text = || String::from_utf8(output.stdout).unwrap();
        output.status.success().then(text)
    }

    /// Presses keys, by their names in tmux. What follows Escape at once is another key to a terminal: it comes last.
    pub(crate) fn press(&self, keys: &[&str]) {
        let before = keys.split_last().map_or(keys, |(_, before)| before);
        assert!(!before.contains(&"Escape"), "{keys:?}");
        self.ask(&[&["send-keys"], keys].concat()).unwrap();
    }

    /// Types a text.
    pub(crate) fn type_in(&self, text: &str) {
        self.ask(&["send-keys", "-l", text]).unwrap();
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.ask(&["resize-window", "-x", &columns, "-y", &rows])
            .unwrap();
    }

    /// The lines of the screen, without spaces at their ends; none when the terminal is gone.
    pub(crate) fn lines(&self) -> Vec<String> {
        let shown = self.ask(&["capture-pane", "-p"]).unwrap_or_default();
        shown
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// What tmux knows of the terminal.
    pub(crate) fn fact(&self, name: &str) -> String {
        let format = format!("#{{{name}}}");
        let fact = self.ask(&["display-message", "-p", &format]);
        fact.unwrap_or_default().trim().to_owned()
    }

    /// Waits until the screen is as it should be; its lines.
    pub(crate) fn until(&self, what: &str, is_right: impl Fn(&[String]) -> bool) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let lines = self.lines();
            if is_right(&lines) {
                return lines;
            }
            assert!(
                begun.elapsed() < DEADLINE,
                "not seen: {what}\n{}",
                lines.join("\n")
            );
        }
    }

    /// The lines of the screen when nothing has changed for long; for a person who looks at them afterwards.
    pub(crate) fn settled(&self) -> Vec<String> {
        const LOOKS: usize = 400;
        let (mut lines, mut same) = (self.lines(), 0);
        while same < LOOKS {
            let now = self.lines();
            same = if now == lines { same + 1 } else { 0 };
            lines = now;
        }
        lines
    }

    /// Waits until a text is on the screen.
    pub(crate) fn see(&self, text: &str) -> Vec<String> {
        self.until(text, |lines| lines.iter().any(|line| line.contains(text)))
    }

    /// Waits until a text is not on the screen any more.
    pub(crate) fn miss(&self, text: &str) {
        let gone =
            |lines: &[String]| !lines.is_empty() && !lines.iter().any(|line| line.contains(text));
        self.until(&format!("no {text}"), gone);
    }

    /// Waits until the program that [`Self::top`] runs has ended well.
    pub(crate) fn ended(&self) {
        self.see("ended with 0");
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.command().arg("kill-server").output();
    }
}
