//! A streaming bencode writer, without a tree in between. The caller writes the keys of a dictionary in order.

/// Appends values to a datagram.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn dict(&mut self, entries: impl FnOnce(&mut Self)) {
        self.0.push(b'd');
        entries(self);
        self.0.push(b'e');
    }

    pub(super) fn list(&mut self, items: impl FnOnce(&mut Self)) {
        self.0.push(b'l');
        items(self);
        self.0.push(b'e');
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.string_of(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Begins a string whose `len` bytes the caller appends.
    pub(super) fn string_of(&mut self, len: usize) {
        self.digits(u64::try_from(len).unwrap_or(u64::MAX));
        self.0.push(b':');
    }

    pub(super) fn int(&mut self, value: i64) {
        self.0.push(b'i');
        if value < 0 {
            self.0.push(b'-');
        }
        self.digits(value.unsigned_abs());
        self.0.push(b'e');
    }

    pub(super) fn raw(&mut self, encoded: &[u8]) {
        self.0.extend_from_slice(encoded);
    }

    pub(super) fn entry(&mut self, key: &str, value: &[u8]) {
        self.bytes(key.as_bytes());
        self.bytes(value);
    }

    pub(super) fn int_entry(&mut self, key: &str, value: i64) {
        self.bytes(key.as_bytes());
        self.int(value);
    }

    pub(super) fn flag_entry(&mut self, key: &str, is_set: bool) {
        if is_set {
            self.int_entry(key, 1);
        }
    }

    fn digits(&mut self, mut value: u64) {
        // The digits of `u64::MAX`.
        const MOST: usize = 20;
        let mut digits = [b'0'; MOST];
        let mut first = MOST;
        loop {
            first -= 1;
            // A remainder of ten is below ten.
            digits[first] += u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[first..]);
    }
}
