//! Runs lookups: chooses the nodes to ask, processes their answers, ends them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::lookup::{Job, Lookup, Stage};
use super::queries::{Pending, Purpose};
use super::{Event, Family, Node, RequestId};
use crate::address::can_name;
use crate::{BUCKET_SIZE, Item, ItemFields, ItemKey, MutableItem, NodeInfo, Response};

/// Nodes of one answer that are looked at: BEP 5 has 8, and some send 20.
const MAX_NODES_OF_ANSWER: usize = 2 * BUCKET_SIZE;
/// A scrape's filter that claims more is full, or a lie (BEP 33).
const MAX_SCRAPE: f64 = 8000.0;

impl Node {
    /// Asks the next nodes, and ends the lookup if there is none left.
    pub(super) fn drive(&mut self, now: Instant, key: u64) {
        let Some(mut lookup) = self.lookups.remove(&key) else {
            return;
        };
        while let Some(node) = lookup.poll_ask() {
            let to = (node.addr, Some(node.id));
            if !self.ask(now, to, Purpose::Lookup(key), lookup.method()) {
                lookup.on_failed(&node, false);
            }
        }
        if matches!(lookup.stage, Stage::Walking) && lookup.has_walked(now) {
            self.store(now, key, &mut lookup);
        }
        match lookup.stage {
            Stage::Storing(0) => self.on_walked(now, key, &lookup),
            _ => {
                self.lookups.insert(key, lookup);
            }
        }
    }

    /// Continues lookups that waited for a first node and have one now, or have waited long enough.
    pub(super) fn wake_starved(&mut self, now: Instant) {
        let starved = self
            .lookups
            .iter()
            .filter(|(_, lookup)| lookup.nodes.is_empty());
        let starved: Vec<u64> = starved.map(|(key, _)| *key).collect();
        starved.into_iter().for_each(|key| self.drive(now, key));
    }

    /// Gives nodes to the lookups that have none to ask.
    pub(super) fn feed_starved(&mut self, now: Instant, family: Family, nodes: &[NodeInfo]) {
        let mut fed = Vec::new();
        for (key, lookup) in &mut self.lookups {
            if lookup.family == family && lookup.nodes.is_empty() {
                nodes.iter().for_each(|node| lookup.nodes.add(*node, 0));
                fed.push(*key);
            }
        }
        fed.into_iter().for_each(|key| self.drive(now, key));
    }

    pub(super) fn on_step_slow(&mut self, now: Instant, key: u64, pending: &Pending) {
        if let (Some(lookup), Some(node)) = (self.lookups.get_mut(&key), asked(pending)) {
            lookup.on_slow(&node);
            self.drive(now, key);
        }
    }

    pub(super) fn on_step_failed(&mut self, now: Instant, key: u64, pending: &Pending) {
        if let (Some(lookup), Some(node)) = (self.lookups.get_mut(&key), asked(pending)) {
            lookup.on_failed(&node, pending.is_slow);
            self.drive(now, key);
        }
    }

    pub(super) fn on_step(
        &mut self,
        now: Instant,
        key: u64,
        pending: &Pending,
        node: NodeInfo,
        response: &Response,
    ) {
        let Some(mut lookup) = self.lookups.remove(&key) else {
            return;
        };
        let depth =
            asked(pending).map_or(0, |asked| lookup.on_answer(&asked, &node, pending.is_slow));
        let named = self.named_nodes(&node, response);
        for named in named {
            if Family::of(&named.addr) == lookup.family {
                lookup.nodes.add(named, depth);
            } else if let Some(side) = self.side_mut(Family::of(&named.addr))
                && side.is_lonely()
            {
                side.hint(named);
            }
        }
        if let Some(known) = lookup.nodes.get_mut(&node) {
            known.token = response.token.map(Box::new);
        }
        let is_news = match (&lookup.job, lookup.request) {
            (Job::Peers { .. }, Some(request)) => {
                self.on_peers(request, &mut lookup, node, response)
            }
            (Job::Get { .. } | Job::Put { .. }, Some(request)) => {
                self.on_item(request, &mut lookup, node, response.item.as_deref())
            }
            (Job::Sample, Some(request)) => self.on_samples(request, node, response),
            _ => false,
        };
        if is_news {
            lookup.found_at = lookup.found_at.or(Some(depth));
        }
        self.lookups.insert(key, lookup);
        self.drive(now, key);
    }

    /// The nodes of an answer that it is sensible to ask.
    pub(super) fn named_nodes(&self, from: &NodeInfo, response: &Response) -> Vec<NodeInfo> {
        let ip = from.addr.ip();
        let is_sensible = |node: &NodeInfo| {
            let own_id = self.own_id(Family::of(&node.addr));
            can_name(ip, node.addr) && own_id.is_some_and(|own_id| own_id != node.id)
        };
        let v4 = response.nodes.iter().flatten().take(MAX_NODES_OF_ANSWER);
        let v6 = response.nodes6.iter().flatten().take(MAX_NODES_OF_ANSWER);
        let all = v4
            .map(|node| NodeInfo::from(*node))
            .chain(v6.map(|node| (*node).into()));
        all.filter(is_sensible).collect()
    }

    fn on_peers(
        &mut self,
        request: RequestId,
        lookup: &mut Lookup,
        from: NodeInfo,
        response: &Response,
    ) -> bool {
        let ip = from.addr.ip();
        let family = lookup.family;
        let is_sensible = |peer: &SocketAddr| can_name(ip, *peer) && Family::of(peer) == family;
        let peers: Vec<_> = response
            .values
            .iter()
            .copied()
            .filter(is_sensible)
            .collect();
        if matches!(lookup.job, Job::Peers { scrape: true, .. }) {
            self.on_scrape(request, &peers, response);
        }
        let peers = lookup.new_peers(peers);
        let is_news = !peers.is_empty();
        if is_news {
            let event = Event::Peers {
                request,
                from,
                peers,
            };
            self.events.push_back(event);
        }
        is_news
    }

    fn on_scrape(&mut self, request: RequestId, peers: &[SocketAddr], response: &Response) {
        let Some(request) = self.requests.get_mut(&request) else {
            return;
        };
        let filters = request.scrape.get_or_insert_default();
        match &response.scrape {
            Some(theirs) => {
                for (ours, theirs) in [
                    (&mut filters.seeds, &theirs.seeds),
                    (&mut filters.peers, &theirs.peers),
                ] {
                    if theirs.estimate() < MAX_SCRAPE {
                        ours.unite(theirs);
                    }
                }
            }
            // A node that does not know BEP 33. Which of its peers are seeds is not known.
            None => {
                for peer in peers
                    .iter()
                    .filter(|peer| !filters.seeds.contains(peer.ip()))
                {
                    filters.peers.insert(peer.ip());
                }
            }
        }
    }

    fn on_item(
        &mut self,
        request: RequestId,
        lookup: &mut Lookup,
        from: NodeInfo,
        fields: Option<&ItemFields>,
    ) -> bool {
        let key = match &lookup.job {
            Job::Get { key } => *key,
            Job::Put { item, .. } => item.key(),
            _ => return false,
        };
        let (Some(fields), Some(state)) = (fields, self.requests.get_mut(&request)) else {
            return false;
        };
        let best = state.best.as_ref().and_then(Item::seq);
        let Some(item) = claimed_item(&key, fields, best) else {
            return false;
        };
        if let Some(known) = lookup.nodes.get_mut(&from) {
            known.has_item = true;
        }
        let is_newer = state.best.is_none() || item.seq() > best;
        // A signature costs much more than the comparison that says whether it matters.
        if !is_newer || matches!(&item, Item::Mutable(item) if !item.is_valid()) {
            return false;
        }
        state.best = Some(item.clone());
        lookup.is_found = matches!(lookup.job, Job::Get { .. }) && item.seq().is_none();
        self.events.push_back(Event::Item { request, item });
        true
    }

    fn on_samples(&mut self, request: RequestId, from: NodeInfo, response: &Response) -> bool {
        let Some(samples) = &response.samples else {
            return false;
        };
        self.events.push_back(Event::Samples {
            request,
            from,
            info_hashes: samples.info_hashes.clone(),
            stored: samples.stored,
            interval: Duration::from_secs(samples.interval_secs.into()),
        });
        !samples.info_hashes.is_empty()
    }

    fn on_walked(&mut self, now: Instant, key: u64, lookup: &Lookup) {
        if lookup.request.is_some() {
            self.finish_part(now, lookup);
        } else {
            self.on_own_lookup(now, key, lookup);
        }
    }
}

fn asked(pending: &Pending) -> Option<NodeInfo> {
    Some(NodeInfo {
        id: pending.id?,
        addr: pending.to,
    })
}

/// The item that an answer claims to have, if it is the one that was asked for. Of a mutable one the signature has not been
/// checked.
fn claimed_item(key: &ItemKey, fields: &ItemFields, best: Option<i64>) -> Option<Item> {
    let value = fields.value.as_ref()?;
    match key {
        ItemKey::Immutable(target) => {
            (value.target() == *target).then(|| Item::Immutable(value.clone()))
        }
        ItemKey::Mutable { key, salt } => {
            let seq = fields.seq?;
            let is_asked_for = fields.key == Some(*key) && best.is_none_or(|best| seq >= best);
            is_asked_for.then_some(())?;
            let signature = fields.signature?;
            let item = MutableItem::unverified(*key, *salt, seq, value.clone(), signature);
            Some(Item::Mutable(item))
        }
    }
}
