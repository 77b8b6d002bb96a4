//! Free buffers that are kept, so that a steady stream does not fault new pages in all the time.

/// No more than this many are kept.
const MAX_SPARE: usize = 16;

/// After this many that were given back, what is needed at most is measured anew: a stream that has become slow keeps
/// few.
const PERIOD: u32 = 64;

#[derive(Debug, Default)]
pub(super) struct Spare {
    free: Vec<Vec<u8>>,
    /// How many were in use at most, in this period and the one before.
    most_used: [usize; 2],
    given_back: u32,
}

impl Spare {
    /// Tells how many buffers are in use.
    pub(super) fn on_used(&mut self, count: usize) {
        self.most_used[0] = self.most_used[0].max(count);
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.free.pop()
    }

    /// A buffer is free; `used` others are in use.
    pub(super) fn push(&mut self, mut buffer: Vec<u8>, used: usize) {
        self.given_back += 1;
        if self.given_back >= PERIOD {
            self.given_back = 0;
            self.most_used = [used, self.most_used[0]];
        }
        let most = self.most_used[0].max(self.most_used[1]).min(MAX_SPARE);
        let wanted = most.saturating_sub(used);
        self.free.truncate(wanted);
        if self.free.len() < wanted {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_were_in_use_lately() {
        let mut spare = Spare::default();
        spare.on_used(100);
        (0..100)
            .rev()
            .for_each(|used| spare.push(Vec::with_capacity(8), used));
        assert_eq!(spare.free.len(), MAX_SPARE);
        // From now on one is in use at most.
        for _ in 0..PERIOD * 2 {
            let buffer = spare.pop().unwrap_or_default();
            spare.on_used(1);
            spare.push(buffer, 0);
        }
        assert_eq!(spare.free.len(), 1);
    }
}
