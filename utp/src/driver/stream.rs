//! A connection as a stream.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ops::BitOr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::shared::{Inner, Shared, now};
use crate::{CloseReason, Stats};

/// What to wait for at a [`UtpStream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest {
    is_readable: bool,
    is_writable: bool,
}

impl Interest {
    /// Bytes to read, or the end.
    pub const READABLE: Self = Self {
        is_readable: true,
        is_writable: false,
    };
    /// Room to write.
    pub const WRITABLE: Self = Self {
        is_readable: false,
        is_writable: true,
    };
}

impl BitOr for Interest {
    type Output = Self;

    /// Either.
    fn bitor(self, other: Self) -> Self {
        Self {
            is_readable: self.is_readable || other.is_readable,
            is_writable: self.is_writable || other.is_writable,
        }
    }
}

/// A connection: bytes in order, both ways.
///
/// Dropped, it is closed in the background: what was written is delivered, if the peer takes it within
/// [`LINGER`](crate::limits::LINGER).
///
/// At most one task may wait to read and one to write; of several the last one is woken.
#[derive(Debug)]
pub struct UtpStream {
    shared: Arc<Shared>,
}

fn error(reason: CloseReason) -> io::Error {
    let kind = match reason {
        CloseReason::Closed => io::ErrorKind::BrokenPipe,
        CloseReason::Reset => io::ErrorKind::ConnectionReset,
        CloseReason::Refused => io::ErrorKind::ConnectionRefused,
        CloseReason::TimedOut => io::ErrorKind::TimedOut,
    };
    io::Error::new(kind, reason)
}

impl UtpStream {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Waits until the connection is established.
    pub(super) async fn connected(&self) -> io::Result<()> {
        std::future::poll_fn(|context| {
            let mut inner = self.shared.lock();
            if let Some(reason) = inner.connection.closed() {
                return Poll::Ready(Err(error(reason)));
            }
            if inner.is_connected {
                return Poll::Ready(Ok(()));
            }
            inner.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Reads what has arrived, as far as `buf` has room for it without growing, and does not wait. Zero: the peer sends
    /// no more, or `buf` has no room.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing has arrived; otherwise the connection is lost.
    pub fn try_read_buf(&self, buf: &mut impl BufMut) -> io::Result<usize> {
        let mut inner = self.shared.lock();
        Self::read(&mut inner, buf)?.map_or_else(
            || Err(io::ErrorKind::WouldBlock.into()),
            |(read, is_answer_due)| {
                if is_answer_due {
                    let wakes = self.shared.flush(&mut inner);
                    drop(inner);
                    wakes.wake();
                }
                Ok(read)
            },
        )
    }

    /// Reads what there is: how much, and whether the peer must learn of the room. `None` if there is nothing yet.
    fn read(inner: &mut Inner, buf: &mut impl BufMut) -> io::Result<Option<(usize, bool)>> {
        let room = buf.chunk_mut().len();
        let mut read = 0;
        let mut is_answer_due = false;
        while read < room {
            let bytes = inner.connection.peek();
            let len = bytes.len().min(room - read);
            if len == 0 {
                break;
            }
            buf.put_slice(bytes.get(..len).unwrap_or_default());
            is_answer_due |= inner.connection.consume(len);
            read += len;
        }
        if read > 0 || room == 0 || inner.connection.is_end_received() {
            return Ok(Some((read, is_answer_due)));
        }
        inner
            .connection
            .closed()
            .map_or(Ok(None), |reason| Err(error(reason)))
    }

    /// Offers bytes, and returns how many have been accepted: the first ones. It does not wait. What is accepted is sent
    /// as soon as the congestion window and the peer allow.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when none are accepted now; otherwise the connection is lost.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut inner = self.shared.lock();
        let written = Self::write(&mut inner, slices);
        if matches!(written, Ok(Some(_))) {
            let wakes = self.shared.flush(&mut inner);
            drop(inner);
            wakes.wake();
        }
        written?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn write(inner: &mut Inner, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        let connection = &mut inner.connection;
        if let Some(reason) = connection.closed() {
            return Err(error(reason));
        }
        let mut written = 0;
        let mut wanted = 0;
        for slice in slices {
            wanted += slice.len();
            written += connection.write(slice);
            if written < wanted {
                break;
            }
        }
        Ok((written > 0 || wanted == 0).then_some(written))
    }

    /// Waits until the stream is ready to be read or written, as `interest` says. It may be wrong about that: then the
    /// attempt ends with [`WouldBlock`](io::ErrorKind::WouldBlock). A connection that is lost is ready.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn ready(&self, interest: Interest) {
        std::future::poll_fn(|context| self.poll_ready(context, interest)).await;
    }

    /// Whether the stream is ready, as in [`ready`](Self::ready); if not, the task is woken when it is.
    pub fn poll_ready(&self, context: &mut Context<'_>, interest: Interest) -> Poll<()> {
        let mut inner = self.shared.lock();
        let is_readable = interest.is_readable && inner.connection.is_readable();
        let is_writable = interest.is_writable && inner.connection.is_writable();
        if is_readable || is_writable {
            return Poll::Ready(());
        }
        if interest.is_readable {
            inner.reader = Some(context.waker().clone());
        }
        if interest.is_writable {
            inner.connection.expect_room();
            inner.writer = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Ends the stream to the peer, behind what has been written. Reading goes on.
    pub fn shutdown(&self) {
        self.shared.with(|inner| inner.connection.shutdown());
    }

    /// Ends the connection at once. What has been written may be lost.
    pub fn abort(&self) {
        self.shared.with(|inner| inner.connection.abort());
    }

    /// The peer's address.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.shared.remote
    }

    /// Counters of the connection.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.lock().connection.stats()
    }

    fn poll_write_slices(
        &self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
            std::task::ready!(self.poll_ready(context, Interest::WRITABLE));
        }
    }
}

impl Drop for UtpStream {
    fn drop(&mut self) {
        self.shared.with(|inner| inner.connection.close(now()));
    }
}

impl AsyncRead for UtpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map(drop)),
            }
            std::task::ready!(self.poll_ready(context, Interest::READABLE));
        }
    }
}

impl AsyncWrite for UtpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(context, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_slices(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is written is on its way: there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the stream behind what was written; it does not wait for its delivery.
    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shutdown();
        Poll::Ready(Ok(()))
    }
}
