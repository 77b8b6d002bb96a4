//! A gateway that speaks NAT-PMP, or PCP, or badly, on loopback.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Where both protocols are spoken.
const PORT: u16 = 5351;
const NAT_PMP: u8 = 0;
const PCP: u8 = 2;
const ANSWER: u8 = 0x80;

/// How it answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// PCP, and nothing else.
    Pcp,
    /// NAT-PMP; PCP is answered as RFC 6886 asks for: that version is unknown.
    NatPmp,
    /// "Not authorized", in whichever version was asked.
    Refusing,
    Silent,
    /// Answers that are too short, or mean nothing.
    Garbage,
    /// As long as a datagram can be.
    Huge,
}

/// A mapping that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) external: u16,
    pub(super) lease_s: u32,
    pub(super) nonce: [u8; 12],
    /// How often it was asked for.
    pub(super) times: u32,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) manner: Manner,
    /// Outer ports differ from inner ones by this.
    pub(super) shift: u16,
    pub(super) requests: u32,
    /// By transport ("tcp", "udp") and inner port.
    pub(super) table: HashMap<(&'static str, u16), Entry>,
}

/// It runs until dropped.
pub(super) struct Pmp {
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Pmp {
    pub(super) async fn start(at: Ipv4Addr, manner: Manner) -> Self {
        let socket = UdpSocket::bind((at, PORT)).await.unwrap();
        let state = Arc::new(Mutex::new(State {
            manner,
            shift: 0,
            requests: 0,
            table: HashMap::new(),
        }));
        let task = tokio::spawn(serve(socket, Arc::clone(&state)));
        Self { state, task }
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    pub(super) fn entry(&self, transport: &'static str, internal: u16) -> Option<Entry> {
        self.with(|state| state.table.get(&(transport, internal)).copied())
    }
}

impl Drop for Pmp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 1100];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
        let answer = state.lock().unwrap().answer(&buffer[..len], from);
        if let Some(answer) = answer {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

impl State {
    fn answer(&mut self, request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        self.requests += 1;
        let version = request[0];
        match self.manner {
            Manner::Silent => None,
            Manner::Garbage => Some(vec![0xa5; 7 + usize::try_from(self.requests).unwrap()]),
            Manner::Huge => {
                let mut answer = vec![0xff; 60_000];
                answer[..2].copy_from_slice(&[version, ANSWER | request[1]]);
                Some(answer)
            }
            Manner::Refusing if version == PCP => Some(pcp_answer(request, 2, 600)),
            Manner::Refusing => Some(nat_pmp_answer(request, 2)),
            Manner::Pcp if version == PCP => Some(self.pcp(request, from)),
            Manner::Pcp => None,
            Manner::NatPmp if version == NAT_PMP => Some(self.nat_pmp(request)),
            Manner::NatPmp => Some([&[NAT_PMP, ANSWER | request[1], 0, 1][..], &[0; 4]].concat()),
        }
    }

    /// RFC 6886, 3.2 and 3.3.
    fn nat_pmp(&mut self, request: &[u8]) -> Vec<u8> {
        let mut answer = nat_pmp_answer(request, 0);
        if request[1] == 0 {
            answer.extend([203, 0, 113, 7]);
            return answer;
        }
        assert_eq!(request.len(), 12);
        let transport = if request[1] == 2 { "tcp" } else { "udp" };
        let (internal, lease_s) = (u16_at(request, 4), u32_at(request, 8));
        let external = self.keep(transport, internal, lease_s, [0; 12]);
        answer.extend(internal.to_be_bytes());
        answer.extend(external.to_be_bytes());
        answer.extend(lease_s.to_be_bytes());
        answer
    }

    /// RFC 6887, 7 and 11.
    fn pcp(&mut self, request: &[u8], from: SocketAddr) -> Vec<u8> {
        assert_eq!((request.len(), request[1]), (60, 1));
        let client: [u8; 16] = request[8..24].try_into().unwrap();
        let SocketAddr::V4(from) = from else {
            panic!("{from}");
        };
        if client != from.ip().to_ipv6_mapped().octets() {
            return pcp_answer(request, 12, 600);
        }
        let nonce: [u8; 12] = request[24..36].try_into().unwrap();
        let transport = if request[36] == 6 { "tcp" } else { "udp" };
        let (internal, lease_s) = (u16_at(request, 40), u32_at(request, 4));
        let held = self.table.get(&(transport, internal));
        if held.is_some_and(|held| held.nonce != nonce) {
            return pcp_answer(request, 2, 600);
        }
        let external = self.keep(transport, internal, lease_s, nonce);
        let mut answer = pcp_answer(request, 0, lease_s);
        answer.extend(&request[24..42]);
        answer.extend(external.to_be_bytes());
        answer.extend(Ipv4Addr::new(203, 0, 113, 7).to_ipv6_mapped().octets());
        answer
    }

    /// Adds, renews or removes; the outer port, or 0 for what is removed.
    fn keep(
        &mut self,
        transport: &'static str,
        internal: u16,
        lease_s: u32,
        nonce: [u8; 12],
    ) -> u16 {
        if lease_s == 0 {
            self.table.remove(&(transport, internal));
            return 0;
        }
        let external = internal + self.shift;
        let entry = self.table.entry((transport, internal)).or_insert(Entry {
            external,
            lease_s,
            nonce,
            times: 0,
        });
        entry.times += 1;
        entry.external
    }
}

fn nat_pmp_answer(request: &[u8], result: u8) -> Vec<u8> {
    let mut answer = vec![NAT_PMP, ANSWER | request[1], 0, result, 0, 0, 1, 0];
    if result != 0 && request[1] != 0 {
        answer.extend(&request[4..6]);
        answer.extend([0; 6]);
    }
    answer
}

fn pcp_answer(request: &[u8], result: u8, lifetime_s: u32) -> Vec<u8> {
    let mut answer = vec![PCP, ANSWER | request[1], 0, result];
    answer.extend(lifetime_s.to_be_bytes());
    answer.extend([0, 0, 1, 0]);
    answer.extend([0; 12]);
    if result != 0 {
        answer.extend(&request[24..]);
    }
    answer
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}
