//! The tracker without its sockets: turns requests into answers.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_types::InfoHash;

use super::ServerStats;
use super::config::ServerConfig;
use super::cookie::Cookies;
use super::swarm::Swarms;
use crate::http::{self, PeerFormat};
use crate::scrape::ScrapeStats;
use crate::udp::{Family, Request, Response};

/// The body of the answer for an unknown path.
const NOT_FOUND: &[u8] =
    b"not found: this tracker has /announce and /scrape, a page at / and its numbers at /stats\n";

/// An answer over HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Service {
    swarms: Swarms,
    cookies: Cookies,
    min_interval: Duration,
    announces: u64,
    scrapes: u64,
    rejected: u64,
}

impl Service {
    /// `seed` picks peers, `secret` signs connection ids.
    pub(crate) fn new(now: Instant, config: &ServerConfig, seed: u64, secret: [u8; 32]) -> Self {
        Self {
            swarms: Swarms::new(config.interval, config.limits.clone(), seed),
            cookies: Cookies::new(now, secret),
            min_interval: config.min_interval.min(config.interval),
            announces: 0,
            scrapes: 0,
            rejected: 0,
        }
    }

    pub(crate) fn stats(&self) -> ServerStats {
        let (peers, seeders) = (self.swarms.peer_count(), self.swarms.seeder_count());
        ServerStats {
            torrents: self.swarms.torrent_count(),
            peers,
            seeders,
            leechers: peers - seeders,
            announces: self.announces,
            scrapes: self.scrapes,
            rejected: self.rejected,
        }
    }

    /// The first torrents by info-hash with their numbers, at most `most`.
    pub(crate) fn list(&self, most: usize) -> Vec<(InfoHash, ScrapeStats)> {
        self.swarms.list(most)
    }

    /// A GET of `path` with `query`.
    pub(crate) fn handle_http(
        &mut self,
        now: Instant,
        from: IpAddr,
        path: &str,
        query: &str,
    ) -> HttpAnswer {
        self.swarms.handle_timeout(now);
        let answered = match path {
            "/announce" => self.http_announce(now, from, query),
            "/scrape" => self.http_scrape(query),
            _ => {
                self.rejected += 1;
                return HttpAnswer {
                    status: 404,
                    body: NOT_FOUND.to_vec(),
                };
            }
        };
        // A refusal is an answer like any other: clients look for it in a body with status 200.
        let body = answered.unwrap_or_else(|reason| {
            self.rejected += 1;
            http::encode_failure(&reason, None)
        });
        HttpAnswer { status: 200, body }
    }

    fn http_announce(
        &mut self,
        now: Instant,
        from: IpAddr,
        query: &str,
    ) -> Result<Vec<u8>, String> {
        let query = http::parse_announce_query(query).map_err(|error| error.to_string())?;
        let answer = self.swarms.handle_announce(now, from, &query.request, true);
        let mut answer = answer.map_err(|error| error.to_string())?;
        answer.response.min_interval = Some(self.min_interval);
        let format = match (query.compact, query.no_peer_id) {
            (true, _) => PeerFormat::Compact,
            (false, true) => PeerFormat::WithoutIds,
            (false, false) => PeerFormat::WithIds(&answer.peer_ids),
        };
        self.announces += 1;
        Ok(http::encode_announce(&answer.response, format))
    }

    fn http_scrape(&mut self, query: &str) -> Result<Vec<u8>, String> {
        let info_hashes = http::parse_scrape_query(query).map_err(|error| error.to_string())?;
        self.scrapes += 1;
        Ok(http::encode_scrape(&self.swarms.scrape(&info_hashes)))
    }

    /// Handles a datagram. The answer is no longer than it, unless its sender has shown by a connection id that it
    /// receives at its address: so the server cannot be used to flood a forged sender address (amplification).
    pub(crate) fn handle_udp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
    ) -> Option<Vec<u8>> {
        self.swarms.handle_timeout(now);
        let address = from.ip().to_canonical();
        let Ok((transaction_id, request)) = Request::parse(packet) else {
            self.rejected += 1;
            return None;
        };
        let family = Family::of(from);
        let proven = |id| self.cookies.check(now, address, id);
        let (response, proven) = match request {
            Request::Connect => (
                Response::Connect {
                    connection_id: self.cookies.make(now, address),
                },
                false,
            ),
            Request::Announce {
                connection_id,
                request,
                ..
            } if proven(connection_id) => {
                match self.swarms.handle_announce(now, address, &request, false) {
                    Ok(answer) => {
                        self.announces += 1;
                        (Response::Announce(answer.response), true)
                    }
                    Err(full) => {
                        self.rejected += 1;
                        (Response::Error(full.to_string()), true)
                    }
                }
            }
            Request::Scrape {
                connection_id,
                info_hashes,
            } if proven(connection_id) => {
                self.scrapes += 1;
                let known = self.swarms.scrape(&info_hashes);
                // The answer has no hashes, so that each one asked for needs its place.
                let stats = info_hashes
                    .iter()
                    .map(|hash| known.get(hash).unwrap_or_default());
                (Response::Scrape(stats.collect()), true)
            }
            Request::Announce { .. } | Request::Scrape { .. } => {
                self.rejected += 1;
                (Response::Error("unknown connection id".to_owned()), false)
            }
        };
        let answer = response.encode(transaction_id, family);
        (proven || answer.len() <= packet.len()).then_some(answer)
    }
}
