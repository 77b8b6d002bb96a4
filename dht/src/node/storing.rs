//! The store phase at the end of a lookup: sends `announce_peer` or `put` to the nearest nodes.

use std::time::Instant;

use tailwater_types::InfoHash;

use super::lookup::{Announce, Job, Lookup, Stage};
use super::queries::{Pending, Purpose};
use super::{Event, Node};
use crate::{ErrorCode, ErrorReply, Method, NodeInfo, Put, Token};

impl Node {
    /// Sends the store request to the nearest nodes that gave a token.
    pub(super) fn store(&mut self, now: Instant, key: u64, lookup: &mut Lookup) {
        lookup.stage = Stage::Storing(0);
        if self.is_outdated(lookup) {
            return;
        }
        let mut asked = 0;
        let closest: Vec<_> = lookup
            .nodes
            .closest()
            .into_iter()
            .filter_map(|known| Some((known.node, *known.token.as_deref()?, known.has_item)))
            .collect();
        for (node, token, has_item) in closest {
            let Some(method) = store_method(lookup, token, has_item) else {
                break;
            };
            let to = (node.addr, Some(node.id));
            asked += usize::from(self.ask(now, to, Purpose::Store(key), method));
        }
        lookup.asked_to_store += u32::try_from(asked).unwrap_or_default();
        lookup.stage = Stage::Storing(asked);
    }

    /// Whether a version is known that the item must not replace. Nodes that have it refuse, but nodes that have just
    /// joined have none and would not.
    fn is_outdated(&mut self, lookup: &Lookup) -> bool {
        let Job::Put { item, cas } = &lookup.job else {
            return false;
        };
        let request = lookup.request.and_then(|id| self.requests.get_mut(&id));
        let Some((request, best)) = request.and_then(|r| r.best.clone().map(|best| (r, best)))
        else {
            return false;
        };
        let (code, text) = if cas.is_some() && *cas != best.seq() {
            (ErrorCode::CAS_MISMATCH, "another item is stored")
        } else if best.seq() > item.seq() || best.seq() == item.seq() && best != **item {
            (ErrorCode::SEQ_TOO_LOW, "a newer item is stored")
        } else {
            return false;
        };
        request.report.refusal = Some(ErrorReply::new(code, text));
        true
    }

    pub(super) fn on_stored(&mut self, now: Instant, key: u64, pending: &Pending, node: NodeInfo) {
        if let Some(lookup) = self.lookups.get_mut(&key) {
            lookup.stored += 1;
            if let Some(request) = lookup.request {
                self.events.push_back(Event::Stored { request, node });
            }
        }
        if !pending.is_slow {
            self.on_store_over(now, key);
        }
    }

    /// One of those that were asked to store has answered, or takes too long to wait for.
    pub(super) fn on_store_over(&mut self, now: Instant, key: u64) {
        if let Some(lookup) = self.lookups.get_mut(&key)
            && let Stage::Storing(left) = &mut lookup.stage
        {
            *left = left.saturating_sub(1);
            self.drive(now, key);
        }
    }

    pub(super) fn on_refusal(&mut self, now: Instant, pending: &Pending, error: ErrorReply) {
        self.traffic.answers_received += 1;
        if let Purpose::Store(key) = pending.purpose
            && let Some(lookup) = self.lookups.get(&key)
            && let Some(request) = lookup.request
            && let Some(state) = self.requests.get_mut(&request)
        {
            state.report.refusal = Some(error);
        }
        self.on_no_answer(now, pending);
    }
}

fn store_method(lookup: &Lookup, token: Token, has_item: bool) -> Option<Method> {
    match &lookup.job {
        Job::Peers {
            announce: Some(Announce { port, is_seed }),
            ..
        } => Some(Method::AnnouncePeer {
            info_hash: InfoHash::new(*lookup.target.as_bytes()),
            port: port.unwrap_or_default(),
            // No peer listens on port 0.
            implied_port: port.is_none_or(|port| port == 0),
            seed: *is_seed,
            token,
        }),
        Job::Put { item, cas } => {
            let mut put = Put::new(token, (**item).clone());
            // Not to nodes that have nothing to compare with (BEP 44).
            put.cas = cas.filter(|_| has_item);
            Some(Method::Put(Box::new(put)))
        }
        _ => None,
    }
}
