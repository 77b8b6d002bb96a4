//! Connections that are used again, and what a server that had closed one already means: ask once more, on another.
//!
//! A server or a proxy may close an idle connection whenever it likes, and some never say that they will (RFC 9112,
//! section 9.3.1). hyper asks again only what it had not begun to write.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::Error as ClientError;

/// Whether a connection has answered a request before. It travels with the connection as one of its extras.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered(Arc<AtomicBool>);

impl Answered {
    /// Notes that the connection of an answer has answered.
    pub(crate) fn note(response: &Response<Incoming>) {
        if let Some(Self(answered)) = response.extensions().get() {
            answered.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether a GET that failed is to be sent again: its connection had been used before, and ended before an answer began.
/// Each time that this holds there is one such connection less, so that it ends at a new one.
pub(crate) fn was_closed_meanwhile(error: &ClientError) -> bool {
    let Some(connection) = error.connect_info() else {
        return false;
    };
    let mut holder = Request::new(());
    connection.get_extras(holder.extensions_mut());
    let has_answered =
        (holder.extensions().get()).is_some_and(|Answered(it)| it.load(Ordering::Relaxed));
    has_answered && is_ended(error)
}

/// Whether the connection ended, rather than its server having said something wrong.
fn is_ended(error: &ClientError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_incomplete_message() || error.is_canceled() || error.is_closed())
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::UnexpectedEof
            );
        }
        cause = error.source();
    }
    false
}
