//! The cipher of a connection: enciphers what is sent, and deciphers what is received (MSE, `wire::mse`).

use std::io::{self, IoSlice};

use bytes::{Buf, BytesMut};
use tailwater_wire::mse::Rc4;

use super::Carrier;

/// The most enciphered bytes that wait for the transport, for one connection. Each write of this much is one system call;
/// a block and its header fit four times.
const MAX_UNSENT: usize = 64 * 1024;

/// Both directions of an enciphered connection.
///
/// It accepts plaintext only when nothing waits for the transport, so that what an outbox can still re-order is as much
/// as possible.
pub(crate) struct Cipher {
    send: Rc4,
    receive: Rc4,
    /// Enciphered bytes that the transport has not taken. It has no memory while it is empty: most connections are idle.
    unsent: BytesMut,
}

impl std::fmt::Debug for Cipher {
    // The state of the ciphers is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cipher")
            .field("unsent", &self.unsent.len())
            .finish_non_exhaustive()
    }
}

impl Cipher {
    pub(crate) fn new(send: Rc4, receive: Rc4) -> Self {
        Self {
            send,
            receive,
            unsent: BytesMut::new(),
        }
    }

    pub(super) fn decipher(&mut self, bytes: &mut [u8]) {
        self.receive.apply(bytes);
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    pub(super) fn try_flush(&mut self, carrier: &mut Carrier) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match carrier.try_write_vectored(&[IoSlice::new(&self.unsent)])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                taken => self.unsent.advance(taken),
            }
        }
        self.unsent = BytesMut::new();
        Ok(())
    }

    pub(super) fn try_write_vectored(
        &mut self,
        carrier: &mut Carrier,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.try_flush(carrier)?;
        let mut accepted = 0;
        loop {
            let count = self.accept(slices, accepted);
            if count == 0 {
                return Ok(accepted);
            }
            accepted += count;
            match self.try_flush(carrier) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(accepted),
                Err(error) => return Err(error),
            }
        }
    }

    /// Enciphers the bytes behind the first `skip` of `slices`, as many as there is room for.
    fn accept(&mut self, slices: &[IoSlice<'_>], mut skip: usize) -> usize {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let room = MAX_UNSENT.min(offered.saturating_sub(skip));
        self.unsent.reserve(room);
        let mut left = room;
        for slice in slices {
            let begin = skip.min(slice.len());
            skip -= begin;
            let count = left.min(slice.len() - begin);
            self.send
                .apply_to(&slice[begin..begin + count], &mut self.unsent);
            left -= count;
        }
        room
    }
}
