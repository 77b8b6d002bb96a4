//! HTTP/2 (RFC 9113), where a host offers it in the TLS handshake (ALPN): its limits.
//!
//! All requests to a host share one connection then. Unlike HTTP/1.1, whose bytes wait in the kernel's buffer, what has
//! come and was not read yet is this process's memory: the windows bound it.

use std::time::Duration;

use hyper_util::client::legacy::Builder;
use hyper_util::rt::TokioTimer;

/// The most that one answer may have on its way to its reader, in bytes: 84 Mbit/s at a round trip of 100 ms.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// The same for all answers of a connection: the memory that a host can take. Twice an answer's, so that one that is not
/// read holds no other up.
const CONNECTION_WINDOW: u32 = 2 * STREAM_WINDOW;
/// How long a connection with requests under way may be silent before it is probed, and how long the probe's answer may
/// take. A connection that is dead is found within the default read timeout, and is not used again.
const PROBE_AFTER: Duration = Duration::from_secs(10);
const PROBE_WITHIN: Duration = Duration::from_secs(10);

/// Sets the limits of HTTP/2 connections. Those that are not set are hyper's and h2's, and small enough: frames of 16 KiB,
/// a header table of 4 KiB, and a budget for frames that carry next to nothing. Servers may push nothing.
pub(crate) fn limit(builder: &mut Builder, max_head_len: u32) {
    builder
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(max_head_len)
        .http2_keep_alive_interval(PROBE_AFTER)
        .http2_keep_alive_timeout(PROBE_WITHIN);
}
