#![doc = include_str!("../README.md")]

pub mod api;
pub mod compat;
pub mod control;
pub mod fetching;
pub mod on_demand;
pub mod qbittorrent;
pub mod rqbit;
pub mod size;
pub mod stream;
pub mod stremio;
pub mod tls;
pub mod torrserver;
pub mod transmission;
pub mod words;
