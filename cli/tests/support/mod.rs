//! Running the binary as a user would, in folders of its own.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[cfg(unix)]
mod terminal;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Flags of a session that connects only to the peers that it is given.
pub(crate) const LOCAL: [&str; 5] = [
    "--listen",
    "127.0.0.1:0",
    "--no-dht",
    "--no-lsd",
    "--no-port-map",
];

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// A folder to work in, with a state folder beside it.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command that runs; it is killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["work", "tmp"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir }
    }

    /// The current folder of its commands.
    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Every file and folder below the current folder, sorted.
    pub(crate) fn everything(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(&self.work(), &self.work(), &mut found);
        found.sort();
        found
    }

    /// What there is in the state folder.
    pub(crate) fn state(&self) -> Vec<String> {
        self.listing("state")
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("config/tailwater/config.toml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// What there is in the folder for temporary files.
    pub(crate) fn temporary(&self) -> Vec<String> {
        self.listing("tmp")
    }

    fn listing(&self, folder: &str) -> Vec<String> {
        let root = self.dir.path().join(folder);
        let mut found = Vec::new();
        if root.exists() {
            list(&root, &root, &mut found);
        }
        found
    }

    /// The binary with these arguments, to be started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tailwater"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TAILWATER_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .current_dir(self.work())
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("TMPDIR", self.dir.path().join("tmp"))
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env("APPDATA", self.dir.path().join("config"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::of(self.command(args))
    }

    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Runs something with these bytes as its standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Finished {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = follow(child.stdout.take().unwrap());
        let errors = follow(child.stderr.take().unwrap());
        // A command that fails before it reads is no failure of the writer.
        let _ = child.stdin.take().unwrap().write_all(input);
        let running = Running {
            child,
            lines,
            errors,
        };
        running.finish()
    }

    /// Runs something that must succeed; its output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let finished = self.run(args);
        assert_eq!(finished.code, Some(0), "{args:?}: {finished:?}");
        finished.out
    }

    /// Makes a torrent of what is at `name`.
    pub(crate) fn create(&self, name: &str, more: &[&str]) -> String {
        let torrent = format!("{name}.torrent");
        self.ok(&[&["create", name, "-o", &torrent], more].concat());
        torrent
    }

    /// Runs a tracker on a free port; its announce URL.
    pub(crate) fn tracker(&self) -> (Running, String) {
        let tracker = self.start(&["tracker", "--http", "127.0.0.1:0", "--no-progress"]);
        let line = tracker.line("http://");
        let url = line.split_whitespace().last().unwrap().to_owned();
        (tracker, url)
    }

    /// Shares what is in `data`; returns when it is being shared, with the address.
    pub(crate) fn seed(&self, torrent: &str, data: &str) -> (Running, String) {
        let seed = ["seed", torrent, "--data", data, "--no-progress"];
        let seeder = self.start(&[&seed, &LOCAL[..]].concat());
        let addr = seeder
            .line("listening on ")
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned();
        seeder.line("seeding ");
        (seeder, addr)
    }
}

impl Running {
    /// Starts a command.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = follow(child.stdout.take().unwrap());
        let errors = follow(child.stderr.take().unwrap());
        Self {
            child,
            lines,
            errors,
        }
    }

    /// Waits for a line of standard output that holds `text`.
    pub(crate) fn line(&self, text: &str) -> String {
        next_with(&self.lines, text)
    }

    /// The same for standard error.
    pub(crate) fn error_line(&self, text: &str) -> String {
        next_with(&self.errors, text)
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Finished {
        self.finish_within(HANGS_AFTER)
    }

    /// The same for what must not take long. If it does not end, it is ended, and has no exit code.
    pub(crate) fn finish_within(mut self, deadline: Duration) -> Finished {
        let until = Instant::now() + deadline;
        let rest = |lines: &Receiver<String>| {
            let mut text = String::new();
            // The sender goes when the pipe is closed.
            while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                text.push_str(&line);
                text.push('\n');
            }
            text
        };
        let (out, err) = (rest(&self.lines), rest(&self.errors));
        if Instant::now() >= until {
            // It may have ended just now.
            let _ = self.child.kill();
        }
        let code = self.child.wait().unwrap().code();
        Finished { code, out, err }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            if line.is_ok_and(|line| sender.send(line).is_ok()) {
                continue;
            }
            return;
        }
    });
    lines
}

fn next_with(lines: &Receiver<String>, text: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(HANGS_AFTER) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => seen.push(line),
            Err(_) => panic!("no line with {text:?} came, but {seen:#?}"),
        }
    }
}

fn list(root: &Path, dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push(
            path.strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        );
        if path.is_dir() {
            list(root, &path, found);
        }
    }
}

/// Bytes that do not compress and are the same every time.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}
