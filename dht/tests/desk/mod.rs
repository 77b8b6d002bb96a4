//! One node and those that ask it, datagram by datagram.

#![allow(dead_code, reason = "each test uses some of it")]

use std::net::SocketAddr;
use std::time::Instant;

use tailwater_dht::{
    Body, Config, ErrorCode, Item, MAX_DATAGRAM_LEN, MAX_SENT_DATAGRAM_LEN, Message, Method, Node,
    NodeId, Put, Query, Response, Token, Want,
};
use tailwater_types::InfoHash;

use crate::lab::{seed, start};

pub(crate) const HASH: InfoHash = InfoHash::new([0x5a; 20]);

/// One node and those that ask it.
pub(crate) struct Desk {
    pub(crate) node: Node,
    pub(crate) now: Instant,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(Config::new(seed(1)))
    }

    pub(crate) fn with(config: Config) -> Self {
        let now = start();
        Self {
            node: Node::new(now, config),
            now,
        }
    }

    /// Sends a query, and returns the answer's bytes.
    pub(crate) fn ask_raw(&mut self, from: SocketAddr, question: &[u8]) -> Option<Vec<u8>> {
        self.node.handle_datagram(self.now, from, question);
        self.node.check_invariants();
        let mut answer = None;
        while let Some(transmit) = self.node.poll_transmit() {
            let is_answer = Message::decode(&transmit.payload)
                .is_ok_and(|message| !matches!(message.body, Body::Query(_)));
            if transmit.to == from && is_answer {
                assert_eq!(answer, None, "two answers");
                answer = Some(transmit.payload);
            }
        }
        answer
    }

    pub(crate) fn ask(&mut self, from: SocketAddr, method: Method) -> Option<Message> {
        let question = question(method);
        let answer = self.ask_raw(from, &question)?;
        let message = Message::decode(&answer).unwrap();
        // An item cannot be cut.
        let has_item = matches!(&message.body, Body::Response(response) if response.item.is_some());
        assert!(answer.len() <= MAX_SENT_DATAGRAM_LEN || has_item);
        assert!(answer.len() <= MAX_DATAGRAM_LEN);
        Some(message)
    }

    pub(crate) fn response(&mut self, from: SocketAddr, method: Method) -> Response {
        match self.ask(from, method).map(|message| message.body) {
            Some(Body::Response(response)) => response,
            other => panic!("not a response: {other:?}"),
        }
    }

    pub(crate) fn refusal(&mut self, from: SocketAddr, method: Method) -> ErrorCode {
        match self.ask(from, method).map(|message| message.body) {
            Some(Body::Error(error)) => error.code,
            other => panic!("not a refusal: {other:?}"),
        }
    }

    pub(crate) fn token(&mut self, from: SocketAddr) -> Token {
        self.response(from, get_peers(false))
            .token
            .expect("a token")
    }

    pub(crate) fn item_token(&mut self, from: SocketAddr, item: &Item) -> Token {
        let response = self.response(from, get(item, None));
        response.token.expect("a token")
    }

    pub(crate) fn put(&mut self, from: SocketAddr, item: &Item) -> Option<Message> {
        let token = self.item_token(from, item);
        self.ask(from, put(token, item.clone(), None))
    }

    pub(crate) fn announce(
        &mut self,
        from: SocketAddr,
        token: Token,
        seed: bool,
    ) -> Option<Message> {
        self.ask(
            from,
            Method::AnnouncePeer {
                info_hash: HASH,
                port: 1000,
                implied_port: false,
                seed,
                token,
            },
        )
    }
}

pub(crate) fn question(method: Method) -> Vec<u8> {
    let asking = NodeId::new(*b"abcdefghij0123456789");
    Message::new(7.into(), Query::new(asking, method).into()).encode()
}

pub(crate) const fn get_peers(scrape: bool) -> Method {
    Method::GetPeers {
        info_hash: HASH,
        want: Want {
            v4: false,
            v6: false,
        },
        no_seed: false,
        scrape,
    }
}

pub(crate) fn stored(message: Option<Message>) -> bool {
    matches!(message.expect("an answer").body, Body::Response(_))
}

pub(crate) fn put(token: Token, item: Item, cas: Option<i64>) -> Method {
    let mut put = Put::new(token, item);
    put.cas = cas;
    Method::Put(Box::new(put))
}

pub(crate) fn get(item: &Item, seq: Option<i64>) -> Method {
    Method::Get {
        target: item.target(),
        seq,
        want: Want::default(),
    }
}
