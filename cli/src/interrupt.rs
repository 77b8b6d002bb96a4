//! Ctrl-C, SIGTERM and SIGHUP: the first signal asks for a clean end, the second one is the end, and so is a clean end
//! that takes too long.
//!
//! SIGTERM and SIGHUP are how a service manager and a closed terminal stop a command that runs until it is stopped: that
//! is no failure. A daemon without a terminal takes SIGHUP as a request to read its configuration again. What is to be removed at any end is removed on the hard way out too, see [`Interrupt::remove_at_end`].
//!
//! Signals are handled by a thread of their own, with a runtime of its own. The threads of the main runtime may all be
//! busy with traffic from peers, or blocked in a write to a terminal that is stopped; none of that can delay the end.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{CliError, INTERRUPTED};
use crate::progress::Progress;

/// How long a clean end may take. With what the process needs besides, the user waits less than 2 s.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_millis(1_800);
/// How long after the first signal the process is ended in any case: [`CLOSE_WITHIN`], and 100 ms for the last events.
/// With [`SAY_WITHIN`], and what a busy machine needs to run the thread, it is the 2 s that the README promises.
const QUIT_AFTER: Duration = Duration::from_millis(1_900);
/// Timeout of the last message: the terminal may be what hangs.
const SAY_WITHIN: Duration = Duration::from_millis(50);
/// How often a folder of ours is emptied before the process ends: a thread that still writes to it may add a file
/// meanwhile, but makes no folder anew.
const REMOVALS: usize = 8;

/// The kind of signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager.
    Stop,
    /// SIGHUP: a terminal that was closed, or a configuration that was changed.
    #[cfg_attr(not(unix), allow(dead_code, reason = "there is no such signal"))]
    Hangup,
}

/// Whether the process was asked to end, by the user or the system. Clones share one state.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    requested: CancellationToken,
    closed: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The first signal was not Ctrl-C.
    is_stop: AtomicBool,
    /// The command runs until it is stopped: a signal is its normal end.
    is_serving: AtomicBool,
    /// SIGHUP asks for the configuration to be read again.
    is_reloading: AtomicBool,
    reload: Notify,
    /// After which time the process is ended in any case, unless it is [`QUIT_AFTER`].
    quit_after: Mutex<Option<Duration>>,
    /// Files and folders to remove at the end of the process.
    leftovers: Mutex<Vec<PathBuf>>,
    /// What is done before the process is ended without its clean end.
    before_quit: Mutex<Option<fn()>>,
}

impl Interrupt {
    /// Listens for Ctrl-C (and SIGTERM and SIGHUP where there are such) from now on, in a thread of its own.
    ///
    /// Call it outside of any runtime.
    pub(crate) fn install(progress: Progress) -> Result<Self, CliError> {
        let refused = |source| CliError::System {
            operation: "listen for signals",
            source,
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refused)?;
        let entered = runtime.enter();
        let signals = Signals::new().map_err(refused)?;
        drop(entered);
        let interrupt = Self {
            requested: CancellationToken::new(),
            closed: CancellationToken::new(),
            shared: Arc::default(),
        };
        let watched = interrupt.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(watched.clone().watch(signals, progress));
                watched.remove_leftovers();
                if let Some(last) = *watched.shared.before_quit.lock() {
                    last();
                }
                std::process::exit(i32::from(INTERRUPTED));
            })
            .map_err(refused)?;
        Ok(interrupt)
    }

    /// Waits for the first signal.
    pub(crate) async fn requested(&self) {
        self.requested.cancelled().await;
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// The clean end is reached, but for files of our own that are to be removed: that may take as long as the disk
    /// needs, unless the user interrupts again.
    pub(crate) fn closed(&self) {
        self.closed.cancel();
    }

    /// From now on the command runs until it is stopped, and has nothing unfinished.
    pub(crate) fn serves(&self) {
        self.shared.is_serving.store(true, Ordering::Relaxed);
    }

    /// From now on SIGHUP is no end, but what [`Interrupt::reload_requested`] waits for.
    pub(crate) fn reloads_on_hangup(&self) {
        self.shared.is_reloading.store(true, Ordering::Relaxed);
    }

    /// Waits for a SIGHUP. Several that come before it is called again count as one.
    pub(crate) async fn reload_requested(&self) {
        self.shared.reload.notified().await;
    }

    /// A clean end may take this long, because there may be much to do.
    pub(crate) fn close_within(&self, limit: Duration) {
        let margin = QUIT_AFTER.saturating_sub(CLOSE_WITHIN);
        *self.shared.quit_after.lock() = Some(limit.saturating_add(margin));
    }

    /// The result of a command's end: a serving command that was stopped by SIGTERM or SIGHUP has succeeded.
    pub(crate) fn outcome(&self, ended: Result<(), CliError>) -> Result<(), CliError> {
        let Shared {
            is_stop,
            is_serving,
            ..
        } = &*self.shared;
        match ended {
            Err(CliError::Interrupted)
                if is_stop.load(Ordering::Relaxed) && is_serving.load(Ordering::Relaxed) =>
            {
                Ok(())
            }
            ended => ended,
        }
    }

    /// Has a file or folder removed if the process is ended before its clean end, which removes it as well.
    pub(crate) fn remove_at_end(&self, path: &Path) {
        let leftovers = &self.shared.leftovers;
        let mut leftovers = leftovers.lock();
        leftovers.push(path.to_owned());
    }

    /// Has this done if the process is ended before its clean end, which does it as well: a terminal is given back.
    pub(crate) fn before_quit(&self, last: fn()) {
        *self.shared.before_quit.lock() = Some(last);
    }

    fn remove_leftovers(&self) {
        let leftovers = &self.shared.leftovers;
        let leftovers = leftovers.lock();
        for path in &*leftovers {
            remove(path);
        }
    }

    /// Runs a future until it ends or a signal comes; it may be dropped at any point.
    pub(crate) async fn guard<T>(
        &self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::select! {
            biased;
            () = self.requested() => Err(CliError::Interrupted),
            result = work => result,
        }
    }

    /// Returns when the process is to end, whatever it is doing.
    async fn watch(self, mut signals: Signals, progress: Progress) {
        let first = self.next_end(&mut signals).await;
        self.shared
            .is_stop
            .store(first != Signal::Interrupt, Ordering::Relaxed);
        self.requested.cancel();
        tokio::select! {
            _ = self.next_end(&mut signals) => {}
            () = self.overdue() => {
                let saying = tokio::task::spawn_blocking(move || {
                    progress.note(
                        "closing took too long: quitting without the rest; \
                         trackers may list us for a while, and files are checked at the next start",
                    );
                });
                let _ = timeout(SAY_WITHIN, saying).await;
            }
        }
    }

    /// The next signal that asks for the end.
    async fn next_end(&self, signals: &mut Signals) -> Signal {
        loop {
            let signal = signals.next().await;
            let reloads = self.shared.is_reloading.load(Ordering::Relaxed);
            if signal != Signal::Hangup || !reloads {
                return signal;
            }
            self.shared.reload.notify_one();
        }
    }

    /// Returns when a clean end has taken too long.
    async fn overdue(&self) {
        let quit_after = self.shared.quit_after.lock().unwrap_or(QUIT_AFTER);
        tokio::select! {
            () = sleep(quit_after) => {}
            () = self.closed.cancelled() => std::future::pending().await,
        }
    }
}

/// Removes a file, or a folder with all that is in it.
fn remove(path: &Path) {
    for _ in 0..REMOVALS {
        let removed = match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => return,
        };
        match removed {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            _ => return,
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// Not where it is ignored already: `nohup` means that the command survives its terminal.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = match ignores_hangup() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Stop,
            () = hangup => Signal::Hangup,
        }
    }
}

/// Whether SIGHUP was ignored when the process began. Where the system does not say it in `/proc`, it was not.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status");
    status.is_ok_and(|status| says_hangup_is_ignored(&status))
}

/// Reads the mask of ignored signals, in hexadecimal, whose lowest bit is that of SIGHUP, signal 1.
#[cfg(unix)]
fn says_hangup_is_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    /// The window is closed.
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self {
            interrupt: ctrl_c()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.close.recv() => Signal::Stop,
            _ = self.shutdown.recv() => Signal::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = |mask: &str| format!("Name:\ttailwater\nSigIgn:\t{mask}\nSigCgt:\t1\n");
        assert!(says_hangup_is_ignored(&status("0000000000001001")));
        assert!(!says_hangup_is_ignored(&status("0000000000001000")));
        assert!(!says_hangup_is_ignored("Name:\ttailwater\n"));
    }

    #[test]
    fn a_stop_ends_well_what_only_serves() {
        let interrupt = Interrupt {
            requested: CancellationToken::new(),
            closed: CancellationToken::new(),
            shared: Arc::default(),
        };
        let ended = || interrupt.outcome(Err(CliError::Interrupted));
        interrupt.shared.is_stop.store(true, Ordering::Relaxed);
        assert!(ended().is_err(), "there is something unfinished");
        interrupt.serves();
        assert!(ended().is_ok());
        let failed = interrupt.outcome(Err(CliError::Reported));
        assert!(failed.is_err(), "a failure stays one");
        interrupt.shared.is_stop.store(false, Ordering::Relaxed);
        assert!(ended().is_err(), "Ctrl-C");
    }

    #[test]
    fn what_is_not_to_outlive_the_process_is_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let inner = dir.path().join("a/b");
        fs::create_dir_all(&inner).expect("folders");
        fs::write(inner.join("c"), b"x").expect("a file");
        remove(&dir.path().join("a/b/c"));
        assert!(inner.exists() && !inner.join("c").exists());
        remove(&dir.path().join("a"));
        remove(&dir.path().join("a"));
        assert!(dir.path().exists() && !inner.exists());
    }
}
