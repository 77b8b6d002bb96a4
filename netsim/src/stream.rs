//! The ends of stream connections.

use std::collections::VecDeque;

use crate::event::{ConnId, HostId};

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) host: HostId,
    /// The other end, once there is one.
    pub(crate) peer: Option<ConnId>,
    pub(crate) state: EndState,
    /// Bytes that were accepted and not yet put on the line.
    pub(crate) buffer: VecDeque<u8>,
    /// The bytes on their way that have not been acknowledged.
    pub(crate) in_flight: usize,
    /// Whether a `send` was accepted only in part.
    pub(crate) is_starved: bool,
    /// Whether it is in its host's uplink queue.
    pub(crate) is_queued: bool,
}

/// `Connecting ──► Open ──► Closing`, and gone when the last byte is on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndState {
    /// The answer to `connect` is under way.
    Connecting,
    /// Bytes flow.
    Open,
    /// Its host has closed it: what is buffered still goes out, nothing comes in.
    Closing,
}

impl End {
    pub(crate) fn new(host: HostId, peer: Option<ConnId>, state: EndState) -> Self {
        Self {
            host,
            peer,
            state,
            buffer: VecDeque::new(),
            in_flight: 0,
            is_starved: false,
            is_queued: false,
        }
    }

    /// Removes up to `most` bytes from the buffer, to put them on the line.
    pub(crate) fn take(&mut self, most: usize) -> Vec<u8> {
        let len = most.min(self.buffer.len());
        let (front, back) = self.buffer.as_slices();
        let from_front = len.min(front.len());
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&front[..from_front]);
        bytes.extend_from_slice(&back[..len - from_front]);
        self.buffer.drain(..len);
        self.in_flight += len;
        bytes
    }
}

/// All ends, by id.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    end: Option<End>,
}

impl Ends {
    pub(crate) fn insert(&mut self, end: End) -> ConnId {
        if let Some(slot) = self.free.pop()
            && let Some(entry) = self.slots.get_mut(slot as usize)
        {
            entry.end = Some(end);
            return ConnId {
                slot,
                generation: entry.generation,
            };
        }
        // A simulation of 2^32 simultaneous connections would have run out of memory long before.
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            generation: 0,
            end: Some(end),
        });
        ConnId {
            slot,
            generation: 0,
        }
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut End> {
        let slot = self.slots.get_mut(conn.slot as usize)?;
        slot.end
            .as_mut()
            .filter(|_| slot.generation == conn.generation)
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&End> {
        let slot = self.slots.get(conn.slot as usize)?;
        slot.end
            .as_ref()
            .filter(|_| slot.generation == conn.generation)
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<End> {
        self.get(conn)?;
        let slot = self.slots.get_mut(conn.slot as usize)?;
        let end = slot.end.take();
        // A slot whose generations are used up is retired.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(conn.slot);
        }
        end
    }

    /// The ends of a host, in the order of their slots.
    pub(crate) fn of_host(&self, host: HostId) -> Vec<ConnId> {
        (0u32..)
            .zip(&self.slots)
            .filter(|(_, entry)| entry.end.as_ref().is_some_and(|end| end.host == host))
            .map(|(slot, entry)| ConnId {
                slot,
                generation: entry.generation,
            })
            .collect()
    }
}
