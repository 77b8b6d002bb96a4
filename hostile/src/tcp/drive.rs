//! Drives one script over one byte stream.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant as TokioInstant, sleep_until};

use crate::{Counts, Script};

/// Bytes taken from the stream at once.
const READ: usize = 64 * 1024;
/// Portions written or read before the task yields to others.
const TURNS: usize = 16;

/// Drives a script over any byte stream until the other side or the script ends it. The caller bounds the time.
///
/// # Errors
///
/// When the stream breaks.
#[expect(clippy::disallowed_methods, reason = "the driver's clock")]
pub async fn drive<S>(stream: S, script: &mut dyn Script, counts: &Counts) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = Line {
        stream,
        script,
        counts,
        unsent: Bytes::new(),
        buffer: vec![0; READ],
    };
    let mut timer = pin!(sleep_until(TokioInstant::now()));
    poll_fn(|cx| {
        let now = Instant::now();
        if let Poll::Ready(end) = line.poll(cx, now) {
            return Poll::Ready(end);
        }
        if let Some(at) = line.script.poll_timeout() {
            let at = at.max(now).into();
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    })
    .await
}

struct Line<'a, S> {
    stream: S,
    script: &'a mut dyn Script,
    counts: &'a Counts,
    unsent: Bytes,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<'_, S> {
    fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<()>> {
        for _ in 0..TURNS {
            let wrote = match self.poll_write(cx, now) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => false,
            };
            if self.unsent.is_empty() && self.script.is_over() {
                return Poll::Ready(Ok(()));
            }
            let read = match self.poll_read(cx, now) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(outcome) => outcome? > 0,
                Poll::Pending => false,
            };
            if !wrote && !read {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns whether anything was sent.
    fn poll_write(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<bool>> {
        if self.unsent.is_empty() {
            match self.script.poll_send(now) {
                Some(bytes) => self.unsent = bytes,
                None => return Poll::Ready(Ok(false)),
            }
        }
        Pin::new(&mut self.stream)
            .poll_write(cx, &self.unsent)
            .map_ok(|count| {
                self.unsent.advance(count);
                self.counts.add_sent(count as u64);
                count > 0
            })
    }

    /// Returns how many bytes came; pending, without being woken for more, while the script does not read.
    fn poll_read(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<usize>> {
        if !self.script.is_reading() {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(&mut self.buffer);
        Pin::new(&mut self.stream)
            .poll_read(cx, &mut buffer)
            .map_ok(|()| {
                let bytes = buffer.filled();
                self.counts.add_received(bytes.len() as u64);
                self.script.handle_bytes(now, bytes);
                bytes.len()
            })
    }
}
