//! Settings of an endpoint.

use std::sync::Arc;

use crate::congestion::{Congestion, ControllerFactory};
use crate::limits::{
    DEFAULT_BACKLOG, DEFAULT_BUFFER_MEMORY, DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_DATAGRAM,
    DEFAULT_RECEIVE_BUFFER, DEFAULT_SEND_BUFFER, MAX_DATAGRAM, MAX_RECEIVE_BUFFER, MAX_SEND_BUFFER,
    MIN_DATAGRAM, MIN_RECEIVE_BUFFER, MIN_SEND_BUFFER,
};

/// A setting is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} of {value} is not between {min} and {max}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The name of the setting.
    pub setting: &'static str,
    /// What was asked for.
    pub value: usize,
    /// The smallest value.
    pub min: usize,
    /// The largest value.
    pub max: usize,
}

/// Settings of an endpoint and its connections.
///
/// Memory bound: connections × ([`BASE_RECEIVE_BUFFER`](crate::limits::BASE_RECEIVE_BUFFER) +
/// [`BASE_SEND_BUFFER`](crate::limits::BASE_SEND_BUFFER)) + [`buffer_memory`](Self::buffer_memory), of which only what
/// waits is in use.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) seed: u64,
    pub(crate) congestion: Arc<dyn ControllerFactory>,
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
    pub(crate) buffer_memory: usize,
    pub(crate) max_datagram: usize,
    pub(crate) max_connections: usize,
    pub(crate) backlog: usize,
}

fn within(
    setting: &'static str,
    value: usize,
    (min, max): (usize, usize),
) -> Result<usize, ConfigError> {
    let error = ConfigError {
        setting,
        value,
        min,
        max,
    };
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(error)
    }
}

impl Config {
    /// The defaults. All randomness comes from `seed`: connection ids and first sequence numbers, which an attacker
    /// must not guess, and the offset of timestamps.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            congestion: Congestion::default().into(),
            receive_buffer: DEFAULT_RECEIVE_BUFFER,
            send_buffer: DEFAULT_SEND_BUFFER,
            buffer_memory: DEFAULT_BUFFER_MEMORY,
            max_datagram: DEFAULT_MAX_DATAGRAM,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            backlog: DEFAULT_BACKLOG,
        }
    }

    /// The congestion controller: one of [`Congestion`] (LEDBAT is the default), or one of your own.
    #[must_use]
    pub fn congestion(mut self, congestion: impl Into<Arc<dyn ControllerFactory>>) -> Self {
        self.congestion = congestion.into();
        self
    }

    /// The largest receive buffer of a connection, in bytes: 4 MiB by default. It grows to that while it is used.
    ///
    /// # Errors
    ///
    /// Below 16 KiB and above 4 MiB.
    pub fn receive_buffer(mut self, bytes: usize) -> Result<Self, ConfigError> {
        let range = (MIN_RECEIVE_BUFFER, MAX_RECEIVE_BUFFER);
        self.receive_buffer = within("receive buffer", bytes, range)?;
        Ok(self)
    }

    /// The largest send buffer of a connection, in bytes, unsent and unacknowledged: 4 MiB by default. It grows to that
    /// while it is used.
    ///
    /// # Errors
    ///
    /// Below 16 KiB and above 4 MiB.
    pub fn send_buffer(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.send_buffer = within("send buffer", bytes, (MIN_SEND_BUFFER, MAX_SEND_BUFFER))?;
        Ok(self)
    }

    /// The memory by which buffers of all connections together may grow beyond what they begin with, in bytes: 256 MiB by
    /// default. With 0 they do not grow.
    #[must_use]
    pub const fn buffer_memory(mut self, bytes: usize) -> Self {
        self.buffer_memory = bytes;
        self
    }

    /// The longest datagram that the path's MTU is probed for, in bytes: 1472 by default, for IPv6 always 20 less. With
    /// 1232 or less nothing is probed.
    ///
    /// # Errors
    ///
    /// Below 548 and above 8952.
    pub fn max_datagram(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.max_datagram = within("datagram", bytes, (MIN_DATAGRAM, MAX_DATAGRAM))?;
        Ok(self)
    }

    /// How many connections there may be, both ways together: 2048 by default.
    ///
    /// # Errors
    ///
    /// 0, and above 65 536.
    pub fn max_connections(mut self, connections: usize) -> Result<Self, ConfigError> {
        self.max_connections = within("connections", connections, (1, 1 << 16))?;
        Ok(self)
    }

    /// How many connections of others may wait until they are proven, and be accepted, by the program: 128 by default.
    /// With 0 none is answered.
    ///
    /// # Errors
    ///
    /// Above 65 536.
    pub fn backlog(mut self, connections: usize) -> Result<Self, ConfigError> {
        self.backlog = within("backlog", connections, (0, 1 << 16))?;
        Ok(self)
    }
}
