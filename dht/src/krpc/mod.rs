//! KRPC: queries, responses and errors, one in a datagram (BEP 5).

mod decode;
mod encode;
mod error;
mod message;
mod short;

pub use error::{KrpcError, KrpcErrorKind};
pub use message::{Body, ErrorCode, ErrorReply, Message, Method, Query, Response, Want};
pub use short::{ClientVersion, MethodName, Token, TooLongError, TransactionId};
