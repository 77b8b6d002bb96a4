//! Scripts over TCP, on this machine alone.

mod bounds;
mod crowd;
mod drive;

pub use bounds::Bounds;
pub(crate) use crowd::on_this_machine;
pub use crowd::{Crowd, Dial, Listener};
pub use drive::drive;

#[cfg(test)]
mod tests;
