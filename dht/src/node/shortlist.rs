//! The candidate nodes of one lookup, sorted by distance.

use crate::address::{is_local, same_network};
use crate::{BUCKET_SIZE, NodeId, NodeInfo, Token};

/// The most candidates in each of a lookup's two lists.
pub const MAX_CANDIDATES: usize = 64;
/// The most nodes that one lookup asks although their ids do not fit their addresses (BEP 42).
const MAX_INSECURE_ASKED: usize = 24;
/// The most candidates of one network (/24, /64) in each list.
const MAX_OF_NETWORK: usize = 3;

/// ```text
/// Fresh ──ask──▶ Asked ──▶ Slow ──▶ Failed
///                  └────────┴──▶ Answered
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Fresh,
    Asked,
    Slow,
    Answered,
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) node: NodeInfo,
    pub(super) state: State,
    /// How many nodes named one another before this one.
    pub(super) depth: u8,
    /// Boxed, as few have one.
    pub(super) token: Option<Box<Token>>,
    /// It has a version of the item that is looked up.
    pub(super) has_item: bool,
}

/// Candidates in the order of their distance.
#[derive(Clone, Debug)]
struct List {
    target: NodeId,
    list: Vec<Candidate>,
}

impl List {
    const fn new(target: NodeId) -> Self {
        Self {
            target,
            list: Vec::new(),
        }
    }

    fn position(&self, node: &NodeInfo) -> Result<usize, usize> {
        let distance = node.id.distance(&self.target);
        self.list
            .binary_search_by_key(&distance, |known| known.node.id.distance(&self.target))
    }

    fn add(&mut self, candidate: Candidate) {
        let node = candidate.node;
        let Err(place) = self.position(&node) else {
            return;
        };
        if place >= MAX_CANDIDATES || !self.make_way(place, &node) {
            return;
        }
        let place = self.position(&node).unwrap_or_else(|place| place);
        self.list.insert(place, candidate);
        self.list.truncate(MAX_CANDIDATES);
    }

    /// Enforces one node for each address, and few for each network: of those that have not been asked the nearest
    /// stays, as any of them may be made up. A node that has answered is real and stays; one that has failed does not
    /// count. Returns whether there is a place for `node`.
    fn make_way(&mut self, place: usize, node: &NodeInfo) -> bool {
        let ip = node.addr.ip();
        let is_neighbour = |known: &Candidate| {
            let theirs = known.node.addr;
            let is_live = known.state != State::Failed;
            is_live
                && if is_local(ip) {
                    theirs == node.addr
                } else {
                    same_network(theirs.ip(), ip)
                }
        };
        let is_same = |known: &Candidate| is_local(ip) || known.node.addr.ip() == ip;
        let neighbours = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, known)| is_neighbour(known));
        let (mut count, mut rival, mut farthest) = (0, None, None);
        for (at, known) in neighbours {
            count += 1;
            let is_fresh = known.state == State::Fresh;
            if is_same(known) {
                rival = Some((at, is_fresh));
            }
            if is_fresh {
                farthest = Some(at);
            }
        }
        let leaving = match (rival, farthest) {
            (Some((at, true)), _) if at >= place => at,
            (Some(_), _) => return false,
            (None, _) if count < MAX_OF_NETWORK => return true,
            (None, Some(at)) if at >= place => at,
            (None, _) => return false,
        };
        self.list.remove(leaving);
        true
    }

    /// The nearest [`BUCKET_SIZE`] that answer, or may do so soon.
    fn window(&self) -> impl Iterator<Item = &Candidate> + '_ {
        let live = |known: &&Candidate| !matches!(known.state, State::Failed | State::Slow);
        self.list.iter().filter(live).take(BUCKET_SIZE)
    }

    fn answered(&self) -> impl Iterator<Item = &Candidate> + '_ {
        let answered = |known: &&Candidate| known.state == State::Answered;
        self.list.iter().filter(answered).take(BUCKET_SIZE)
    }
}

/// Two lists: nodes whose id BEP 42 lets them have, and the others. Anyone can make up ids next to a target, but hardly
/// ids that also fit the address. So nodes with ids that do not fit must not crowd out the others, nor end the lookup
/// before those are found (BEP 42).
#[derive(Clone, Debug)]
pub(super) struct Shortlist {
    secure: List,
    insecure: List,
    insecure_asked: usize,
}

impl Shortlist {
    pub(super) const fn new(target: NodeId) -> Self {
        Self {
            secure: List::new(target),
            insecure: List::new(target),
            insecure_asked: 0,
        }
    }

    pub(super) fn add(&mut self, node: NodeInfo, depth: u8) {
        self.add_as(node, depth, State::Fresh);
    }

    /// A node has answered under another id than expected.
    pub(super) fn add_answered(&mut self, node: NodeInfo, depth: u8) {
        self.add_as(node, depth, State::Answered);
    }

    fn add_as(&mut self, node: NodeInfo, depth: u8, state: State) {
        self.list_of(&node).add(Candidate {
            node,
            state,
            depth,
            token: None,
            has_item: false,
        });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.secure.list.is_empty() && self.insecure.list.is_empty()
    }

    /// The next to ask: from now on it is asked.
    pub(super) fn next(&mut self) -> Option<NodeInfo> {
        let fresh = |known: &&Candidate| known.state == State::Fresh;
        let secure = self.secure.window().find(fresh).map(|known| known.node);
        let node = secure.or_else(|| {
            let insecure = self.insecure_window().find(fresh);
            insecure.map(|known| known.node)
        })?;
        if secure.is_none() {
            self.insecure_asked += 1;
        }
        self.get_mut(&node)?.state = State::Asked;
        Some(node)
    }

    /// Whether there is no node left to ask or to wait for.
    pub(super) fn is_settled(&self) -> bool {
        let is_open = |known: &Candidate| matches!(known.state, State::Fresh | State::Asked);
        !self.secure.window().any(is_open) && !self.insecure_window().any(is_open)
    }

    pub(super) fn get_mut(&mut self, node: &NodeInfo) -> Option<&mut Candidate> {
        let list = self.list_of(node);
        let at = list.position(node).ok()?;
        list.list.get_mut(at).filter(|known| known.node == *node)
    }

    /// The nearest that have answered, nearest first: [`BUCKET_SIZE`] of valid ids, and up to as many others that are nearer
    /// than the last of those.
    pub(super) fn closest(&self) -> Vec<&Candidate> {
        let mut closest: Vec<_> = self.secure.answered().collect();
        let limit = self.limit();
        let target = self.secure.target;
        let is_near = |known: &&Candidate| is_within(known, &target, limit.as_ref());
        closest.extend(self.insecure.answered().take_while(is_near));
        closest.sort_by_key(|known| known.node.id.distance(&target));
        closest
    }

    /// Those that are nearer than the nodes with valid ids that will be the result.
    fn insecure_window(&self) -> impl Iterator<Item = &Candidate> + '_ {
        let limit = self.limit();
        let target = self.secure.target;
        let may_ask = self.insecure_asked < MAX_INSECURE_ASKED;
        self.insecure
            .window()
            .take_while(move |known| is_within(known, &target, limit.as_ref()))
            .filter(move |known| may_ask || known.state != State::Fresh)
    }

    fn limit(&self) -> Option<NodeId> {
        let last = self.secure.answered().nth(BUCKET_SIZE - 1);
        last.map(|known| known.node.id)
    }

    fn list_of(&mut self, node: &NodeInfo) -> &mut List {
        if node.id.is_valid_for(node.addr.ip()) {
            &mut self.secure
        } else {
            &mut self.insecure
        }
    }
}

fn is_within(known: &Candidate, target: &NodeId, limit: Option<&NodeId>) -> bool {
    limit.is_none_or(|limit| known.node.id.distance(target) < limit.distance(target))
}
