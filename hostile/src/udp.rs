//! Datagrams to a UDP port of this machine, from many addresses and ports.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::tcp::{Bounds, on_this_machine};
use crate::{Counts, DatagramScript};

/// Datagrams that a script sends, and receives, before the next script has its turn.
const TURN: usize = 32;
/// The pause when no script had anything to send.
const PAUSE: Duration = Duration::from_millis(1);

/// Runs scripts of datagrams, each from a port of its own, on one thread, until it is dropped or a bound is reached.
/// Of [`Bounds`], time and bytes count; connections are those that the other side answered.
#[derive(Debug)]
pub struct Barrage {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    counts: Counts,
    bounds: Bounds,
    is_over: AtomicBool,
}

impl Barrage {
    /// Starts scripts, each from the address beside it, against a port.
    ///
    /// # Errors
    ///
    /// When an address is not of this machine, or the machine gives no socket.
    pub fn start(
        to: SocketAddr,
        scripts: impl IntoIterator<Item = (IpAddr, Box<dyn DatagramScript>)>,
        bounds: Bounds,
    ) -> io::Result<Self> {
        on_this_machine(to.ip())?;
        let open = |(from, script): (IpAddr, Box<dyn DatagramScript>)| {
            let socket = UdpSocket::bind((from, 0))?;
            socket.connect(to)?;
            socket.set_nonblocking(true)?;
            Ok((socket, script))
        };
        let mut lines = scripts
            .into_iter()
            .map(open)
            .collect::<io::Result<Vec<_>>>()?;
        let shared = Arc::new(Shared {
            counts: Counts::default(),
            bounds,
            is_over: AtomicBool::new(false),
        });
        let running = Arc::clone(&shared);
        let thread = thread::Builder::new().name("barrage".to_owned());
        let thread = thread.spawn(move || running.run(&mut lines))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The counters of all scripts together.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

impl Drop for Barrage {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, there is nothing to end.
            let _ = thread.join();
        }
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "the driver's clock")]
    fn run(&self, lines: &mut [(UdpSocket, Box<dyn DatagramScript>)]) {
        let ends = Instant::now() + self.bounds.time;
        let mut buffer = vec![0; 64 * 1024];
        while !self.is_over.load(Ordering::Relaxed) {
            let mut is_idle = true;
            for (socket, script) in &mut *lines {
                let now = Instant::now();
                if now >= ends || self.counts.sent() >= self.bounds.bytes {
                    return;
                }
                is_idle &= !self.turn(now, socket, &mut **script, &mut buffer);
            }
            if is_idle {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Whether anything was sent.
    fn turn(
        &self,
        now: Instant,
        socket: &UdpSocket,
        script: &mut dyn DatagramScript,
        buffer: &mut [u8],
    ) -> bool {
        for _ in 0..TURN {
            match socket.recv(buffer) {
                Ok(len) => {
                    self.counts.add_received(len as u64);
                    if script.handle_datagram(now, &buffer[..len]) {
                        self.counts.add_connections(1);
                    }
                }
                // The port may be closed: the next datagram tells.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
        let mut has_sent = false;
        for _ in 0..TURN {
            let Some(datagram) = script.poll_send(now) else {
                break;
            };
            // What the system does not take is lost, as on any way.
            if let Ok(len) = socket.send(&datagram) {
                self.counts.add_sent(len as u64);
            }
            has_sent = true;
        }
        has_sent
    }
}
