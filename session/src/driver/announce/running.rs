//! Announces: asks the schedule what is due, and the client to send it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tailwater_tracker::{
    AcceptedEncryption, Announce, AnnounceRequest, AnnounceResponse, AnnounceSchedule,
    ScheduleConfig, TrackerError, TrackerState as State,
};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout_at};

use super::control::Known;
use super::{AnnounceControl, Announcer, Tally, TrackerStatus};
use crate::driver::announce::status::TrackerState;
use crate::driver::message::TorrentMessage;
use crate::encryption::Encryption;
use crate::events::Event;
use crate::transport::Tie;
use crate::words::count;

pub use tailwater_tracker::MAX_TRACKERS;
pub(crate) use tailwater_tracker::{Client, ClientConfig};

/// The time limit for the `stopped` announces of a torrent that closes.
const FAREWELL: Duration = Duration::from_millis(1_200);
/// The part of it that a `completed` under way may take before `stopped` is sent.
const COMPLETED_WITHIN: Duration = Duration::from_millis(500);
/// The port that is announced where no connections are accepted: trackers refuse 0, and nothing listens on this one.
const PORT_OF_NONE: u16 = 1;
/// A torrent that still wants data and has fewer peers than this asks earlier than its tracker's interval says.
const FEW_PEERS: usize = 2;

impl Tally {
    fn of(schedule: &AnnounceSchedule) -> Self {
        let mut tally = Self::default();
        for tracker in schedule.trackers() {
            let has_failed = matches!(tracker.state, State::Failing | State::Disabled);
            tally.trackers += 1;
            tally.asked += usize::from(tracker.state != State::Idle);
            tally.answered += usize::from(tracker.state == State::Working);
            tally.failed += usize::from(has_failed);
        }
        tally
    }
}

/// The number of peers that each tracker named last.
type Named = std::collections::HashMap<Arc<str>, usize>;

impl AnnounceControl {
    /// Publishes the state of the trackers.
    fn show(&self, schedule: &AnnounceSchedule, peers: impl Fn(&str) -> Option<usize>) {
        let known = schedule.trackers().map(|tracker| Known {
            status: TrackerStatus {
                url: tracker.url.to_owned(),
                tier: tracker.tier,
                state: match tracker.state {
                    State::Idle => TrackerState::Idle,
                    State::Announcing => TrackerState::Announcing,
                    State::Working => TrackerState::Working,
                    State::Failing => TrackerState::Failing,
                    State::Disabled => TrackerState::Disabled,
                },
                failures: tracker.failures,
                last_error: tracker.last_error.map(ToString::to_string),
                warning: tracker.warning.map(ToOwned::to_owned),
                seeders: tracker.seeders,
                leechers: tracker.leechers,
                peers: peers(tracker.url),
                last_announce: None,
                next_announce: None,
            },
            last_announce: tracker.last_announce,
            next_announce: tracker.next_announce,
        });
        self.states.send_replace(known.collect());
    }
}

type Outcome = (Announce, Result<AnnounceResponse, TrackerError>);

/// Announces that are not answered yet.
#[derive(Default)]
struct UnderWay {
    outcomes: JoinSet<Outcome>,
    /// How many of them are a `completed`.
    completing: usize,
}

impl UnderWay {
    fn spawn(&mut self, client: Client, tie: Tie, announce: Announce, request: AnnounceRequest) {
        self.completing += usize::from(announce.event == Some(tailwater_tracker::Event::Completed));
        self.outcomes.spawn(async move {
            let outcome = tokio::select! {
                outcome = client.announce(&announce.url, &request) => outcome,
                () = tie.lost() => Err(lost()),
            };
            (announce, outcome)
        });
    }

    /// The next outcome; `None` at once if nothing is under way, or if its task has panicked, which it has said.
    async fn next(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.join_next().await?.ok()?;
        let has_completed = outcome.0.event == Some(tailwater_tracker::Event::Completed);
        self.completing = self.completing.saturating_sub(usize::from(has_completed));
        Some(outcome)
    }
}

impl Announcer {
    /// Announces until the torrent closes, then sends `stopped`.
    pub(crate) async fn run(mut self) {
        let stats = self.context.status.borrow_and_update().stats;
        let mut complete = stats.bytes_left == 0;
        let mut config = ScheduleConfig::default();
        config.seed = self.context.seed;
        config.all_tiers = self.all_tiers;
        config.one_tracker = self.one_tracker;
        let tiers = self.control.tiers.borrow_and_update().clone();
        let mut schedule = AnnounceSchedule::new(Instant::now(), &tiers, complete, config);
        let mut under_way = UnderWay::default();
        let mut named = Named::new();
        let mut is_news = true;
        let mut link = self.context.link.clone();
        loop {
            is_news |= self.start_due(&mut schedule, &mut under_way);
            let wake = schedule.poll_timeout();
            self.tell(Tally::of(&schedule));
            if std::mem::take(&mut is_news) {
                let peers = |url: &str| named.get(url).copied();
                self.control.show(&schedule, peers);
            }
            tokio::select! {
                () = self.context.closing.cancelled() => break,
                () = link.changed() => schedule.handle_network_change(Instant::now()),
                Some(outcome) = under_way.next() => {
                    is_news = true;
                    if let (announce, Ok(response)) = &outcome {
                        named.insert(Arc::clone(&announce.url), response.peers.len());
                    }
                    // In a box, as what is seldom needed: each torrent has room for what is not.
                    Box::pin(self.conclude(&mut schedule, outcome)).await;
                }
                // When all handles are gone, no more changes come.
                Ok(()) = self.control.tiers.changed() => {
                    is_news = true;
                    let tiers = self.control.tiers.borrow_and_update().clone();
                    named.retain(|url, _| tiers.iter().flatten().any(|kept| **kept == **url));
                    schedule.set_trackers(Instant::now(), &tiers);
                }
                Ok(()) = self.control.hurries.changed() => {
                    is_news = true;
                    schedule.handle_need_peers(Instant::now());
                }
                changed = self.context.status.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let stats = self.context.status.borrow_and_update().stats;
                    let now_complete = stats.bytes_left == 0 && stats.pieces_total > 0;
                    if now_complete && !std::mem::replace(&mut complete, now_complete) {
                        schedule.handle_completed(Instant::now());
                    }
                    if !now_complete && stats.promising_peers() < FEW_PEERS {
                        schedule.handle_need_peers(Instant::now());
                    }
                }
                // Without a network, what is due waits.
                () = at(wake), if link.is_up() => {}
            }
        }
        Box::pin(self.say_goodbye(schedule, under_way)).await;
    }

    fn tell(&self, tally: Tally) {
        self.tally
            .send_if_modified(|told| std::mem::replace(told, tally) != tally);
    }

    /// Makes the announces that are due; says whether there were any.
    fn start_due(&self, schedule: &mut AnnounceSchedule, under_way: &mut UnderWay) -> bool {
        let mut were_due = false;
        let Ok(tie) = self.context.link.tie() else {
            return false;
        };
        while let Some(announce) = schedule.poll_announce(Instant::now()) {
            let request = self.request(&announce);
            under_way.spawn(self.client.clone(), tie.clone(), announce, request);
            were_due = true;
        }
        were_due
    }

    fn request(&self, announce: &Announce) -> AnnounceRequest {
        let stats = self.context.status.borrow().stats;
        let port = self.context.port.outside().unwrap_or(PORT_OF_NONE);
        let mut request = AnnounceRequest::new(self.context.name, self.context.peer_id, port);
        request.uploaded = stats.uploaded;
        request.downloaded = stats.downloaded;
        request.left = match self.wants_nothing {
            true => stats.bytes_total.saturating_sub(stats.bytes_have),
            false => stats.bytes_left,
        };
        request.key = Some(u32::from_be_bytes(
            self.context.seed.to_be_bytes()[..4]
                .try_into()
                .unwrap_or_default(),
        ));
        request.encryption = match self.context.handshakes.encryption() {
            Encryption::Off => None,
            Encryption::Allow | Encryption::Prefer => Some(AcceptedEncryption::Supported),
            Encryption::Require => Some(AcceptedEncryption::Required),
        };
        announce.apply_to(&mut request);
        request
    }

    async fn conclude(&self, schedule: &mut AnnounceSchedule, (announce, outcome): Outcome) {
        let now = Instant::now();
        let tracker = Arc::clone(&announce.url);
        match outcome {
            Ok(response) => {
                schedule.handle_response(now, announce.id, &response);
                tracing::info!(
                    "tracker {tracker} named {}, and wants to be asked again in {} s",
                    count(response.peers.len(), "peer"),
                    response.interval.as_secs()
                );
                self.context.events.send(Event::TrackerAnswered {
                    info_hash: self.context.info_hash,
                    tracker: tracker.to_string(),
                    peers: response.peers.len(),
                    seeders: response.seeders,
                    leechers: response.leechers,
                    interval: response.interval,
                    next_announce: next_announce(schedule, now),
                    warning: response.warning.clone(),
                });
                self.pass_on(&announce, response).await;
            }
            Err(error) => {
                schedule.handle_failure(now, announce.id, &error);
                tracing::debug!("tracker {tracker} did not answer: {error}");
                self.context.events.send(Event::TrackerFailed {
                    info_hash: self.context.info_hash,
                    tracker: tracker.to_string(),
                    error: error.to_string(),
                    next_announce: next_announce(schedule, now),
                });
            }
        }
    }

    /// Tells the torrent what a tracker has told us. A torrent that is gone needs none of it.
    async fn pass_on(&self, announce: &Announce, response: AnnounceResponse) {
        if let Some(ip) = response.external_ip {
            let _ = self
                .context
                .messages
                .send(TorrentMessage::ExternalIp(ip))
                .await;
        }
        // Trackers that are no longer in use get `completed` too; and a complete torrent dials no peers.
        if announce.event != Some(tailwater_tracker::Event::Completed) {
            let tracker = Arc::clone(&announce.url);
            let message =
                TorrentMessage::TrackerPeers(tracker, response.tracker_ip, response.peers);
            let _ = self.context.messages.send(message).await;
        }
    }

    /// Sends `stopped` to every tracker that knows us, within a deadline: none may hold up the shutdown.
    async fn say_goodbye(&self, mut schedule: AnnounceSchedule, mut under_way: UnderWay) {
        let deadline = tokio::time::Instant::now() + FAREWELL;
        // A tracker that gets `completed` after `stopped`, on another connection, takes us for a seeder that is still
        // there.
        let patience = tokio::time::Instant::now() + COMPLETED_WITHIN;
        while under_way.completing > 0
            && let Ok(Some(outcome)) = timeout_at(patience, under_way.next()).await
        {
            settle(&mut schedule, &outcome);
        }
        schedule.handle_stop(Instant::now());
        loop {
            self.start_due(&mut schedule, &mut under_way);
            if schedule.is_stopped() {
                break;
            }
            let Ok(Some(outcome)) = timeout_at(deadline, under_way.next()).await else {
                break;
            };
            settle(&mut schedule, &outcome);
        }
        under_way.outcomes.shutdown().await;
    }
}

/// When a tracker is asked next.
fn next_announce(schedule: &AnnounceSchedule, now: Instant) -> Option<Duration> {
    let next = schedule.poll_timeout()?;
    Some(next.saturating_duration_since(now))
}

fn settle(schedule: &mut AnnounceSchedule, (announce, outcome): &Outcome) {
    let now = Instant::now();
    match outcome {
        Ok(response) => schedule.handle_response(now, announce.id, response),
        Err(error) => schedule.handle_failure(now, announce.id, error),
    }
}

fn lost() -> TrackerError {
    TrackerError::Io {
        operation: "ask the tracker",
        kind: std::io::ErrorKind::ConnectionAborted,
        message: "the network interface is gone".to_owned(),
    }
}

async fn at(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tailwater_tracker::{Server, ServerConfig};

    use tailwater_metainfo::{InfoHash, PeerId};
    use tokio::sync::{mpsc, watch};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::driver::announce::control;
    use crate::driver::discovery::nat::PortMapStatus;
    use crate::driver::discovery::own_port::OwnPort;
    use crate::driver::handshake::HandshakeSettings;
    use crate::driver::swarm::SwarmContext;
    use crate::events::EventSender;
    use crate::status::Status;
    use crate::transport::Uplink;

    /// The torrent judges by it which of the peers this tracker can know.
    #[tokio::test]
    async fn the_torrent_is_told_where_the_tracker_is() {
        let tracker = IpAddr::from([127, 0, 0, 2]);
        let mut config = ServerConfig::default();
        config.http = Some((tracker, 0).into());
        let server = Server::bind(config).await.unwrap();
        let url = format!("http://{}/announce", server.http_addr().unwrap());
        let (messages, mut heard) = mpsc::channel(8);
        let (_status_in, status) = watch::channel(Status::default());
        let closing = CancellationToken::new();
        let announcer = Announcer {
            wants_nothing: false,
            client: Client::new(ClientConfig::default()),
            control: control(vec![vec![url]]).1,
            all_tiers: false,
            one_tracker: false,
            context: SwarmContext {
                info_hash: InfoHash::new([1; 20]),
                hashes: InfoHash::new([1; 20]).into(),
                name: InfoHash::new([1; 20]),
                peer_id: PeerId::new([2; 20]),
                port: OwnPort::new(Some(6881), watch::channel(PortMapStatus::default()).1),
                handshakes: HandshakeSettings::default(),
                seed: 1,
                status,
                messages,
                events: EventSender::new(),
                link: Uplink::default(),
                closing: closing.clone(),
            },
            tally: watch::channel(Tally::default()).0,
        };
        let telling = async {
            loop {
                if let Some(TorrentMessage::TrackerPeers(_, namer, _)) = heard.recv().await {
                    closing.cancel();
                    return namer;
                }
            }
        };
        let ((), namer) = tokio::join!(announcer.run(), telling);
        assert_eq!(namer, Some(tracker));
        server.close().await;
    }
}
