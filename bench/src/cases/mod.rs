//! The cases, by the crate that they are about.

mod dht;
mod engine;
mod metainfo;
mod naive;
mod storage;
mod wire;

use crate::Topic::{Bencode, Dht, Picker, Storage, Wire};
use crate::{Case, Run, Topic};

/// All cases, in the order of a download.
#[must_use]
pub const fn all() -> [Case; 12] {
    [
        case("torrent-decode", Bencode, 1, "a torrent", metainfo::decode),
        case("messages-decode", Wire, 2_110, "a message", wire::decode),
        case("messages-encode", Wire, 2_110, "a message", wire::encode),
        case("blocks-decode", Wire, 64, "a block", wire::decode_blocks),
        case("mse-handshake", Wire, 1, "both sides", wire::handshake),
        case("mse-keystream", Wire, 64, "a block", wire::keystream),
        case("picker-pick", Picker, 3_200, "a block", engine::pick),
        case("picker-have", Picker, 2_000, "a have", engine::have),
        case("storage-write", Storage, 64, "a block", storage::write),
        case("storage-read", Storage, 64, "a block", storage::read),
        case("dht-find-node", Dht, 64, "a query", dht::find_node),
        case("dht-get-peers", Dht, 64, "a query", dht::get_peers),
    ]
}

/// What is obvious to write instead of a case: the name of each begins with `naive ` and ends with the case's.
#[must_use]
pub const fn naive() -> [Case; 4] {
    [
        case("naive picker-pick", Picker, 3_200, "a block", naive::pick),
        case("naive picker-have", Picker, 2_000, "a have", naive::have),
        case("naive storage-write", Storage, 64, "a block", naive::write),
        case("naive storage-read", Storage, 64, "a block", naive::read),
    ]
}

const fn case(
    name: &'static str,
    topic: Topic,
    operations: u32,
    operation: &'static str,
    prepare: fn() -> Run,
) -> Case {
    Case {
        name,
        topic,
        operation,
        operations,
        prepare,
    }
}
