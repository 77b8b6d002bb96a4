//! KRPC: queries, responses and errors, one in a datagram (BEP 5).

mod decode;
mod encode;
mod error;
mod message;
mod write;

pub use error::{KrpcError, KrpcErrorKind};
pub use message::{
    Body, ErrorCode, ErrorReply, ItemFields, Message, Method, Put, Query, Response, Samples,
    ScrapeFilters, Want,
};
