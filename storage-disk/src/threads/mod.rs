//! The I/O threads of a session, their queues, and the buffers that they read into.

pub(crate) mod buffers;
pub(crate) mod pool;
