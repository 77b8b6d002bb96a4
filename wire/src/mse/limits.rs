//! Limits of the handshake.

/// Bytes of a public key: 768 bits.
pub const PUBLIC_KEY_LEN: usize = 96;
/// The longest padding, in bytes, in each of the four places (specification).
pub const MAX_PADDING_LEN: usize = 512;
/// The longest initial payload that a responder takes, in bytes. The specification allows 65 535; clients send the 68
/// bytes of their BitTorrent handshake, and libtorrent refuses more. Some messages more do no harm.
pub const MAX_INITIAL_PAYLOAD_LEN: usize = 4096;
/// The most bytes that one handshake holds, whichever side, in all its states: the machine itself, two cipher states, what
/// was not taken by `poll_transmit`, and an initial payload. The caller's receive buffer comes on top.
pub const MAX_HELD_LEN: usize = 8192;

/// Bytes of the verification constant, which are all zero.
pub(super) const VC_LEN: usize = 8;
/// Bytes of the keystream that are thrown away, because they tell about the key.
pub(super) const DROPPED_KEYSTREAM_LEN: usize = 1024;
