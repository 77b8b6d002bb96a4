//! Parses and checks the text of an integer.

use crate::{DecodeErrorKind, Options};

/// Digits that cannot exceed an [`i64`], whatever they are.
const SAFE_DIGITS: usize = 18;

/// The value of digits with an optional minus sign in front; superfluous zeros do not matter.
pub(crate) fn parse(text: &[u8]) -> Result<i64, DecodeErrorKind> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecodeErrorKind::InvalidInteger);
    }
    if digits.len() <= SAFE_DIGITS {
        let value = digits
            .iter()
            .fold(0i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        return Ok(if negative { -value } else { value });
    }
    // Counting down reaches `i64::MIN`, which has no positive twin.
    let below = digits.iter().try_fold(0i64, |value, digit| {
        value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))
    });
    let value = if negative {
        below
    } else {
        below.and_then(i64::checked_neg)
    };
    value.ok_or(DecodeErrorKind::IntegerOutOfRange)
}

/// Whether the text between `i` and `e` is an integer that `options` let pass.
pub(crate) fn check(text: &[u8], options: &Options) -> Result<(), DecodeErrorKind> {
    let value = parse(text)?;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 1 && digits[0] == b'0' && !options.leading_zeros {
        return Err(DecodeErrorKind::LeadingZero);
    }
    if negative && value == 0 && !options.negative_zero {
        return Err(DecodeErrorKind::NegativeZero);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_range_is_that_of_i64() {
        assert_eq!(parse(b"9223372036854775807"), Ok(i64::MAX));
        assert_eq!(parse(b"-9223372036854775808"), Ok(i64::MIN));
        for text in [&b"9223372036854775808"[..], b"-9223372036854775809"] {
            assert_eq!(parse(text), Err(DecodeErrorKind::IntegerOutOfRange));
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(text in "-?[0-9]{1,21}") {
            prop_assert_eq!(parse(text.as_bytes()).ok(), text.parse::<i64>().ok());
        }
    }
}
