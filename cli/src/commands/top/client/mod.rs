//! Talks to the daemon in tasks of its own, so that keys are never waited for: it follows what changes, fetches what is
//! looked at, and does what it is told.

mod follow;
mod orders;
mod watch;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::update::order::{News, Order};
use crate::commands::daemon_client::Api;
use crate::error::DaemonFailure;

/// News that wait to be shown, and orders that wait to be sent: more than a person gives.
const WAITING: usize = 64;

/// The tasks; they end when it is dropped.
pub(super) struct Client {
    orders: mpsc::Sender<Order>,
    news: mpsc::Receiver<News>,
    _tasks: JoinSet<()>,
}

impl Client {
    pub(super) fn start(api: &Api) -> Self {
        let (sender, news) = mpsc::channel(WAITING);
        let (orders, ordered) = mpsc::channel(WAITING);
        let (watch, watched) = tokio::sync::watch::channel(super::update::order::Watch::Nothing);
        let changed = Arc::new(Changed::default());
        let line = || Line {
            api: api.another(),
            news: sender.clone(),
            changed: Arc::clone(&changed),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::torrents(line()));
        tasks.spawn(follow::events(line()));
        tasks.spawn(watch::run(line(), watched));
        tasks.spawn(orders::run(line(), ordered, watch));
        Self {
            orders,
            news,
            _tasks: tasks,
        }
    }

    /// The next news. The tasks end with it, and so there always will be some.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no news are lost.
    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }

    /// More news, if there are some by now.
    pub(super) fn next_now(&mut self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// Has something done; whether there is room for it. A daemon that hangs is not given orders without end.
    #[must_use]
    pub(super) fn send(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }
}

/// Something was done: what is shown is fetched at once.
#[derive(Debug, Default)]
struct Changed {
    torrents: Notify,
    parts: Notify,
}

impl Changed {
    fn tell(&self) {
        self.torrents.notify_one();
        self.parts.notify_one();
    }
}

/// What a task has: a connection of its own, and where it says what it found.
struct Line {
    api: Api,
    news: mpsc::Sender<News>,
    changed: Arc<Changed>,
}

impl Line {
    /// Whether anyone listens still.
    async fn say(&self, news: News) -> bool {
        self.news.send(news).await.is_ok()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, DaemonFailure> {
        self.api.get(path).await
    }
}

/// Why the daemon did not do something, in a line: beside its name, which is shown already.
fn plain(failure: &DaemonFailure) -> String {
    match failure {
        DaemonFailure::Unreachable { reason, .. } => reason.clone(),
        DaemonFailure::Strange { reason, .. } => format!("this is no answer of a daemon: {reason}"),
        DaemonFailure::Refused { status: 401, .. } => {
            "the token is missing or wrong; start again with --token".to_owned()
        }
        other => other.to_string(),
    }
}
