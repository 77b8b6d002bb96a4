//! A reply: a future that may be ready from the start.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that may be ready from the start.
///
/// A storage that answers at once, such as one in memory, returns [`Reply::ready`]: nothing is allocated and no executor
/// is involved. One that does I/O boxes one future for a whole batch with [`Reply::later`].
pub struct Reply<T>(State<T>);

enum State<T> {
    Ready(Option<T>),
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Reply<T> {
    /// A reply that is ready.
    pub const fn ready(value: T) -> Self {
        Self(State::Ready(Some(value)))
    }

    /// A reply that takes time.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(State::Later(Box::pin(future)))
    }

    /// A reply that never comes.
    #[must_use]
    pub const fn never() -> Self {
        Self(State::Ready(None))
    }

    /// The answer if it was there from the start; else the reply, to be awaited.
    ///
    /// # Errors
    ///
    /// With the reply itself when the answer takes time.
    pub fn try_ready(self) -> Result<T, Self> {
        match self.0 {
            State::Ready(Some(value)) => Ok(value),
            state => Err(Self(state)),
        }
    }
}

/// The value is never pinned: it is moved out, or lives in a box of its own.
impl<T> Unpin for Reply<T> {}

impl<T> Future for Reply<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            State::Ready(value) => value.take().map_or(Poll::Pending, Poll::Ready),
            State::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(Some(_)) => "Reply::ready",
            State::Ready(None) => "Reply::never",
            State::Later(_) => "Reply::later",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn poll<T>(reply: &mut Reply<T>) -> Poll<T> {
        Pin::new(reply).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_answer_comes_once() {
        let mut ready = Reply::ready(7);
        assert_eq!(poll(&mut ready), Poll::Ready(7));
        assert_eq!(poll(&mut ready), Poll::Pending);
        assert_eq!(poll(&mut Reply::later(async { 8 })), Poll::Ready(8));
        assert_eq!(poll(&mut Reply::<u8>::never()), Poll::Pending);
        assert_eq!(Reply::ready(7).try_ready().ok(), Some(7));
        let mut later = Reply::later(async { 9 }).try_ready().unwrap_err();
        assert_eq!(poll(&mut later), Poll::Ready(9));
    }
}
