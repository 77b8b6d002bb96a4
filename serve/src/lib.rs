#![doc = include_str!("../README.md")]

pub mod fetching;
pub mod size;
pub mod stream;
pub mod words;
