//! Has the gateway map a TCP and UDP port, shows what it grants, and removes it after Ctrl-C: `map PORT`.

use std::error::Error;

use tailwater_nat::{PortMapStatus, Wanted, run};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("usage: map PORT")?.parse()?;
    let (found, mut status) = watch::channel(PortMapStatus::default());
    let closing = CancellationToken::new();
    let wanted = Wanted {
        tcp: Some(port),
        udp: Some(port),
    };
    let mapping = tokio::spawn(run(wanted, closing.clone(), found));
    println!("asking the gateway; Ctrl-C ends it");
    loop {
        tokio::select! {
            changed = status.changed() => match changed {
                Ok(()) => println!("{:?}", *status.borrow()),
                Err(_) => break,
            },
            stopped = tokio::signal::ctrl_c() => {
                stopped?;
                break;
            }
        }
    }
    closing.cancel();
    mapping.await?;
    Ok(())
}
