//! Limits on the clients of the server.

use std::time::Duration;

use super::client::Patience;

/// Limits on the clients of the server: connections, streams, timeouts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; one more displaces another, or is closed as soon as it is made.
    pub connections: usize,
    /// Files that are read at once; one more displaces another, or gets 503.
    pub streams: usize,
    /// Timeout of a request's head, and of the next one on the same connection.
    pub head_within: Duration,
    /// The same for connections made while more than half of the places are taken.
    pub head_within_when_short: Duration,
    /// Timeout of a client whose socket takes no bytes: it is dropped, even if there are free places.
    pub stuck_for: Duration,
    /// Which clients may be displaced when no place is free.
    pub patience: Patience,
    /// `/stats` is made anew no sooner than this, and later for a torrent of many pieces.
    pub stats_kept_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            streams: 16,
            head_within: Duration::from_secs(20),
            // Clients send the head at once; this leaves time for a poor wireless link.
            head_within_when_short: Duration::from_secs(5),
            // A player that was paused asks again.
            stuck_for: Duration::from_secs(300),
            patience: Patience {
                // Longer than most playing players go without reading; those that first fill a large buffer pause
                // longer.
                stalled_after: Duration::from_secs(5),
                // Players give up after 10 s (VLC) to 60 s (ffmpeg, mpv) themselves.
                starved_after: Duration::from_secs(60),
            },
            // The page asks every 500 ms.
            stats_kept_for: Duration::from_millis(400),
        }
    }
}
