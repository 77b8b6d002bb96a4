//! `tailwater dht ping`

use std::net::SocketAddr;

use serde::Serialize;
use tailwater_dht::{Family, Pong};
use tailwater_metainfo::HostPort;
use tokio::time::timeout_at;

use super::client::Client;
use crate::args::DhtPing;
use crate::commands::Context;
use crate::error::CliError;
use crate::error::DhtFailure;
use crate::out::{self, Harmless};

#[derive(Serialize)]
struct Said {
    node: String,
    addr: Option<SocketAddr>,
    id: Option<String>,
    rtt_ms: Option<f64>,
    error: Option<String>,
}

pub(super) async fn run(
    context: &Context,
    client: &Client,
    args: &DhtPing,
) -> Result<(), CliError> {
    let mut is_answered = false;
    for node in &args.nodes {
        match addr_of(client, node).await {
            Err(error) => show(context, node, None, Err(error))?,
            Ok(addr) => {
                for _ in 0..args.count {
                    // The node itself reports after a few seconds that there is no answer.
                    let pong = timeout_at(client.deadline, client.dht.ping(addr)).await;
                    let pong = match pong {
                        Ok(pong) => pong?,
                        Err(_) => None,
                    };
                    is_answered |= pong.is_some();
                    let pong = pong.ok_or_else(|| "no answer".to_owned());
                    show(context, node, Some(addr), pong)?;
                }
            }
        }
    }
    match is_answered {
        true => Ok(()),
        false => Err(DhtFailure::Silent.into()),
    }
}

/// The first address in a network that there is a socket for.
async fn addr_of(client: &Client, node: &HostPort) -> Result<SocketAddr, String> {
    let lookup = tokio::net::lookup_host((node.host.as_str(), node.port));
    let addrs = match timeout_at(client.deadline, lookup).await {
        Err(_) => return Err("its name was not found in time".to_owned()),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(addrs)) => addrs,
    };
    let mut usable = addrs.filter(|addr| client.dht.local_addr(Family::of(addr)).is_some());
    usable
        .next()
        .ok_or_else(|| "no address of a network that we are in".to_owned())
}

fn show(
    context: &Context,
    node: &HostPort,
    addr: Option<SocketAddr>,
    pong: Result<Pong, String>,
) -> Result<(), CliError> {
    let rtt_ms = |pong: &Pong| pong.rtt.as_secs_f64() * 1000.0;
    if context.common.json() {
        let (pong, error) = match pong {
            Ok(pong) => (Some(pong), None),
            Err(error) => (None, Some(error)),
        };
        return out::json(&Said {
            node: node.to_string(),
            addr,
            id: pong.map(|pong| pong.node.id.to_string()),
            rtt_ms: pong
                .as_ref()
                .map(|pong| (rtt_ms(pong) * 1000.0).round() / 1000.0),
            error,
        });
    }
    match pong {
        Ok(pong) => {
            let (id, addr, took) = (pong.node.id, pong.node.addr, rtt_ms(&pong));
            context
                .progress
                .say(format_args!("{addr}  {id}  {took:.1} ms"))
        }
        Err(error) => context
            .progress
            .say(format_args!("{node}  failed: {}", Harmless(&error))),
    }
}
