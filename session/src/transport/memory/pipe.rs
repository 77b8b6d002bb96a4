//! One direction of a stream.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::RangeInclusive;
use std::task::{Context, Poll, Waker};

use bytes::BufMut;
use parking_lot::Mutex;

use super::MemoryConfig;

/// Bytes on their way from a writer to a reader.
#[derive(Debug)]
pub(super) struct Pipe {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bytes: VecDeque<u8>,
    capacity: usize,
    chunk: RangeInclusive<usize>,
    rng: fastrand::Rng,
    /// The writer writes no more.
    is_finished: bool,
    /// The reader reads no more.
    is_abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl State {
    fn next_chunk(&mut self) -> usize {
        self.rng.usize(self.chunk.clone())
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Pipe {
    pub(super) fn new(config: &MemoryConfig, rng: fastrand::Rng) -> Self {
        Self {
            state: Mutex::new(State {
                bytes: VecDeque::new(),
                capacity: config.capacity,
                chunk: config.chunk.clone(),
                rng,
                is_finished: false,
                is_abandoned: false,
                reader: None,
                writer: None,
            }),
        }
    }

    /// Accepts the first bytes of those offered, as many as the policy has it.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.is_abandoned || state.is_finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = state.capacity.saturating_sub(state.bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let limit = state.next_chunk().min(room);
        let mut accepted = 0;
        for slice in slices {
            let part = slice.get(..limit - accepted).unwrap_or(slice);
            state.bytes.extend(part);
            accepted += part.len();
        }
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Ok(accepted)
    }

    /// Gives bytes, as many as the policy has it and as there is room for.
    pub(super) fn try_read(&self, buf: &mut impl BufMut) -> io::Result<usize> {
        let mut state = self.state.lock();
        if state.bytes.is_empty() {
            return match state.is_finished {
                true => Ok(0),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let limit = state.next_chunk().min(buf.remaining_mut());
        let count = limit.min(state.bytes.len());
        let (front, back) = state.bytes.as_slices();
        let first = front.get(..count).unwrap_or(front);
        buf.put_slice(first);
        buf.put_slice(back.get(..count - first.len()).unwrap_or_default());
        state.bytes.drain(..count);
        let writer = state.writer.take();
        drop(state);
        wake(writer);
        Ok(count)
    }

    pub(super) fn poll_readable(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if !state.bytes.is_empty() || state.is_finished {
            return Poll::Ready(());
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_writable(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.bytes.len() < state.capacity || state.is_abandoned || state.is_finished {
            return Poll::Ready(());
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }

    /// The writer writes no more: the reader gets what is left, then the end.
    pub(super) fn finish(&self) {
        let mut state = self.state.lock();
        state.is_finished = true;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// The reader reads no more: the writer is told with its next attempt.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.is_abandoned = true;
        state.bytes.clear();
        let writer = state.writer.take();
        drop(state);
        wake(writer);
    }
}
