//! An exchange with a UDP tracker: one request, from connecting to its answer (BEP 15).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_types::InfoHash;

use super::options::MAX_URL_DATA_LEN;
use super::packet::{Family, Request, Response};
use crate::announce::{AnnounceRequest, AnnounceResponse};
use crate::error::TrackerError;
use crate::scrape::{MAX_SCRAPE_HASHES, ScrapeResponse};

/// How long a client may use a connection id after receiving it (BEP 15).
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);

/// How often a packet is repeated before the tracker counts as dead (BEP 15: n up to 8).
pub const MAX_RETRANSMISSIONS: u32 = 8;

// BEP 15: 15·2ⁿ seconds, so the first repetition comes after 15 s.
const FIRST_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection id that a tracker gave out to one local address, to be used again for a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    id: u64,
    expires: Instant,
}

impl Connection {
    /// Whether the id may still be used.
    #[must_use]
    pub fn is_valid(&self, now: Instant) -> bool {
        now < self.expires
    }
}

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The tracker's address.
    pub to: SocketAddr,
    /// The whole datagram.
    pub payload: Vec<u8>,
}

/// The response to an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Exchange::announce`].
    Announce(AnnounceResponse),
    /// To [`Exchange::scrape`].
    Scrape(ScrapeResponse),
}

#[derive(Debug)]
enum Question {
    Announce {
        request: Box<AnnounceRequest>,
        url_data: Vec<u8>,
    },
    Scrape(Vec<InfoHash>),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connecting,
    Asking(Connection),
    Done,
}

/// One announce or scrape over UDP: a state machine without a socket.
///
/// ```text
///               connection id                   answer or error
///  Connecting ----------------> Asking ----------------------------> Done
///    |    ^                       |                                   ^
///    |    +-----------------------+                                   |
///    |      the id expired, or an older one did not work              |
///    +----------------------------------------------------------------+
///                error, or nine packets without an answer
/// ```
///
/// Packets are repeated after 15·2ⁿ seconds. Datagrams of other senders or with another
/// transaction id are ignored. A connection id taken over from an earlier exchange that the
/// tracker does not honour any more, by an error or by silence, is replaced by a new one.
#[derive(Debug)]
pub struct Exchange {
    remote: SocketAddr,
    question: Question,
    step: Step,
    connection: Option<Connection>,
    /// The connection id comes from an earlier exchange.
    inherited: bool,
    rng: fastrand::Rng,
    transaction_id: u32,
    retransmissions: u32,
    deadline: Option<Instant>,
    transmit: bool,
    outcome: Option<Result<Reply, TrackerError>>,
}

impl Exchange {
    /// An announce.
    ///
    /// `url_data` is the path and query of the tracker's URL (BEP 41). `connection` is what
    /// [`connection`](Self::connection) returned after an earlier exchange with `remote` from the
    /// same local address. `seed` makes the transaction ids, by which answers are recognised: it
    /// must not be guessable.
    ///
    /// # Errors
    ///
    /// [`TrackerError::InvalidUrl`] if `url_data` exceeds [`MAX_URL_DATA_LEN`].
    pub fn announce(
        now: Instant,
        remote: SocketAddr,
        request: AnnounceRequest,
        url_data: &str,
        connection: Option<Connection>,
        seed: u64,
    ) -> Result<Self, TrackerError> {
        if url_data.len() > MAX_URL_DATA_LEN {
            let reason = format!("path and query exceed {MAX_URL_DATA_LEN} bytes");
            return Err(TrackerError::InvalidUrl { reason });
        }
        let url_data = url_data.as_bytes().to_vec();
        let question = Question::Announce {
            request: Box::new(request),
            url_data,
        };
        Ok(Self::new(now, remote, question, connection, seed))
    }

    /// A scrape of up to [`MAX_SCRAPE_HASHES`] torrents. For the rest see
    /// [`announce`](Self::announce).
    ///
    /// # Errors
    ///
    /// [`TrackerError::TooManyHashes`].
    pub fn scrape(
        now: Instant,
        remote: SocketAddr,
        info_hashes: &[InfoHash],
        connection: Option<Connection>,
        seed: u64,
    ) -> Result<Self, TrackerError> {
        let (count, limit) = (info_hashes.len(), MAX_SCRAPE_HASHES);
        if count > limit {
            return Err(TrackerError::TooManyHashes { count, limit });
        }
        let question = Question::Scrape(info_hashes.to_vec());
        Ok(Self::new(now, remote, question, connection, seed))
    }

    fn new(
        now: Instant,
        remote: SocketAddr,
        question: Question,
        connection: Option<Connection>,
        seed: u64,
    ) -> Self {
        let connection = connection.filter(|connection| connection.is_valid(now));
        let mut exchange = Self {
            remote,
            question,
            step: Step::Done,
            connection: None,
            inherited: connection.is_some(),
            rng: fastrand::Rng::with_seed(seed),
            transaction_id: 0,
            retransmissions: 0,
            deadline: None,
            transmit: false,
            outcome: None,
        };
        exchange.enter(now, connection.map_or(Step::Connecting, Step::Asking));
        exchange
    }

    /// A datagram arrived from `from`.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let expected = Response::transaction_id(datagram) == Some(self.transaction_id);
        if matches!(self.step, Step::Done) || !same_address(from, self.remote) || !expected {
            return;
        }
        let response = match Response::parse(datagram, Family::of(self.remote)) {
            Ok((_, response)) => response,
            Err(error) => return self.finish(Err(error)),
        };
        match (response, self.step, &self.question) {
            (Response::Error(_), Step::Asking(_), _) if self.inherited => self.reconnect(now),
            (Response::Error(reason), _, _) => {
                self.finish(Err(TrackerError::Refused {
                    reason,
                    retry_in: None,
                }));
            }
            (Response::Connect { connection_id }, Step::Connecting, _) => {
                let expires = now + CONNECTION_LIFETIME;
                self.retransmissions = 0;
                self.enter(
                    now,
                    Step::Asking(Connection {
                        id: connection_id,
                        expires,
                    }),
                );
            }
            (Response::Announce(response), Step::Asking(_), Question::Announce { .. }) => {
                self.finish(Ok(Reply::Announce(response)));
            }
            (Response::Scrape(stats), Step::Asking(_), Question::Scrape(hashes)) => {
                let torrents = hashes.iter().copied().zip(stats).collect();
                self.finish(Ok(Reply::Scrape(ScrapeResponse::new(torrents))));
            }
            // BEP 15: the action is checked. The right answer may still come.
            _ => {}
        }
    }

    /// Time passed: repeats the packet if its answer is overdue.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        if self.retransmissions >= MAX_RETRANSMISSIONS {
            let after = timeout(self.retransmissions);
            return self.finish(Err(TrackerError::Timeout { after }));
        }
        self.retransmissions += 1;
        match self.step {
            Step::Asking(connection) if self.inherited || !connection.is_valid(now) => {
                self.reconnect(now);
            }
            _ => self.send(now),
        }
    }

    /// Takes the packet to be sent now.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if !std::mem::take(&mut self.transmit) {
            return None;
        }
        let request = match (self.step, &self.question) {
            (Step::Done, _) => return None,
            (Step::Connecting, _) => Request::Connect,
            (Step::Asking(connection), Question::Announce { request, url_data }) => {
                Request::Announce {
                    connection_id: connection.id,
                    request: self.fit(request),
                    url_data: url_data.clone(),
                }
            }
            (Step::Asking(connection), Question::Scrape(hashes)) => Request::Scrape {
                connection_id: connection.id,
                info_hashes: hashes.clone(),
            },
        };
        Some(Transmit {
            to: self.remote,
            payload: request.encode(self.transaction_id),
        })
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes the outcome, once there is one.
    #[must_use]
    pub fn poll_outcome(&mut self) -> Option<Result<Reply, TrackerError>> {
        self.outcome.take()
    }

    /// The connection id that the tracker gave last, for the next exchange with it.
    #[must_use]
    pub const fn connection(&self) -> Option<Connection> {
        self.connection
    }

    /// BEP 15: the address field cannot be used over IPv6 and has to be 0 there.
    fn fit(&self, request: &AnnounceRequest) -> AnnounceRequest {
        let mut request = request.clone();
        if Family::of(self.remote) == Family::V6 {
            request.ipv4 = None;
        }
        request
    }

    fn reconnect(&mut self, now: Instant) {
        self.inherited = false;
        self.enter(now, Step::Connecting);
    }

    fn enter(&mut self, now: Instant, step: Step) {
        self.step = step;
        self.connection = match step {
            Step::Asking(connection) => Some(connection),
            Step::Connecting | Step::Done => None,
        };
        self.transaction_id = self.rng.u32(..);
        self.send(now);
    }

    fn send(&mut self, now: Instant) {
        self.transmit = true;
        self.deadline = Some(now + timeout(self.retransmissions));
    }

    fn finish(&mut self, outcome: Result<Reply, TrackerError>) {
        self.step = Step::Done;
        self.deadline = None;
        self.outcome = Some(outcome);
    }
}

/// BEP 15: 15·2ⁿ seconds.
fn timeout(retransmissions: u32) -> Duration {
    FIRST_TIMEOUT * (1 << retransmissions.min(MAX_RETRANSMISSIONS))
}

fn same_address(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip().to_canonical() == b.ip().to_canonical() && a.port() == b.port()
}
