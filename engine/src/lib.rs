#![doc = include_str!("../README.md")]

#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod local_discovery;
pub mod metadata;
pub mod peer;
#[cfg(test)]
mod testing;
pub mod torrent;
