//! Ctrl-C: the first one asks for a clean end, the second one is the end, and so is a clean end that takes too long.
//!
//! Signals are handled by a thread of their own, with a runtime of its own. The threads of the main runtime may all be
//! busy with what strangers send, or blocked in a write to a terminal that is stopped; none of that can delay the end.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{CliError, INTERRUPTED};
use crate::progress::Progress;

/// How long a clean end may take. With what the process needs besides, the user waits less than 2 s.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_millis(1_800);
/// A process that is still there so long after the first signal is ended as it is: [`CLOSE_WITHIN`], and 100 ms for the
/// last events. With [`SAY_WITHIN`], and what a busy machine needs to run the thread, it is the 2 s that the README
/// promises.
const QUIT_AFTER: Duration = Duration::from_millis(1_900);
/// How long saying why may take: the terminal may be what hangs.
const SAY_WITHIN: Duration = Duration::from_millis(50);

/// Whether the user, or the system, wants us to end. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    requested: CancellationToken,
    closed: CancellationToken,
}

impl Interrupt {
    /// Listens for Ctrl-C (and SIGTERM where there is one) from now on, in a thread of its own.
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
        };
        let watched = interrupt.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(watched.watch(signals, progress));
                std::process::exit(i32::from(INTERRUPTED));
            })
            .map_err(refused)?;
        Ok(interrupt)
    }

    /// Waits for the first one.
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

    /// Runs something that may be dropped at any point.
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
        signals.next().await;
        self.requested.cancel();
        tokio::select! {
            () = signals.next() => {}
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

    /// Returns when a clean end has taken too long.
    async fn overdue(&self) {
        tokio::select! {
            () = sleep(QUIT_AFTER) => {}
            () = self.closed.cancelled() => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
