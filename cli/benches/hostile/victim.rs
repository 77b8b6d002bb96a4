//! The process under attack.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::bed::{Bed, free_addr};
use crate::figures::Seen;

/// The memory limit in bytes: above it the process is killed, so that the machine survives the measurement.
const MOST_MEMORY: u64 = 2 << 30;
/// How often its memory is sampled.
const LOOK: Duration = Duration::from_millis(10);
/// How long after Ctrl-C a process that has not ended is killed.
const LONGEST_END: Duration = Duration::from_secs(10);
/// The timeout of a start.
const LONGEST_START: Duration = Duration::from_secs(30);
/// How many of its output lines are shown when something fails.
const LINES_SHOWN: usize = 20;

/// A running `tailwater` process; it is killed when dropped.
pub(crate) struct Victim {
    child: Child,
    pid: Pid,
    /// Where it listens for peers.
    pub(crate) addr: SocketAddr,
    lines: Receiver<String>,
    log: Arc<Mutex<Vec<String>>>,
    watch: Arc<Watch>,
    watcher: Option<JoinHandle<()>>,
    before: u64,
    started: Instant,
    _home: TempDir,
}

#[derive(Default)]
struct Watch {
    peak: AtomicU64,
    is_killed: AtomicBool,
    is_over: AtomicBool,
}

impl Victim {
    /// Starts a command of the binary that has a session. `args` may name `HOME`, a folder of its own.
    pub(crate) fn start(bed: &Bed, args: &[&str]) -> Self {
        let addr = free_addr();
        let listen = addr.to_string();
        let network = ["--listen", &listen, "--no-dht", "--no-lsd", "--no-port-map"];
        Self::run(bed, addr, &[args, &network].concat())
    }

    /// Starts any command of the binary.
    pub(crate) fn run(bed: &Bed, addr: SocketAddr, args: &[&str]) -> Self {
        let home = bed.folder();
        let mut command = Command::new(&bed.binary);
        for arg in args {
            match *arg {
                "HOME" => command.arg(home.path()),
                arg => command.arg(arg),
            };
        }
        command
            .args(["--no-progress", "--json"])
            .current_dir(home.path())
            .env("XDG_STATE_HOME", home.path().join("state"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (sender, lines) = channel();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as _),
            child.stderr.take().map(|out| Box::new(out) as _),
        ];
        for output in outputs.into_iter().flatten() {
            let (sender, log) = (sender.clone(), Arc::clone(&log));
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    log.lock().unwrap().push(line.clone());
                    let _ = sender.send(line);
                }
            });
        }
        let watch = Arc::<Watch>::default();
        let watching = Arc::clone(&watch);
        Self {
            watcher: Some(thread::spawn(move || watching.run(pid))),
            child,
            pid,
            addr,
            lines,
            log,
            watch,
            before: 0,
            started: Instant::now(),
            _home: home,
        }
    }

    /// When it was started.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// Waits for a line that `find` makes something of.
    pub(crate) fn line<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let until = Instant::now() + LONGEST_START;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return found;
                    }
                }
                Err(_) => self.fail("does not say what is waited for"),
            }
        }
    }

    /// Waits until something holds that follows from its start.
    pub(crate) fn started_when(&self, what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + LONGEST_START;
        while !holds() {
            if Instant::now() > until {
                self.fail(what);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Marks the beginning of the attack: its peak memory is compared with the memory resident now.
    pub(crate) fn mark(&mut self) {
        self.before = resident(self.pid).unwrap_or(0);
        self.watch.peak.store(self.before, Ordering::Relaxed);
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.watch.is_killed.load(Ordering::Relaxed)
    }

    /// Waits for it to end by itself; how long after its start it did, if it did in time.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<Duration> {
        let started = self.started;
        self.wait_until(started + limit).map(|at| at - started)
    }

    /// Sends Ctrl-C during the attack; returns the measurements.
    pub(crate) fn interrupt(mut self) -> Seen {
        let peak = self.watch.peak.load(Ordering::Relaxed);
        let asked = Instant::now();
        let is_running = self.child.try_wait().unwrap().is_none() && !self.is_killed();
        let ctrl_c = is_running.then(|| {
            // It may end at this very moment.
            let _ = kill_process(self.pid, Signal::INT);
            let ended = self.wait_until(asked + LONGEST_END);
            ended.unwrap_or_else(Instant::now) - asked
        });
        Seen {
            before: self.before,
            peak,
            ctrl_c,
            is_killed: self.is_killed(),
        }
    }

    fn wait_until(&mut self, limit: Instant) -> Option<Instant> {
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return Some(Instant::now());
            }
            if Instant::now() > limit {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn fail(&self, what: &str) -> ! {
        let log = self.log.lock().unwrap();
        let shown = log[log.len().saturating_sub(LINES_SHOWN)..].join("\n    ");
        panic!("tailwater: {what}; its last lines:\n    {shown}");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.watch.is_over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        // Both fail only for a process that has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Watch {
    /// Notes the peak until told to stop or the process is gone. The process is not reaped meanwhile, so its id is not
    /// reused.
    fn run(&self, pid: Pid) {
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(resident) = resident(pid) else {
                return;
            };
            self.peak.fetch_max(resident, Ordering::Relaxed);
            if resident > MOST_MEMORY {
                self.is_killed.store(true, Ordering::Relaxed);
                let _ = kill_process(pid, Signal::KILL);
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// What is resident of a process, in bytes; `None` when it has ended.
fn resident(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
