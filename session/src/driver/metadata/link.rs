//! The task of one connection of a fetch.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::driver::permits::ConnectionPermit;
use crate::transport::Stream;
use tailwater_engine::metadata::LinkKey;
use tailwater_engine::metadata::link::{Fact, Link, LinkConfig, Useless};

/// Requests that may be queued for a connection: more than the fetch has outstanding at one peer.
const REQUEST_QUEUE: usize = 16;
/// Bytes that are read at once.
const READ_STEP: usize = 16 * 1024;
/// A peer that takes longer to take our few bytes is stuck.
const WRITE_WITHIN: Duration = Duration::from_secs(20);

pub(super) type Requests = mpsc::Sender<u32>;

pub(super) fn requests() -> (Requests, mpsc::Receiver<u32>) {
    mpsc::channel(REQUEST_QUEUE)
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
    #[error("{0}")]
    Useless(#[from] Useless),
    #[error("the peer hung up")]
    HungUp,
    #[error("the peer takes nothing")]
    Stuck,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// News of a connection, for its fetch.
#[derive(Debug)]
pub(super) struct News {
    pub(super) link: LinkKey,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// It got a permit in the session, and is being made.
    Dialling,
    Facts(Vec<Fact>),
    Ended(LinkEnd),
}

/// A connection, and the permit that it holds.
pub(super) struct Socket {
    pub(super) stream: Stream,
    /// Given back after the socket.
    pub(super) _permit: ConnectionPermit,
}

pub(super) struct LinkTask {
    key: LinkKey,
    link: Link,
    socket: Socket,
    requests: mpsc::Receiver<u32>,
    news: mpsc::Sender<News>,
}

impl LinkTask {
    pub(super) fn new(
        key: LinkKey,
        now: Instant,
        config: LinkConfig,
        socket: Socket,
        requests: mpsc::Receiver<u32>,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            key,
            link: Link::new(now, config),
            socket,
            requests,
            news,
        }
    }

    /// Runs until the connection ends or `token` is cancelled, whatever it waits for.
    pub(super) async fn run(mut self, received: BytesMut, token: CancellationToken) {
        let (link, news) = (self.key, self.news.clone());
        let work = async {
            if let Err(end) = self.work(received).await {
                let what = What::Ended(end);
                // A fetch that is over needs no news.
                let _ = news.send(News { link, what }).await;
            }
        };
        tokio::select! {
            () = token.cancelled() => {}
            () = work => {}
        }
    }

    /// Runs until the fetch has no use for the connection.
    async fn work(&mut self, mut received: BytesMut) -> Result<(), LinkEnd> {
        loop {
            let outcome = self.link.handle_bytes(Instant::now(), &mut received);
            // What came before a broken rule may be of use.
            let facts = self.link.take_facts();
            if !facts.is_empty() {
                let (link, what) = (self.key, What::Facts(facts));
                if self.news.send(News { link, what }).await.is_err() {
                    return Ok(());
                }
            }
            outcome?;
            self.link.handle_timeout(Instant::now())?;
            self.flush().await?;
            if self.link.has_more() {
                tokio::task::yield_now().await;
                continue;
            }
            let may_read = !self.link.is_paused();
            if may_read {
                received.reserve(self.link.missing().max(READ_STEP));
            }
            let until = self.link.poll_timeout();
            let timer = async move {
                match until {
                    Some(until) => sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(block) => self.link.request(block),
                    None => return Ok(()),
                },
                count = self.socket.stream.read_buf(&mut received), if may_read => {
                    if count? == 0 {
                        return Err(LinkEnd::HungUp);
                    }
                }
                () = timer => {}
            }
        }
    }

    async fn flush(&mut self) -> Result<(), LinkEnd> {
        let out = self.link.take_out(Instant::now());
        if out.is_empty() {
            return Ok(());
        }
        let written = timeout(WRITE_WITHIN, self.socket.stream.write_all(&out)).await;
        Ok(written.map_err(|_| LinkEnd::Stuck)??)
    }
}
