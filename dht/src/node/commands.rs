//! Commands of the owner: lookups, announces, items, pings.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_types::InfoHash;

use super::lookup::{Announce, Job, Lookup, SECOND_FAMILY_TIMEOUT};
use super::queries::Purpose;
use super::{Ending, Event, Family, MAX_LOOKUPS, Node, Report, RequestId};
use crate::address::{canonical, is_usable};
use crate::{Item, ItemKey, Method, NodeId, ScrapeFilters, Want};

/// A command that has not ended.
#[derive(Debug)]
pub(super) struct Request {
    /// Its lookups that have not ended.
    pub(super) parts: usize,
    pub(super) report: Report,
    /// The newest item so far.
    pub(super) best: Option<Item>,
    pub(super) scrape: Option<Box<ScrapeFilters>>,
}

impl Node {
    /// Looks for peers of a torrent: [`Event::Peers`] as they come, then [`Event::Finished`].
    pub fn get_peers(&mut self, now: Instant, info_hash: &InfoHash) -> RequestId {
        let job = Job::Peers {
            announce: None,
            scrape: false,
        };
        self.begin(now, (*info_hash).into(), &job)
    }

    /// Looks for peers of a torrent, and tells the nearest nodes that the owner is one: [`Event::Peers`], then
    /// [`Event::Stored`] for each of those nodes, then [`Event::Finished`]. Announce again after 15 minutes; nodes forget.
    pub fn announce(&mut self, now: Instant, info_hash: &InfoHash, how: Announce) -> RequestId {
        let job = Job::Peers {
            announce: Some(how),
            scrape: false,
        };
        self.begin(now, (*info_hash).into(), &job)
    }

    /// Asks how large a swarm is (BEP 33): [`Event::Peers`] as they come, then [`Event::Finished`] with the estimate.
    pub fn scrape(&mut self, now: Instant, info_hash: &InfoHash) -> RequestId {
        let job = Job::Peers {
            announce: None,
            scrape: true,
        };
        self.begin(now, (*info_hash).into(), &job)
    }

    /// Looks for an item (BEP 44): [`Event::Item`] for each that is newer than the one before, then [`Event::Finished`]. An
    /// immutable item ends the lookup.
    pub fn get(&mut self, now: Instant, key: &ItemKey) -> RequestId {
        self.begin(now, key.target(), &Job::Get { key: *key })
    }

    /// Has an item stored by the nearest nodes (BEP 44): [`Event::Item`] if there is another version, [`Event::Stored`] for
    /// each node, then [`Event::Finished`], with a refusal if there was one. `cas` is the number of the item that this one
    /// is to replace; nodes that have another refuse. Put it again every hour; nodes forget.
    pub fn put(&mut self, now: Instant, item: &Item, cas: Option<i64>) -> RequestId {
        let job = Job::Put {
            item: Box::new(item.clone()),
            cas,
        };
        self.begin(now, item.target(), &job)
    }

    /// Asks the nodes on the way to `target` for torrents that they have peers of (BEP 51): [`Event::Samples`] for each that
    /// answers, then [`Event::Finished`].
    pub fn sample(&mut self, now: Instant, target: &NodeId) -> RequestId {
        self.begin(now, *target, &Job::Sample)
    }

    /// Looks for the nodes nearest to `target`: [`Event::Finished`] names them.
    pub fn find_node(&mut self, now: Instant, target: &NodeId) -> RequestId {
        let want = Want::default();
        self.begin(now, *target, &Job::Find { want })
    }

    /// Asks whether a node is there: [`Event::Pong`] if it is, then [`Event::Finished`].
    pub fn ping(&mut self, now: Instant, addr: SocketAddr) -> RequestId {
        let id = self.request(0);
        let addr = canonical(addr);
        let is_asked =
            is_usable(addr) && self.ask(now, (addr, None), Purpose::Ping(id), Method::Ping);
        if is_asked {
            if let Some(request) = self.requests.get_mut(&id) {
                request.report.asked = 1;
            }
        } else {
            self.end(id, Ending::NoNodes);
        }
        id
    }

    /// Ends a request without another event. Queries in flight still count for the routing table.
    pub fn cancel(&mut self, request: RequestId) {
        self.requests.remove(&request);
        self.lookups
            .retain(|_, lookup| lookup.request != Some(request));
    }

    /// Adds an address that may be a node's: from a `PORT` message, or from a torrent's `nodes`. It is pinged, and
    /// enters the routing table if it answers and there is room. Ignored when too many wait.
    pub fn add_node(&mut self, now: Instant, addr: SocketAddr) {
        let addr = canonical(addr);
        if let Some(side) = self.side_mut(Family::of(&addr))
            && is_usable(addr)
        {
            side.greet(addr, None);
        }
        self.poll_maintain(now);
    }

    /// Adds the address of a bootstrap node, such as one whose name has just been resolved.
    pub fn add_bootstrap(&mut self, now: Instant, addr: SocketAddr) {
        let addr = canonical(addr);
        if let Some(side) = self.side_mut(Family::of(&addr))
            && is_usable(addr)
            && side.add_bootstrap(addr)
            && side.is_lonely()
        {
            side.bootstrap_at = side.bootstrap_at.map(|at| at.min(now));
        }
        self.poll_maintain(now);
    }

    fn begin(&mut self, now: Instant, target: NodeId, job: &Job) -> RequestId {
        let families: Vec<_> = self
            .sides
            .iter()
            .flatten()
            .map(|side| side.family)
            .collect();
        let id = self.request(families.len());
        let of_owner = self
            .lookups
            .values()
            .filter(|lookup| lookup.request.is_some());
        if of_owner.count() + families.len() > MAX_LOOKUPS {
            self.end(id, Ending::Busy);
            return id;
        }
        if families.is_empty() {
            self.end(id, Ending::NoNodes);
        }
        for family in families {
            self.start_lookup(now, family, target, job.clone(), Some(id));
        }
        id
    }

    pub(super) fn start_lookup(
        &mut self,
        now: Instant,
        family: Family,
        target: NodeId,
        job: Job,
        request: Option<RequestId>,
    ) -> u64 {
        let key = self.next_lookup;
        self.next_lookup += 1;
        let mut lookup = Lookup::new(now, family, target, job, request);
        let seeds = self.side(family).map(|side| side.seeds(&target));
        for node in seeds.into_iter().flatten() {
            lookup.nodes.add(node, 0);
        }
        if let Some(request) = request {
            self.look_at_home(request, target, &mut lookup);
        }
        self.lookups.insert(key, lookup);
        self.drive(now, key);
        key
    }

    fn request(&mut self, parts: usize) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let request = Request {
            parts,
            report: Report::default(),
            best: None,
            scrape: None,
        };
        self.requests.insert(id, request);
        id
    }

    pub(super) fn end(&mut self, id: RequestId, ending: Ending) {
        let Some(mut request) = self.requests.remove(&id) else {
            return;
        };
        request.report.ending = ending;
        request.report.scrape = request.scrape.map(|filters| super::Scrape {
            seeds: filters.seeds.estimate(),
            peers: filters.peers.estimate(),
        });
        self.events.push_back(Event::Finished {
            request: id,
            report: Box::new(request.report),
        });
    }

    pub(super) fn finish_ping(&mut self, id: RequestId, took: Duration, is_there: bool) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.report.answered = u32::from(is_there);
            request.report.elapsed = took;
        }
        self.end(id, Ending::Complete);
    }

    /// Merges the outcome of one family's lookup into the request's report.
    pub(super) fn finish_part(&mut self, now: Instant, lookup: &Lookup) {
        let Some(id) = lookup.request else {
            return;
        };
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let report = &mut request.report;
        report.asked += lookup.asked;
        report.answered += lookup.answered;
        report.asked_to_store += lookup.asked_to_store;
        report.stored += lookup.stored;
        report.hops = report.hops.max(lookup.hops());
        report.elapsed = report
            .elapsed
            .max(now.saturating_duration_since(lookup.started));
        let closest = lookup.nodes.closest();
        report
            .closest
            .extend(closest.iter().map(|known| known.node));
        request.parts = request.parts.saturating_sub(1);
        if request.parts == 0 {
            let ending = if report.asked == 0 {
                Ending::NoNodes
            } else {
                Ending::Complete
            };
            self.end(id, ending);
        } else if lookup.asked > 0 {
            self.hurry_others(now, id);
        }
    }

    /// Shortens how long the other parts of a request wait for a first node to ask: to a sensible time, or to nothing
    /// where no node is known that could name one.
    fn hurry_others(&mut self, now: Instant, id: RequestId) {
        let mut hopeless = Vec::new();
        for (key, lookup) in &mut self.lookups {
            if lookup.request == Some(id) && lookup.nodes.is_empty() {
                let side = self.sides[lookup.family.index()].as_ref();
                let is_hopeless = side.is_none_or(|side| side.bootstrap.is_empty());
                let patience = if is_hopeless {
                    Duration::ZERO
                } else {
                    SECOND_FAMILY_TIMEOUT
                };
                lookup.give_up_by(now.checked_add(patience));
                hopeless.extend(is_hopeless.then_some(*key));
            }
        }
        hopeless.into_iter().for_each(|key| self.drive(now, key));
    }
}
