//! The UDP side of the server.

#![expect(clippy::disallowed_types, reason = "the driver owns the sockets")]

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::Shared;
use crate::driver::now;
use crate::udp::MAX_PACKET_LEN;

/// The pause after a receive that failed for a reason of the system.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Answers datagrams until the server closes.
pub(super) async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut packet = vec![0; MAX_PACKET_LEN];
    loop {
        let (len, from) = match socket.recv_from(&mut packet).await {
            Ok(received) => received,
            Err(error) => {
                // Also reports of earlier answers that could not be delivered.
                tracing::debug!(%error, "cannot receive");
                tokio::time::sleep(RECEIVE_PAUSE).await;
                continue;
            }
        };
        let answer = shared.service().handle_udp(now(), from, &packet[..len]);
        if let Some(answer) = answer
            && let Err(error) = socket.send_to(&answer, from).await
        {
            tracing::debug!(%from, %error, "cannot answer");
        }
    }
}
