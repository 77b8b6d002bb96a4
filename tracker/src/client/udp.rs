//! Requests over UDP.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tailwater_http::UrlTrust;
use tailwater_types::InfoHash;
use tailwater_types::address::Scope;
use url::Url;

use super::config::ClientConfig;
use super::route::{Socket, UdpRelay, UdpRoute, UdpTarget};
use crate::announce::{AnnounceRequest, AnnounceResponse, MAX_PEERS};
use crate::driver::{now, random_u64};
use crate::error::TrackerError;
use crate::scrape::ScrapeResponse;
use crate::udp::{Connection, Exchange, Family, MAX_PACKET_LEN, Reply, Request, Response};

/// How many sockets are kept for the minute in which their connection ids are good.
const MAX_IDLE: usize = 32;
/// How long a tracker that only the relay can resolve may take, before it is asked again (BEP 15).
const FIRST_TIMEOUT: Duration = Duration::from_secs(15);
/// How much longer an announce that one address family has answered waits for the other.
const FAMILY_GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
enum Question<'a> {
    Announce(&'a AnnounceRequest),
    Scrape(&'a [InfoHash]),
}

/// A socket and the connection id that a tracker gave to its address. Trackers may bind ids to
/// ports, so they are used together or not at all.
#[derive(Debug)]
struct Idle {
    socket: Socket,
    connection: Connection,
}

#[derive(Debug)]
pub(super) struct Udp {
    config: Arc<ClientConfig>,
    idle: Mutex<HashMap<SocketAddr, Idle>>,
}

impl Udp {
    pub(super) fn new(config: Arc<ClientConfig>) -> Self {
        Self {
            config,
            idle: Mutex::default(),
        }
    }

    /// Closes the sockets that no request uses.
    pub(super) fn disconnect(&self) {
        self.idle.lock().clear();
    }

    /// Announces to one address of each family (BEP 7, BEP 15) and joins the answers.
    pub(super) async fn announce(
        &self,
        url: &Url,
        request: &AnnounceRequest,
        trust: UrlTrust,
    ) -> Result<AnnounceResponse, TrackerError> {
        let announced = async |address: SocketAddr| match self
            .ask(url, address, Question::Announce(request))
            .await?
        {
            Reply::Announce(mut response) => {
                response.tracker_ip = Some(address.ip().to_canonical());
                Ok(response)
            }
            Reply::Scrape(_) => Err(mismatch()),
        };
        self.in_time(async {
            match self.addresses(url, trust).await? {
                (Some(v4), Some(v6)) => both(announced(v4), announced(v6)).await,
                (Some(only), None) | (None, Some(only)) => announced(only).await,
                (None, None) => Err(no_address()),
            }
        })
        .await
    }

    /// Scrapes by the first family that answers.
    pub(super) async fn scrape(
        &self,
        url: &Url,
        info_hashes: &[InfoHash],
        trust: UrlTrust,
    ) -> Result<ScrapeResponse, TrackerError> {
        self.in_time(async {
            let (v4, v6) = self.addresses(url, trust).await?;
            let mut outcome = Err(no_address());
            for address in [v4, v6].into_iter().flatten() {
                outcome = match self.ask(url, address, Question::Scrape(info_hashes)).await {
                    Ok(Reply::Scrape(response)) => return Ok(response),
                    Ok(Reply::Announce(_)) => Err(mismatch()),
                    Err(error) => Err(error),
                };
            }
            outcome
        })
        .await
    }

    async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, TrackerError>>,
    ) -> Result<T, TrackerError> {
        let after = self.config.udp_timeout;
        tokio::time::timeout(after, asking)
            .await
            .unwrap_or(Err(TrackerError::Timeout { after }))
    }

    /// The first allowed address of each family.
    async fn addresses(
        &self,
        url: &Url,
        trust: UrlTrust,
    ) -> Result<(Option<SocketAddr>, Option<SocketAddr>), TrackerError> {
        let invalid = |reason: &str| TrackerError::InvalidUrl {
            reason: reason.to_owned(),
        };
        let host = url.host_str().ok_or_else(|| invalid("no host"))?;
        let port = url.port().ok_or_else(|| invalid("no port"))?;
        let host = host.trim_matches(['[', ']']);
        if let Some(interface) = &self.config.interface {
            // Without it, not even a name is looked up.
            let missing = |error| TrackerError::io("open a UDP socket", &error);
            interface.device().map_err(missing)?;
        }
        let policy = &self.config.address_policy;
        let addresses = match &self.config.udp_route {
            UdpRoute::Off => return Err(TrackerError::NoUdp),
            // The relay resolves a name; the policy judges what comes of it.
            UdpRoute::Relay(relay) if host.parse::<IpAddr>().is_err() => {
                let found = locate(&**relay, host, port).await?;
                policy.resolve(&found.ip().to_string(), port, trust).await?
            }
            _ => policy.resolve(host, port, trust).await?,
        };
        let first = |family| {
            addresses
                .iter()
                .copied()
                .find(|address| Family::of(*address) == family)
        };
        Ok((first(Family::V4), first(Family::V6)))
    }

    async fn ask(
        &self,
        url: &Url,
        remote: SocketAddr,
        question: Question<'_>,
    ) -> Result<Reply, TrackerError> {
        let (mut socket, connection) = match self.take_idle(remote) {
            Some(idle) => (idle.socket, Some(idle.connection)),
            None => {
                let interface = self.config.interface.as_ref();
                (
                    Socket::open(&self.config.udp_route, remote, interface).await?,
                    None,
                )
            }
        };
        let seed = random_u64();
        let mut exchange = match question {
            Question::Announce(request) => {
                let url_data = match url.query() {
                    Some(query) => format!("{}?{query}", url.path()),
                    None => url.path().to_owned(),
                };
                Exchange::announce(now(), remote, request.clone(), &url_data, connection, seed)?
            }
            Question::Scrape(info_hashes) => {
                Exchange::scrape(now(), remote, info_hashes, connection, seed)?
            }
        };
        let reply = run(&mut socket, &mut exchange).await?;
        if let Some(connection) = exchange.connection() {
            self.keep(remote, Idle { socket, connection });
        }
        Ok(reply)
    }

    fn take_idle(&self, remote: SocketAddr) -> Option<Idle> {
        let mut idle = self.idle.lock();
        forget_expired(&mut idle, now());
        idle.remove(&remote)
    }

    fn keep(&self, remote: SocketAddr, kept: Idle) {
        let mut idle = self.idle.lock();
        forget_expired(&mut idle, now());
        if idle.len() < MAX_IDLE {
            idle.insert(remote, kept);
        }
    }
}

fn forget_expired(idle: &mut HashMap<SocketAddr, Idle>, now: Instant) {
    idle.retain(|_, kept| kept.connection.is_valid(now));
}

async fn run(socket: &mut Socket, exchange: &mut Exchange) -> Result<Reply, TrackerError> {
    let mut packet = vec![0; MAX_PACKET_LEN];
    loop {
        while let Some(transmit) = exchange.poll_transmit() {
            let sent = socket.send(&transmit.payload).await;
            sent.map_err(|error| TrackerError::io("send to the tracker", &error))?;
        }
        if let Some(outcome) = exchange.poll_outcome() {
            return outcome;
        }
        let deadline = exchange.poll_timeout().unwrap_or_else(now);
        tokio::select! {
            received = socket.receive(&mut packet) => {
                let (len, from) = received.map_err(|error| TrackerError::io("receive from the tracker", &error))?;
                exchange.handle_datagram(now(), from, &packet[..len]);
            }
            () = tokio::time::sleep_until(deadline.into()) => exchange.handle_timeout(now()),
        }
    }
}

/// The address of a tracker that only the relay can resolve: the one that a connect request is answered from.
async fn locate(relay: &dyn UdpRelay, host: &str, port: u16) -> Result<SocketAddr, TrackerError> {
    let mut conversation = relay.open().ok_or(TrackerError::NoUdp)?;
    let mut pause = FIRST_TIMEOUT;
    loop {
        let [.., a, b, c, d] = random_u64().to_be_bytes();
        let transaction_id = u32::from_be_bytes([a, b, c, d]);
        let request = Request::Connect.encode(transaction_id);
        conversation.send(UdpTarget::Name(host, port), &request);
        let answered = async {
            loop {
                let (from, response) =
                    poll_fn(|context| conversation.poll_receive(context)).await?;
                if Response::transaction_id(&response) == Some(transaction_id) {
                    return Ok(from);
                }
            }
        };
        match tokio::time::timeout(pause, answered).await {
            Ok(answered) => {
                let failed = |error: io::Error| TrackerError::io("ask through the proxy", &error);
                return answered.map_err(failed);
            }
            // The caller gives up in time.
            Err(_) => pause *= 2,
        }
    }
}

/// Joins the answers of two address families. The first one does not wait long for the second.
async fn both(
    v4: impl Future<Output = Result<AnnounceResponse, TrackerError>>,
    v6: impl Future<Output = Result<AnnounceResponse, TrackerError>>,
) -> Result<AnnounceResponse, TrackerError> {
    tokio::pin!(v4, v6);
    let (first, second) = tokio::select! {
        first = &mut v4 => match first {
            Ok(_) => (first, tokio::time::timeout(FAMILY_GRACE, v6).await.ok()),
            Err(_) => (first, Some(v6.await)),
        },
        first = &mut v6 => match first {
            Ok(_) => (first, tokio::time::timeout(FAMILY_GRACE, v4).await.ok()),
            Err(_) => (first, Some(v4.await)),
        },
    };
    match (first, second) {
        (Ok(first), Some(Ok(second))) => Ok(join(first, second)),
        (Ok(only), _) | (Err(_), Some(Ok(only))) => Ok(only),
        (Err(error), _) => Err(error),
    }
}

fn join(mut first: AnnounceResponse, second: AnnounceResponse) -> AnnounceResponse {
    first.interval = first.interval.max(second.interval);
    first.seeders = first.seeders.max(second.seeders);
    first.leechers = first.leechers.max(second.leechers);
    // The address that is farther away can see less.
    first.tracker_ip = first
        .tracker_ip
        .into_iter()
        .chain(second.tracker_ip)
        .min_by_key(|ip| Scope::of(*ip));
    let room = MAX_PEERS.saturating_sub(first.peers.len());
    first.peers.extend(second.peers.into_iter().take(room));
    first
}

fn mismatch() -> TrackerError {
    TrackerError::malformed("an answer to another question")
}

fn no_address() -> TrackerError {
    TrackerError::InvalidUrl {
        reason: "the host has no address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn answer(seconds: u64, peer: &str) -> AnnounceResponse {
        let mut response = AnnounceResponse::new(Duration::from_secs(seconds));
        response.peers = vec![peer.parse().unwrap()];
        response
    }

    fn refused(reason: &str) -> TrackerError {
        TrackerError::Refused {
            reason: reason.to_owned(),
            retry_in: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_families_answer_as_one() {
        let (mut v4, mut v6) = (answer(60, "10.0.0.1:1"), answer(90, "[2001:db8::1]:1"));
        (v4.tracker_ip, v6.tracker_ip) = ("127.0.0.1".parse().ok(), "2001:db8::9".parse().ok());
        let joined = both(ready(Ok(v4.clone())), ready(Ok(v6.clone())))
            .await
            .unwrap();
        assert_eq!(
            (joined.interval, joined.peers.len()),
            (Duration::from_secs(90), 2)
        );
        // The peers of both are judged as if the one that sees less had named them.
        assert_eq!(joined.tracker_ip, v6.tracker_ip);

        let no = || ready(Err(refused("no")));
        assert_eq!(both(no(), ready(Ok(v6.clone()))).await, Ok(v6.clone()));
        assert_eq!(both(ready(Ok(v4.clone())), no()).await, Ok(v4.clone()));
        assert!(both(no(), no()).await.is_err());

        // A family that leads nowhere costs the grace, not the deadline.
        let before = now();
        assert_eq!(both(pending(), ready(Ok(v6.clone()))).await, Ok(v6));
        assert_eq!(both(ready(Ok(v4.clone())), pending()).await, Ok(v4));
        assert_eq!(now() - before, 2 * FAMILY_GRACE);
    }

    #[test]
    fn joined_peers_stay_within_the_limit() {
        let mut many = answer(60, "10.0.0.1:1");
        many.peers = vec!["10.0.0.1:1".parse().unwrap(); MAX_PEERS];
        assert_eq!(join(many.clone(), many).peers.len(), MAX_PEERS);
    }
}
