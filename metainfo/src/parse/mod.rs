//! The parser: from bencode to checked types.

mod context;
mod info;
mod layers;
mod outer;
mod paths;
mod v1;
mod v2;

pub(crate) use info::parse_info;
pub(crate) use outer::{Outer, decode_outer, parse_outer, settled};
