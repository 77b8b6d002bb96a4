#![doc = include_str!("../README.md")]

mod bucket;
mod cache;
mod room;
mod storage;

pub use bucket::Bucket;
pub use storage::BucketFactory;
