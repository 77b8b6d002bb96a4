//! Runs many scripts at once, on a thread of their own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Bounds, drive};
use crate::{Counts, Script};

/// How often the bounds are checked.
const LOOK: Duration = Duration::from_millis(10);
/// Connections that the kernel keeps for a listener.
const BACKLOG: u32 = 1_024;

/// Attackers, and honest sides beside them, over TCP on addresses of this machine. They run on one thread, so that an
/// attack takes at most one processor from its victim. All scripts end when this is dropped.
#[derive(Debug)]
pub struct Crowd {
    /// `None` once it is being dropped.
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bounds: Bounds,
    ends: Instant,
    counts: Counts,
    /// True when a bound is reached.
    over: watch::Sender<bool>,
}

/// An outgoing connection: its target, its source address, and when to repeat it.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    to: SocketAddr,
    from: Option<IpAddr>,
    again_after: Option<Duration>,
    receive_buffer: Option<u32>,
}

/// A listening socket of the crowd.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub addr: SocketAddr,
    calls: Arc<Mutex<Vec<Instant>>>,
}

impl Crowd {
    /// Starts a crowd without scripts. The bounds' time begins now.
    ///
    /// # Errors
    ///
    /// When the machine gives no thread.
    #[expect(clippy::disallowed_methods, reason = "the driver's clock")]
    pub fn start(bounds: Bounds) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hostile")
            .enable_all()
            .build()?;
        let shared = Shared {
            bounds,
            ends: Instant::now() + bounds.time,
            counts: Counts::default(),
            over: watch::Sender::new(false),
        };
        let shared = Arc::new(shared);
        runtime.spawn(Arc::clone(&shared).watch_bounds());
        Ok(Self {
            runtime: Some(runtime),
            shared,
        })
    }

    /// The counters of all scripts together.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Connects, and, if the dial says so, connects again with a new script whenever the connection has ended.
    ///
    /// # Errors
    ///
    /// When the address is not of this machine: there are no attacks on others.
    pub fn dial<S: Script + 'static>(
        &self,
        dial: Dial,
        mut script: impl FnMut() -> S + Send + 'static,
    ) -> io::Result<()> {
        on_this_machine(dial.to.ip())?;
        let shared = Arc::clone(&self.shared);
        self.spawn(async move {
            while shared.may_connect() {
                // Why it failed or ended does not matter: it is counted.
                let _ = shared.call(dial, &mut script()).await;
                match dial.again_after {
                    Some(pause) => sleep(pause).await,
                    None => return,
                }
            }
        });
        Ok(())
    }

    /// Listens, with a new script for each incoming connection.
    ///
    /// # Errors
    ///
    /// When the address is taken, or not of this machine.
    pub fn listen<S: Script + 'static>(
        &self,
        at: SocketAddr,
        mut script: impl FnMut() -> S + Send + 'static,
    ) -> io::Result<Listener> {
        on_this_machine(at.ip())?;
        let _context = self.runtime.as_ref().map(Runtime::enter);
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        let listener = socket.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        let calls = Arc::<Mutex<Vec<Instant>>>::default();
        let (shared, heard) = (Arc::clone(&self.shared), Arc::clone(&calls));
        self.spawn(async move {
            loop {
                let Ok((stream, _)) = accept(&listener, &heard).await else {
                    return;
                };
                shared.counts.add_connections(1);
                let (shared, mut script) = (Arc::clone(&shared), script());
                tokio::spawn(async move {
                    let driven = drive(stream, &mut script, &shared.counts);
                    let _ = shared.unless_over(driven).await;
                    shared.counts.add_ended(1);
                });
            }
        });
        Ok(Listener { addr, calls })
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move { shared.unless_over(work).await });
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Without waiting: it may be dropped by a task of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn may_connect(&self) -> bool {
        self.counts.connections() + self.counts.refused() < self.bounds.connections
    }

    async fn call(&self, dial: Dial, script: &mut dyn Script) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = dial.from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        if let Some(bytes) = dial.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = match socket.connect(dial.to).await {
            Ok(stream) => stream,
            Err(error) => {
                self.counts.add_refused(1);
                return Err(error);
            }
        };
        self.counts.add_connections(1);
        let outcome = drive(stream, script, &self.counts).await;
        self.counts.add_ended(1);
        outcome
    }

    /// Runs `work` until it is done or a bound is reached.
    async fn unless_over<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut over = self.over.subscribe();
        tokio::select! {
            _ = over.wait_for(|over| *over) => None,
            done = work => Some(done),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the driver's clock")]
    async fn watch_bounds(self: Arc<Self>) {
        while Instant::now() < self.ends && self.counts.sent() < self.bounds.bytes {
            sleep(LOOK).await;
        }
        self.over.send_replace(true);
    }
}

impl Dial {
    /// Connects once, from an address that the system chooses.
    #[must_use]
    pub const fn to(addr: SocketAddr) -> Self {
        Self {
            to: addr,
            from: None,
            again_after: None,
            receive_buffer: None,
        }
    }

    /// Connects from this address.
    #[must_use]
    pub fn from(mut self, ip: impl Into<IpAddr>) -> Self {
        self.from = Some(ip.into());
        self
    }

    /// Connects again, this long after a connection has ended or was refused.
    #[must_use]
    pub const fn again_after(mut self, pause: Duration) -> Self {
        self.again_after = Some(pause);
        self
    }

    /// Sets the kernel's receive buffer in bytes: the smaller it is, the sooner the other side notices a peer that does
    /// not read.
    #[must_use]
    pub const fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }
}

impl Listener {
    /// How many connections it accepted.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.call_times().len()
    }

    /// When it accepted each connection.
    #[must_use]
    pub fn call_times(&self) -> Vec<Instant> {
        self.calls.lock().clone()
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver's clock")]
async fn accept(
    listener: &TcpListener,
    calls: &Mutex<Vec<Instant>>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    let accepted = listener.accept().await?;
    calls.lock().push(Instant::now());
    Ok(accepted)
}

/// Refuses an address that is not of this machine.
pub(crate) fn on_this_machine(ip: IpAddr) -> io::Result<()> {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the kit attacks 127.0.0.0/8 alone",
        )),
    }
}
