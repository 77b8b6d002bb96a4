//! Limits on received datagrams: what an untrusted sender may cost the reader.

/// The longest datagram that is read, in bytes: what an Ethernet frame carries. BEP 32 asks for 1024 at least.
pub const MAX_DATAGRAM_LEN: usize = 1500;
/// The longest datagram that a node may send, in bytes (BEP 32). The encoder does not enforce it: only the sender knows
/// which entries of an answer it can do without.
pub const MAX_SENT_DATAGRAM_LEN: usize = 1024;
/// The longest transaction id, in bytes. Two suffice (BEP 5); it is echoed, so a longer one costs both sides.
pub const MAX_TRANSACTION_ID_LEN: usize = 20;
/// The longest write token, in bytes. BEP 5 says "short"; a SHA-1 is the longest in common use.
pub const MAX_TOKEN_LEN: usize = 64;
/// The longest salt of a mutable item, in bytes (BEP 44).
pub const MAX_SALT_LEN: usize = 64;
/// The longest value of an item, in bytes of bencode (BEP 44).
pub const MAX_ITEM_VALUE_LEN: usize = 1000;
/// The most info-hashes that are read from `samples`. The rest is ignored.
pub const MAX_SAMPLES: usize = 64;
/// The longest name of a query, in bytes.
pub const MAX_METHOD_NAME_LEN: usize = 32;
/// The longest `v`, in bytes. BEP 5 has four; a longer one is ignored.
pub const MAX_CLIENT_VERSION_LEN: usize = 16;
/// The longest text of an error, in bytes of UTF-8. The rest is cut off.
pub const MAX_ERROR_TEXT_LEN: usize = 128;
/// The most nodes that are read from `nodes`, and from `nodes6`. BEP 5 has 8, some send 20; the rest is ignored.
pub const MAX_NODES: usize = 32;
/// The most peers that are read from `values`. The rest is ignored.
pub const MAX_VALUES: usize = 128;
/// How many lists and dictionaries may be open at once in a datagram. BEP 5 and 32 need three.
pub const MAX_BENCODE_DEPTH: u32 = 16;
/// The most bencoded values in a datagram, keys included: above what [`MAX_VALUES`] or an item of
/// [`MAX_ITEM_VALUE_LEN`], and all known keys, need.
pub const MAX_BENCODE_TOKENS: u32 = 600;
