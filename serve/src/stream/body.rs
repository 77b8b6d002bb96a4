//! Response bodies: text, or parts of a file as its reader delivers them.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::client::Client;
use super::places::Place;
use super::source::Read;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// The most bytes that are requested of a reader at once. A reader of memory gives a block of 16 KiB, as a lease.
const READ_LEN: usize = 64 * 1024;

/// A response's content.
pub(crate) enum Body<R> {
    /// Text that is in memory.
    Text(Bytes),
    /// Large text, which holds one of a few permits until it has been sent.
    Held { text: Bytes, _place: Place },
    /// Parts of a file.
    File(FileBody<R>),
}

/// A streaming body: parts of a file, with the separators between them.
///
/// Back-pressure: it reads the next bytes only when the next frame is polled and the client's socket takes bytes. So a
/// client that does not read delays only itself, and does not count as waiting. Bytes are passed on without a copy.
pub(crate) struct FileBody<R> {
    reader: R,
    parts: VecDeque<Part>,
    /// The reader stands at the start of the first part.
    is_placed: bool,
    left: u64,
    client: Arc<Client>,
    /// The permit to read, given back at the end.
    _place: Place,
}

/// The next part of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Bytes),
    File(Range<u64>),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => len(text),
            Self::File(range) => range.end.saturating_sub(range.start),
        }
    }
}

impl<R> Body<R> {
    pub(crate) const fn empty() -> Self {
        Self::Text(Bytes::new())
    }
}

/// The length of a body of these parts.
pub(crate) fn total(parts: &[Part]) -> u64 {
    parts.iter().map(Part::len).sum()
}

fn len(bytes: &Bytes) -> u64 {
    // No machine has more memory than a u64 counts.
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl<R: Read> FileBody<R> {
    pub(crate) fn new(mut reader: R, parts: Vec<Part>, place: Place, client: Arc<Client>) -> Self {
        let first = parts.iter().find_map(|part| match part {
            Part::File(range) => Some(range.start),
            Part::Text(_) => None,
        });
        // Starts reading at once, so that the bytes are fetched before the client has read the headers.
        if let Some(start) = first {
            reader.seek_to(start);
        }
        Self {
            reader,
            left: total(&parts),
            parts: parts.into(),
            is_placed: true,
            client,
            _place: place,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while let Some(part) = self.parts.front_mut() {
            match part {
                Part::Text(text) => {
                    let text = std::mem::take(text);
                    self.parts.pop_front();
                    return Poll::Ready(Some(Ok(text)));
                }
                Part::File(range) if range.start >= range.end => {
                    self.is_placed = false;
                    self.parts.pop_front();
                }
                Part::File(range) => {
                    if !self.is_placed {
                        self.reader.seek_to(range.start);
                        self.is_placed = true;
                    }
                    if self.client.poll_wants(cx).is_pending() {
                        self.reader.stop_waiting();
                        return Poll::Pending;
                    }
                    let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                    let read = ready!(self.reader.poll_bytes(cx, wanted.min(READ_LEN)));
                    let outcome = match read {
                        Ok(bytes) if bytes.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                        Ok(bytes) => {
                            range.start += len(&bytes);
                            Ok(bytes)
                        }
                        Err(error) => Err(error),
                    };
                    if outcome.is_err() {
                        self.parts.clear();
                    }
                    return Poll::Ready(Some(outcome));
                }
            }
        }
        Poll::Ready(None)
    }
}

impl<R: Read> HttpBody for Body<R> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Text(text) | Self::Held { text, .. } if text.is_empty() => Poll::Ready(None),
            Self::Text(text) | Self::Held { text, .. } => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(text)))))
            }
            Self::File(file) => {
                let next = ready!(file.poll_next(cx));
                if let Some(Ok(bytes)) = &next {
                    file.left = file.left.saturating_sub(len(bytes));
                }
                Poll::Ready(next.map(|next| next.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) | Self::Held { text, .. } => text.is_empty(),
            Self::File(file) => file.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Text(text) | Self::Held { text, .. } => len(text),
            Self::File(file) => file.left,
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::super::limits::Limits;
    use super::super::places::Places;
    use super::super::program::Program;
    use super::super::source::Source;
    use super::super::tests::memory::{LEASE, Memory, content};
    use super::*;

    async fn body(memory: &Memory, parts: Vec<Part>) -> Body<<Memory as Source>::Reader> {
        let client = Client::new([127, 0, 0, 1].into());
        let places = Places::new(1, Limits::default().patience);
        let place = places.take(&client).await.unwrap();
        let reader = memory.open(0, &Program::Page).unwrap();
        Body::File(FileBody::new(reader, parts, place, client))
    }

    #[tokio::test]
    async fn a_frame_is_a_lease_and_nothing_is_read_before_it_is_asked_for() {
        let memory = Memory::of(&[10 * LEASE]);
        let mut body = body(&memory, vec![Part::File(0..10 * LEASE)]).await;
        assert_eq!(memory.leases_given(), 0);
        for given in 1..=10 {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(memory.is_lease(&frame), "copied");
            assert_eq!((memory.leases_given(), memory.leases_held()), (given, 1));
        }
        assert!(body.is_end_stream() && body.frame().await.is_none());
    }

    #[tokio::test]
    async fn parts_come_in_their_order() {
        let memory = Memory::of(&[5 * LEASE]);
        let parts = vec![
            Part::Text("a".into()),
            Part::File(4 * LEASE - 3..4 * LEASE + 3),
            Part::Text("b".into()),
            Part::File(0..2),
            Part::File(2..2),
            Part::File(1..2),
            Part::Text("c".into()),
        ];
        let body = body(&memory, parts).await;
        assert_eq!(body.size_hint().exact(), Some(12));
        let bytes = body.collect().await.unwrap().to_bytes();
        let all = content(0, 0..5 * LEASE);
        let at = usize::try_from(4 * LEASE - 3).unwrap();
        let expected = [b"a", &all[at..at + 6], b"b", &all[..2], &all[1..2], b"c"].concat();
        assert_eq!(bytes, expected);
    }

    #[tokio::test]
    async fn a_file_that_ends_early_is_an_error_and_not_a_short_body() {
        let memory = Memory::of(&[10]);
        let mut body = body(&memory, vec![Part::File(5..20)]).await;
        assert!(body.frame().await.unwrap().is_ok());
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_socket_that_takes_nothing_wants_no_bytes() {
        let memory = Memory::dry(&[10 * LEASE]);
        let client = Client::new([127, 0, 0, 1].into());
        let places = Places::new(1, Limits::default().patience);
        let place = places.take(&client).await.unwrap();
        let reader = memory.open(0, &Program::Page).unwrap();
        let parts = vec![Part::File(0..LEASE)];
        let mut body = FileBody::new(reader, parts, place, Arc::clone(&client));
        let mut polled = by_hand(|cx| body.poll_next(cx).is_pending());
        assert!(polled() && memory.is_awaited());
        client.on_blocked();
        assert!(polled() && !memory.is_awaited(), "it still waits");
        client.on_taken();
        assert!(polled() && memory.is_awaited());
    }

    /// Polls with a waker that does nothing.
    fn by_hand(mut poll: impl FnMut(&mut Context<'_>) -> bool) -> impl FnMut() -> bool {
        move || poll(&mut Context::from_waker(std::task::Waker::noop()))
    }
}
