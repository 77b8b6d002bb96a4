//! Watches the network interface that the user named: when it goes, traffic stops; when it comes back, all is made anew.

use std::time::Duration;

use tailwater_http::Client as HttpClient;
use tailwater_types::interface::{FoundInterface, Interface};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::announce::Client;
use super::permits::ConnectionPermits;
use crate::events::{Event, EventSender};
use crate::transport::UplinkControl;

/// How often the interface is looked for, which takes about a millisecond. It is no part of the protection: a socket that
/// is bound to a device that is gone sends nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Everything that has to change with the interface.
pub(crate) struct InterfaceTask {
    pub(crate) interface: Interface,
    pub(crate) control: UplinkControl,
    pub(crate) permits: ConnectionPermits,
    pub(crate) trackers: Client,
    pub(crate) http: HttpClient,
    pub(crate) events: EventSender,
}

impl InterfaceTask {
    /// Watches until the session closes.
    pub(crate) async fn run(self, closing: CancellationToken) {
        tokio::select! {
            () = closing.cancelled() => {}
            () = self.watch() => {}
        }
    }

    async fn watch(self) {
        let mut before = self.interface.found();
        if before.is_none() {
            tracing::info!(
                "{} does not exist or has no address: waiting for it",
                self.interface
            );
        }
        loop {
            sleep(LOOK_EVERY).await;
            let interface = self.interface.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || interface.refresh()).await {
                tracing::debug!("looking for the interface: {error}");
            }
            let now = self.interface.found();
            self.handle_look(before.as_ref(), now.as_ref());
            before = now;
        }
    }

    fn handle_look(&self, before: Option<&FoundInterface>, now: Option<&FoundInterface>) {
        match (before, now) {
            (None, None) => {}
            (Some(before), Some(now)) if before.is_same(now) => {}
            (_, None) => self.take_down(),
            (None, Some(_)) => self.bring_up(),
            (Some(_), Some(_)) => {
                self.take_down();
                self.bring_up();
            }
        }
    }

    fn take_down(&self) {
        tracing::info!("{} is gone: waiting for it", self.interface);
        self.permits.set_paused(true);
        self.control.take_down();
        self.trackers.disconnect();
        self.http.disconnect();
        self.tell(false);
    }

    fn bring_up(&self) {
        tracing::info!("{} is there", self.interface);
        self.control.bring_up();
        self.permits.set_paused(false);
        self.tell(true);
    }

    fn tell(&self, is_up: bool) {
        let interface = self.interface.to_string();
        self.events
            .send(Event::InterfaceChanged { interface, is_up });
    }
}
