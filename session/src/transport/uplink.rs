//! The network interface that every socket of the session is bound to, if the user named one, and whether it is there.
//!
//! While it is not there, listening sockets are bound to the loopback interface, which keeps their ports, and nothing
//! else is opened. What was opened on an interface that is gone ends with it: such sockets are bound to a device that does
//! not come back, even if one of the same name does.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;
use tailwater_types::interface::Interface;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The link of a session. Clones stay up to date. By default it is always there, and binds sockets to nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uplink(Option<Bound>);

#[derive(Clone, Debug)]
struct Bound {
    interface: Interface,
    /// Cancelled when the interface is lost; `None` while it is not there.
    alive: watch::Receiver<Option<CancellationToken>>,
}

/// The side that says whether the interface is there.
#[derive(Debug)]
pub(crate) struct UplinkControl(watch::Sender<Option<CancellationToken>>);

impl UplinkControl {
    /// The interface is there: it is new, or has come back.
    pub(crate) fn bring_up(&self) {
        self.replace(Some(CancellationToken::new()));
    }

    /// The interface is gone: what was opened on it ends.
    pub(crate) fn take_down(&self) {
        self.replace(None);
    }

    fn replace(&self, alive: Option<CancellationToken>) {
        if let Some(lost) = self.0.send_replace(alive) {
            lost.cancel();
        }
    }
}

impl Uplink {
    /// A link by an interface, as [`Interface::found`] says.
    pub(crate) fn by(interface: Interface) -> (UplinkControl, Self) {
        let alive = interface.found().map(|_| CancellationToken::new());
        let (sender, alive) = watch::channel(alive);
        let bound = Bound { interface, alive };
        (UplinkControl(sender), Self(Some(bound)))
    }

    /// The interface, if there is one to be bound to.
    pub(crate) fn interface(&self) -> Option<&Interface> {
        self.0.as_ref().map(|bound| &bound.interface)
    }

    /// Whether there is a network.
    pub(crate) fn is_up(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|bound| bound.alive.borrow().is_some())
    }

    /// Waits until there is a network.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn up(&self) {
        if let Some(bound) = &self.0 {
            let mut alive = bound.alive.clone();
            // An error: the session is gone, and its tasks end.
            let _ = alive.wait_for(Option::is_some).await;
        }
    }

    /// Waits for the next change: the interface was lost, came back, or is another one.
    ///
    /// # Cancel safety
    ///
    /// No change is lost when the future is dropped.
    pub(crate) async fn changed(&mut self) {
        if let Some(bound) = &mut self.0
            && bound.alive.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// What a connection that is made now is tied to.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) while the interface is not there.
    pub(crate) fn tie(&self) -> io::Result<Tie> {
        let Some(bound) = &self.0 else {
            return Ok(Tie(None));
        };
        match &*bound.alive.borrow() {
            Some(alive) => Ok(Tie(Some(alive.clone()))),
            None => {
                let said = format!("{} is not there", bound.interface);
                Err(io::Error::new(io::ErrorKind::NotFound, said))
            }
        }
    }

    /// Binds a socket that sends.
    ///
    /// # Errors
    ///
    /// When the interface is not there, or the address is not one of its own.
    pub(crate) fn bind(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        match self.interface() {
            None => socket.bind(&addr.into()),
            Some(interface) => interface.bind(socket, addr),
        }
    }

    /// Binds a socket that keeps a port: while the interface is not there, to the loopback interface.
    ///
    /// # Errors
    ///
    /// When the port is taken, or the address is not one of the interface.
    pub(crate) fn bind_port(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        match self.is_up() {
            true => self.bind(socket, addr),
            false => Interface::park(socket, addr),
        }
    }
}

/// What a connection is tied to: it ends when the interface is lost on which it was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tie(Option<CancellationToken>);

impl Tie {
    /// The outcome of `step`, unless the interface is lost first.
    pub(super) async fn hold<T, E: From<io::Error>>(
        &self,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(alive) = &self.0 else {
            return step.await;
        };
        tokio::select! {
            biased;
            () = alive.cancelled() => Err(lost().into()),
            outcome = step => outcome,
        }
    }

    /// Waits until the interface is lost.
    #[cfg_attr(not(feature = "trackers"), expect(dead_code, reason = "for announces"))]
    pub(crate) async fn lost(&self) {
        match &self.0 {
            Some(alive) => alive.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

fn lost() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the network interface is gone",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_made_on_an_interface_ends_with_it() {
        let (control, mut link) = Uplink::by(Interface::named("no-such-tunnel"));
        assert!(!link.is_up());
        assert_eq!(link.tie().unwrap_err().kind(), io::ErrorKind::NotFound);
        control.bring_up();
        link.changed().await;
        link.up().await;
        let tie = link.tie().unwrap();
        assert_eq!(tie.hold(async { Ok::<_, io::Error>(1) }).await.unwrap(), 1);
        control.take_down();
        let lost = tie.hold(std::future::pending::<io::Result<()>>()).await;
        assert_eq!(lost.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        // The one that comes back is another.
        control.bring_up();
        assert!(tie.hold(async { Ok::<_, io::Error>(()) }).await.is_err());
        let second = link.tie().unwrap();
        control.bring_up();
        second.lost().await;
        assert!(link.is_up());
    }
}
