//! A byte stream between two hosts.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::MemoryConfig;
use super::pipe::Pipe;

/// One end of a byte stream of a [`MemoryNetwork`](super::MemoryNetwork). Dropped, it is closed: the other end reads what
/// has been written, then the end.
#[derive(Debug)]
pub struct MemoryStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    local: SocketAddr,
    peer: SocketAddr,
}

/// Makes both ends of a stream: that of the host that connects, and that of the host that listens.
pub(super) fn pair(
    config: &MemoryConfig,
    rng: &mut fastrand::Rng,
    from: SocketAddr,
    to: SocketAddr,
) -> (MemoryStream, MemoryStream) {
    let [there, back] = [(); 2].map(|()| Arc::new(Pipe::new(config, rng.fork())));
    let ours = MemoryStream {
        incoming: Arc::clone(&back),
        outgoing: Arc::clone(&there),
        local: from,
        peer: to,
    };
    let theirs = MemoryStream {
        incoming: there,
        outgoing: back,
        local: to,
        peer: from,
    };
    (ours, theirs)
}

impl MemoryStream {
    /// Where this end is.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where the other end is.
    #[must_use]
    pub const fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn try_read_buf(&self, buf: &mut impl BufMut) -> io::Result<usize> {
        self.incoming.try_read(buf)
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.outgoing.try_write(slices)
    }

    pub(crate) async fn ready(&self, interest: Interest) {
        poll_fn(|context| {
            let reads = interest.is_readable() && self.incoming.poll_readable(context).is_ready();
            let writes = interest.is_writable() && self.outgoing.poll_writable(context).is_ready();
            match reads || writes {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.outgoing.finish();
        self.incoming.abandon();
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.incoming.poll_readable(context));
            match self.incoming.try_read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map(drop)),
            }
        }
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.outgoing.poll_writable(context));
            match self.outgoing.try_write(&[IoSlice::new(bytes)]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.finish();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn streams(config: &MemoryConfig) -> (MemoryStream, MemoryStream) {
        let addr = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let mut rng = fastrand::Rng::with_seed(config.seed);
        pair(config, &mut rng, addr(1), addr(2))
    }

    #[test]
    fn it_accepts_what_the_policy_and_the_room_allow() {
        let config = MemoryConfig::default().chunk(1..=1).capacity(3);
        let (ours, theirs) = streams(&config);
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(ours.try_write_vectored(&slices).unwrap(), 1);
        assert_eq!(ours.try_write_vectored(&slices).unwrap(), 1);
        assert_eq!(ours.try_write_vectored(&slices).unwrap(), 1);
        let full = ours.try_write_vectored(&slices).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let mut read = Vec::new();
        assert_eq!(theirs.try_read_buf(&mut read).unwrap(), 1);
        assert_eq!(read, b"a");
        assert!(ours.try_write_vectored(&slices).is_ok());
        let (ours, theirs) = streams(&MemoryConfig::default());
        assert_eq!(ours.try_write_vectored(&slices).unwrap(), 4);
        let mut read = Vec::new();
        assert_eq!(theirs.try_read_buf(&mut read).unwrap(), 4);
        assert_eq!(read, b"abcd");
    }

    #[tokio::test]
    async fn bytes_arrive_whole_and_in_order_whatever_the_chunks() {
        for seed in 0..20 {
            let config = MemoryConfig::default()
                .seed(seed)
                .chunk(1..=13)
                .capacity(29);
            let (mut ours, mut theirs) = streams(&config);
            let sent: Vec<u8> = (0..2_000u32)
                .map(|number| number.to_le_bytes()[0])
                .collect();
            let mut received = Vec::new();
            let (written, read) = tokio::join!(
                async {
                    let outcome = ours.write_all(&sent).await;
                    drop(ours);
                    outcome
                },
                theirs.read_to_end(&mut received)
            );
            written.unwrap();
            assert_eq!(read.unwrap(), sent.len());
            assert!(received == sent, "seed {seed}");
        }
    }

    #[tokio::test]
    async fn each_end_is_told_of_the_end_of_the_other() {
        let (mut ours, theirs) = streams(&MemoryConfig::default());
        drop(theirs);
        assert_eq!(ours.read(&mut [0]).await.unwrap(), 0);
        let broken = ours.write(b"x").await.unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
    }
}
