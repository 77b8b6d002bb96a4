//! A connection that reports whether its client reads, and times out when it does not.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::client::Client;

/// Fails with [`io::ErrorKind::TimedOut`] when nothing can be written for a set time.
pub(crate) struct Watched<S> {
    stream: S,
    client: Arc<Client>,
    limit: Duration,
    /// Runs out if nothing is written until then; made once it is needed.
    timer: Option<Pin<Box<Sleep>>>,
    is_stuck: bool,
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    pub(crate) const fn new(stream: S, client: Arc<Client>, limit: Duration) -> Self {
        Self {
            stream,
            client,
            limit,
            timer: None,
            is_stuck: false,
        }
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), cx);
        if written.is_ready() {
            self.is_stuck = false;
            self.client.on_taken();
            return written;
        }
        let deadline = || Instant::now() + self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline())));
        if !self.is_stuck {
            self.is_stuck = true;
            self.client.on_blocked();
            timer.as_mut().reset(deadline());
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn watched<S: AsyncWrite + Unpin>(stream: S) -> Watched<S> {
        let client = Client::new([127, 0, 0, 1].into());
        Watched::new(stream, client, LIMIT)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_who_stops_reading_is_given_up() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = watched(ours);
        ours.write_all(b"full").await.unwrap();
        let error = ours.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        theirs.read_exact(&mut [0; 4]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_who_reads_slowly_is_not() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = watched(ours);
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            while let Ok(byte) = theirs.read_u8().await {
                read.push(byte);
                tokio::time::sleep(LIMIT / 2).await;
            }
            read
        });
        ours.write_all(b"a long story").await.unwrap();
        drop(ours);
        assert_eq!(reading.await.unwrap(), b"a long story");
    }
}
