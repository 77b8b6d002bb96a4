//! Bootstrap hosts: resolves their names and hands the addresses to the node.

use std::io;
use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::task::Command;
use crate::node::BOOTSTRAP_BACKOFF;

/// Bootstrap nodes of the public network, run by the makers of widely used clients.
pub const BOOTSTRAP_HOSTS: &[&str] = &[
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "router.utorrent.com:6881",
    "dht.libtorrent.org:25401",
    "dht.aelitis.com:6881",
];

/// Resolves a name and gives its addresses to the node: once, and again for as long as the node knows no other, as the
/// network may have been down. Ends with the node.
pub(super) async fn resolve(host: String, commands: mpsc::WeakSender<Command>) {
    keep_resolving(&host, &commands, async |host| {
        tokio::net::lookup_host(host).await.map(Iterator::collect)
    })
    .await;
}

/// `None` when the node has ended.
async fn keep_resolving(
    host: &str,
    commands: &mpsc::WeakSender<Command>,
    lookup: impl AsyncFn(&str) -> io::Result<Vec<SocketAddr>>,
) -> Option<()> {
    if let Ok(addr) = host.parse::<SocketAddr>() {
        return give(commands, Command::AddBootstrap(vec![addr])).await;
    }
    let mut backoff = BOOTSTRAP_BACKOFF;
    loop {
        if is_alone(commands).await? {
            // A name that has no address now may have one later.
            if let Ok(addrs) = lookup(host).await {
                give(commands, Command::AddBootstrap(addrs)).await?;
            }
        }
        sleep(backoff.next_pause()).await;
    }
}

async fn is_alone(commands: &mpsc::WeakSender<Command>) -> Option<bool> {
    let (reply, answer) = oneshot::channel();
    give(commands, Command::IsAlone(reply)).await?;
    answer.await.ok()
}

/// Sends one command. The sender is held only meanwhile: the node ends with the last of its owner's senders.
async fn give(commands: &mpsc::WeakSender<Command>, command: Command) -> Option<()> {
    commands.upgrade()?.send(command).await.ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    /// The times at which a name is looked up of a node that is alone for the first `alone` times that it is asked, and what
    /// the node is told.
    async fn lookups(failing: usize, alone: usize) -> (Vec<u64>, Vec<Vec<SocketAddr>>) {
        let (sender, mut inbox) = mpsc::channel(1);
        let commands = sender.downgrade();
        let begin = Instant::now();
        let count = Cell::new(0);
        let times = Cell::new(Vec::new());
        let node = async {
            let (mut told, mut asked) = (Vec::new(), 0);
            // Half an hour with nothing to do: by then it is known.
            while let Ok(Some(command)) =
                tokio::time::timeout_at(begin + Duration::from_secs(1800), inbox.recv()).await
            {
                match command {
                    Command::IsAlone(reply) => {
                        asked += 1;
                        reply.send(asked <= alone).unwrap();
                    }
                    Command::AddBootstrap(addrs) => told.push(addrs),
                    _ => panic!("it asks for something else"),
                }
            }
            told
        };
        let resolving = keep_resolving("router.example:1", &commands, async |_| {
            let mut before = times.take();
            before.push(begin.elapsed().as_secs());
            times.set(before);
            count.set(count.get() + 1);
            if count.get() <= failing {
                return Err(io::Error::other("no network"));
            }
            Ok(vec![([20, 0, 0, 1], 1).into(), ([20, 0, 0, 2], 2).into()])
        });
        tokio::select! {
            told = node => (times.take(), told),
            _ = resolving => panic!("it gives up"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_known_is_looked_up_once() {
        let (times, told) = lookups(0, 1).await;
        assert_eq!(times, [0]);
        let addrs = [([20, 0, 0, 1], 1).into(), ([20, 0, 0, 2], 2).into()];
        assert_eq!(told, [addrs]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_up_again_later_and_later_while_the_node_is_alone() {
        let (times, told) = lookups(3, 6).await;
        assert_eq!(times, [0, 5, 15, 35, 75, 155]);
        assert_eq!(told.len(), 3);
        let (times, told) = lookups(usize::MAX, usize::MAX).await;
        assert_eq!(times[times.len() - 3..], [915, 1215, 1515]);
        assert!(told.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_node() {
        let (sender, inbox) = mpsc::channel(1);
        let commands = sender.downgrade();
        drop(inbox);
        let lookup = async |_: &str| Ok(Vec::new());
        let ended = keep_resolving("router.example:1", &commands, lookup).await;
        assert_eq!(ended, None);
        drop(sender);
    }
}
