//! `tailwater dht`

mod bencode;
mod client;
mod get;
mod key_file;
mod node;
mod peers;
mod ping;
mod put;
mod sample;
mod table;

use serde::Serialize;
use tailwater_dht::Report;

use super::Context;
use crate::args::{Asking, Dht, DhtCommand};
use crate::error::CliError;
use client::{Client, Start};

pub(super) async fn run(context: &Context, args: &Dht) -> Result<(), CliError> {
    match &args.command {
        DhtCommand::Node(args) => node::run(context, args).await,
        DhtCommand::Peers(args) => {
            let work = async |client: &Client| peers::run(context, client, args).await;
            with(context, &args.asking, Start::Guest, work).await
        }
        DhtCommand::Put(args) => {
            // Errors in it are reported before any node is asked.
            let given = put::Given::read(args)?;
            let work = async |client: &Client| put::run(context, client, args, &given).await;
            with(context, &args.asking, Start::Guest, work).await
        }
        DhtCommand::Get(args) => {
            let key = get::item_key(args)?;
            let work = async |client: &Client| get::run(context, client, args, key).await;
            with(context, &args.asking, Start::Guest, work).await
        }
        DhtCommand::Sample(args) => {
            let work = async |client: &Client| sample::run(context, client, args).await;
            with(context, &args.asking, Start::Guest, work).await
        }
        DhtCommand::Ping(args) => {
            let work = async |client: &Client| ping::run(context, client, args).await;
            with(context, &args.asking, Start::Alone, work).await
        }
    }
}

/// Runs a command with a node, which is closed at its end.
async fn with(
    context: &Context,
    asking: &Asking,
    begin: Start,
    work: impl AsyncFnOnce(&Client) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let client = Client::guest(asking, begin).await?;
    let outcome = client.watched(context, work(&client)).await;
    client.close().await;
    outcome
}

/// The cost of a lookup, for JSON.
#[derive(Debug, Default, Serialize)]
struct Cost {
    asked: u32,
    answered: u32,
    hops: u8,
    elapsed_ms: u128,
}

impl From<&Report> for Cost {
    fn from(report: &Report) -> Self {
        Self {
            asked: report.asked,
            answered: report.answered,
            hops: report.hops,
            elapsed_ms: report.elapsed.as_millis(),
        }
    }
}
