//! Processes with a deadline: whatever is waited for comes, or the test fails and shows what the process said.

use std::io::{BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes as long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// The last lines shown when a wait fails.
const LINES_SHOWN: usize = 40;

/// A process that runs; it is killed when dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    log: Log,
    /// The part of the log that was on standard output.
    out: Log,
}

type Log = Arc<Mutex<Vec<String>>>;

impl Process {
    /// Starts `command`. Its standard input stays open and empty for as long as the test runs.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name}: cannot start {:?}: {error}", command.get_program())
            });
        let (sender, lines) = channel();
        let (log, out) = (Log::default(), Log::default());
        let logs = vec![Arc::clone(&log), Arc::clone(&out)];
        follow(child.stdout.take().unwrap(), sender.clone(), logs);
        follow(child.stderr.take().unwrap(), sender, vec![Arc::clone(&log)]);
        Self {
            name: name.to_owned(),
            child,
            lines,
            log,
            out,
        }
    }

    /// Waits for a line, of standard output or error, that holds `text`.
    pub(crate) fn line(&self, text: &str) -> String {
        self.find(text, |line| line.contains(text).then(|| line.to_owned()))
    }

    /// Waits for a line that `wanted` makes something of; `what` describes it. The lines before it are gone for later
    /// waits.
    pub(crate) fn find<T>(&self, what: &str, wanted: impl FnMut(&str) -> Option<T>) -> T {
        self.find_unless_ended(what, wanted)
            .unwrap_or_else(|| self.fail(&format!("ended before: {what}")))
    }

    /// As `find`; nothing if it ends before.
    pub(crate) fn find_unless_ended<T>(
        &self,
        what: &str,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.next(until) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Some(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("did not say: {what}")),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Waits for its end; its exit code, or -1 if a signal ended it.
    pub(crate) fn exit_code_within(&mut self, deadline: Duration) -> i32 {
        let until = Instant::now() + deadline;
        loop {
            match self.next(until) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => self.fail("did not end"),
                // Both of its outputs are closed: it has ended, or is about to.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn succeed(&mut self) {
        self.succeed_within(DEADLINE);
    }

    /// The same for what takes its time.
    pub(crate) fn succeed_within(&mut self, deadline: Duration) {
        let code = self.exit_code_within(deadline);
        if code != 0 {
            self.fail(&format!("ended with {code}"));
        }
    }

    /// All that it has said.
    pub(crate) fn said(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        run("kill", Command::new("kill").args(["-s", "INT", &pid]));
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the test with what the process said.
    pub(crate) fn fail(&self, reason: &str) -> ! {
        let log = self.said();
        let shown = log[log.len().saturating_sub(LINES_SHOWN)..].join("\n    ");
        panic!("{} {reason}; its last lines:\n    {shown}", self.name);
    }

    fn next(&self, until: Instant) -> Result<String, RecvTimeoutError> {
        self.lines
            .recv_timeout(until.saturating_duration_since(Instant::now()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command that must succeed; its standard output.
pub(crate) fn run(name: &str, command: &mut Command) -> String {
    let mut process = Process::start(name, command);
    process.succeed();
    process.out.lock().unwrap().join("\n")
}

/// Sends the lines of a stream, which end with a line feed or, as those of a progress display, a carriage return.
fn follow(stream: impl Read + Send + 'static, lines: Sender<String>, logs: Vec<Log>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        for byte in BufReader::new(stream).bytes().map_while(Result::ok) {
            if !matches!(byte, b'\n' | b'\r') {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            line.clear();
            if text.is_empty() {
                continue;
            }
            for log in &logs {
                log.lock().unwrap().push(text.clone());
            }
            if lines.send(text).is_err() {
                return;
            }
        }
    });
}
