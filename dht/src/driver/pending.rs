//! Routes the events of each request to the caller that waits for them.

use tokio::sync::{mpsc, oneshot};

use super::handle::{Found, Pong, Sampled};
use crate::{Event, Item, Report};

/// The receiver of a request's results.
pub(super) enum Waiter {
    Peers {
        batches: mpsc::Sender<Found>,
        done: oneshot::Sender<Report>,
    },
    Samples {
        batches: mpsc::Sender<Sampled>,
        done: oneshot::Sender<Report>,
    },
    Item {
        best: Option<Item>,
        done: oneshot::Sender<(Option<Item>, Report)>,
    },
    Done(oneshot::Sender<Report>),
    Ping {
        pong: Option<Pong>,
        done: oneshot::Sender<Option<Pong>>,
    },
}

impl Waiter {
    /// Whether the receivers are gone.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Peers { batches, done } => batches.is_closed() && done.is_closed(),
            Self::Samples { batches, done } => batches.is_closed() && done.is_closed(),
            Self::Item { done, .. } => done.is_closed(),
            Self::Done(done) => done.is_closed(),
            Self::Ping { done, .. } => done.is_closed(),
        }
    }

    pub(super) fn on_event(&mut self, event: Event) {
        match (self, event) {
            // There is room: a lookup asks fewer nodes than the channel holds.
            (Self::Peers { batches, .. }, Event::Peers { from, peers, .. }) => {
                let _ = batches.try_send(Found { from, peers });
            }
            (
                Self::Samples { batches, .. },
                Event::Samples {
                    from,
                    info_hashes,
                    stored,
                    interval,
                    ..
                },
            ) => {
                let _ = batches.try_send(Sampled {
                    from,
                    info_hashes,
                    stored,
                    interval,
                });
            }
            (Self::Item { best, .. }, Event::Item { item, .. }) => *best = Some(item),
            (Self::Ping { pong, .. }, Event::Pong { node, rtt, .. }) => {
                *pong = Some(Pong { node, rtt });
            }
            _ => {}
        }
    }

    /// Sends the outcome. A receiver that is gone is no error.
    pub(super) fn on_finished(self, report: Report) {
        match self {
            Self::Peers { done, .. } | Self::Samples { done, .. } | Self::Done(done) => {
                let _ = done.send(report);
            }
            Self::Item { best, done } => {
                let _ = done.send((best, report));
            }
            Self::Ping { pong, done } => {
                let _ = done.send(pong);
            }
        }
    }
}
