//! Ctrl-C: the first one asks for a clean end, the second one is the end.

use std::io;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::{CliError, INTERRUPTED};

/// How long a clean end may take. With what the process needs besides, the user waits less than 2 s.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_millis(1_800);

/// Whether the user, or the system, wants us to end. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(CancellationToken);

impl Interrupt {
    /// Listens for Ctrl-C (and SIGTERM where there is one) from now on.
    pub(crate) fn install() -> Result<Self, CliError> {
        let refused = |source| CliError::System {
            operation: "listen for signals",
            source,
        };
        let mut signals = Signals::new().map_err(refused)?;
        let token = CancellationToken::new();
        let requested = token.clone();
        tokio::spawn(async move {
            signals.next().await;
            requested.cancel();
            signals.next().await;
            std::process::exit(i32::from(INTERRUPTED));
        });
        Ok(Self(token))
    }

    /// Waits for the first one.
    pub(crate) async fn requested(&self) {
        self.0.cancelled().await;
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.is_cancelled()
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
