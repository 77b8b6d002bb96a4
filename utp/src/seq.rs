//! Sequence numbers of 16 bits, which wrap around.

/// The sequence number of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seq(pub(crate) u16);

impl Seq {
    /// The number `packets` later.
    pub(crate) const fn plus(self, packets: u16) -> Self {
        Self(self.0.wrapping_add(packets))
    }

    /// The number `packets` earlier.
    pub(crate) const fn minus(self, packets: u16) -> Self {
        Self(self.0.wrapping_sub(packets))
    }

    /// How many packets this is after `other`; negative if it is before.
    pub(crate) const fn since(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_pass_the_wrap_around() {
        assert_eq!(Seq(1).since(Seq(65_535)), 2);
        assert_eq!(Seq(65_535).since(Seq(1)), -2);
        assert_eq!(Seq(65_535).plus(3), Seq(2));
        assert_eq!(Seq(2).minus(3), Seq(65_535));
        assert_eq!(Seq(7).since(Seq(7)), 0);
    }
}
