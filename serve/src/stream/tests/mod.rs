//! The server over a loopback socket, with files that no torrent is needed for.

mod answers;
mod client;
mod limits;
pub(super) mod memory;
mod ranges;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::host::Hosts;
use super::library::tests::library;
use super::limits::Limits;
use super::server::Server;
use super::site::Site;
use crate::fetching::Attempt;
use client::Client;
use memory::Memory;

/// A server, and what it serves.
struct Served {
    server: Server,
    memory: Memory,
    addr: SocketAddr,
}

impl Served {
    /// Files with these paths and lengths, of which the third has index 3.
    async fn files(files: &[(&str, u64)], limits: Limits) -> Self {
        let lengths: Vec<_> = (0..files.len() * 2)
            .map(|index| {
                let at = (0..files.len()).find(|at| at + at / 2 == index);
                at.map_or(0, |at| files[at].1)
            })
            .collect();
        Self::start(files, Memory::of(&lengths), limits).await
    }

    async fn start(files: &[(&str, u64)], memory: Memory, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let library = Arc::new(library(files, None));
        let attempt = watch::channel(Attempt::default()).1;
        let site = Arc::new(Site::new(Hosts::of(addr), limits, attempt));
        site.show(memory.clone(), library);
        Self {
            server: Server::start(listener, site, limits),
            memory,
            addr,
        }
    }

    /// One film of a thousand bytes.
    async fn film() -> Self {
        Self::files(&[("t/film.mp4", 1_000)], Limits::default()).await
    }

    async fn client(&self) -> Client {
        Client::connect(self.addr).await
    }
}
