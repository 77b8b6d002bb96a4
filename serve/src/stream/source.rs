//! The interface between the server and what holds the bytes.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::program::Program;
use super::stats::Snapshot;

/// Files whose bytes can be read while they arrive.
pub trait Source: Send + Sync + 'static {
    /// Reads one file.
    type Reader: Read;

    /// A reader at the start of a file, by its index, for some program.
    fn open(&self, file: usize, program: &Program) -> io::Result<Self::Reader>;

    /// The state of the buffer, the readers and the transfer.
    fn snapshot(&self) -> impl Future<Output = io::Result<Snapshot>> + Send;
}

/// A reader at a position in a file. Dropping it ends the work that is done for it.
pub trait Read: Send + Unpin + 'static {
    /// Seeks to another position.
    fn seek_to(&mut self, position: u64);

    /// The bytes that it waits for are not wanted at present; the next [`Self::poll_bytes`] says that they are again.
    fn stop_waiting(&mut self);

    /// The next bytes, at most `max` of them, as soon as there are any; empty at the end of the file.
    fn poll_bytes(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>>;
}
