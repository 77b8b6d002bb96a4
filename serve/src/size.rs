//! Parses and formats sizes such as `64MiB`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes: `64MiB`, `1GB`, `1.5G`, `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A text that is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSizeError {
    /// There is no number.
    #[error("not a size; write a number and a unit, such as 64MiB, 1GB or 1.5G")]
    NotASize,
    /// The unit is not one of ours.
    #[error(
        "unknown unit {0:?}; use B, K, M, G, T or KiB, MiB, GiB, TiB (powers of 1024), kB, MB, GB, TB (powers of 1000)"
    )]
    Unit(String),
    /// The number of bytes does not fit.
    #[error("more than 2^64 bytes")]
    TooLarge,
}

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let text = text.trim();
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let unit = unit(suffix.trim_start())?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() {
            return Err(ParseSizeError::NotASize);
        }
        let whole = digits(whole)?
            .checked_mul(u128::from(unit))
            .ok_or(ParseSizeError::TooLarge)?;
        // A u128 holds every unit times 10^18, and more digits than that say nothing about bytes.
        let fraction = fraction.get(..18).unwrap_or(fraction);
        let scale =
            10_u128.pow(u32::try_from(fraction.len()).map_err(|_| ParseSizeError::NotASize)?);
        let part = digits(fraction)?.saturating_mul(u128::from(unit)) / scale;
        let bytes = whole.checked_add(part).ok_or(ParseSizeError::TooLarge)?;
        u64::try_from(bytes)
            .map(Self)
            .map_err(|_| ParseSizeError::TooLarge)
    }
}

fn digits(text: &str) -> Result<u128, ParseSizeError> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only its length can still be wrong with it.
        true => text.parse().map_err(|_| ParseSizeError::TooLarge),
        false => Err(ParseSizeError::NotASize),
    }
}

/// As in GNU tools: a lone letter and `iB` count in 1024s, `B` behind a letter in 1000s. Case does not matter.
fn unit(suffix: &str) -> Result<u64, ParseSizeError> {
    let lower = suffix.to_ascii_lowercase();
    let unknown = || ParseSizeError::Unit(suffix.to_owned());
    let mut letters = lower.chars();
    let power = match letters.next() {
        None => return Ok(1),
        Some('b') if lower == "b" => return Ok(1),
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return Err(unknown()),
    };
    match letters.as_str() {
        "" | "i" | "ib" => Ok(1_024_u64.pow(power)),
        "b" => Ok(1_000_u64.pow(power)),
        _ => Err(unknown()),
    }
}

/// With three significant digits and a binary unit, for people.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1_024 {
            return write!(f, "{} B", self.0);
        }
        let mut unit = 0;
        let mut scale = 1_024_u64;
        // From 1023.5 on, rounding would show 1024 of the smaller unit.
        while unit + 1 < UNITS.len() && u128::from(self.0) * 2 >= u128::from(scale) * 2_047 {
            scale *= 1_024;
            unit += 1;
        }
        let hundredths = u128::from(self.0) * 100 / u128::from(scale);
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        match whole {
            0..10 => write!(f, "{whole}.{rest:02} {}", UNITS[unit]),
            10..100 => write!(f, "{whole}.{} {}", rest / 10, UNITS[unit]),
            _ => write!(f, "{whole} {}", UNITS[unit]),
        }
    }
}

impl Size {
    /// Formats it in the shortest form that [`FromStr`] reads as at least as much: for advice on the command line.
    pub fn as_argument(self) -> String {
        const MIB: u64 = 1_024 * 1_024;
        format!("{}MiB", self.0.div_ceil(MIB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read() {
        let cases = [
            ("0", 0),
            ("4096", 4_096),
            ("7B", 7),
            ("16KiB", 16_384),
            ("16k", 16_384),
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("1GB", 1_000_000_000),
            ("1gb", 1_000_000_000),
            ("1G", 1 << 30),
            ("1.5GiB", 3 << 29),
            ("0.1kB", 100),
            ("2.000000000000000000001T", 2 << 40),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        use ParseSizeError::{NotASize, TooLarge, Unit};
        let cases = [
            ("", NotASize),
            ("MiB", NotASize),
            (".5G", NotASize),
            ("5.G", NotASize),
            ("1.2.3", NotASize),
            ("-1", Unit("-1".to_owned())),
            ("1 potato", Unit("potato".to_owned())),
            ("1kiBi", Unit("kiBi".to_owned())),
            ("1é", Unit("é".to_owned())),
            ("18446744073709551616", TooLarge),
            ("99999999T", TooLarge),
            ("9999999999999999999999999999999999999999999", TooLarge),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Size>(), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown() {
        let cases = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.00 KiB"),
            (1_536, "1.50 KiB"),
            (64 << 20, "64.0 MiB"),
            (1_023 << 10, "1023 KiB"),
            ((1 << 20) - 1, "0.99 MiB"),
            (1 << 30, "1.00 GiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_size_or_an_error(text in "[0-9.]{0,60}[ a-zA-Z]{0,4}|\\PC*") {
            let _ = text.parse::<Size>();
        }

        #[test]
        fn advice_is_enough_and_not_much_more(bytes in 0..u64::MAX / 2) {
            let Size(read) = Size(bytes).as_argument().parse().unwrap();
            prop_assert!(read >= bytes && read - bytes < 1 << 20);
        }
    }
}
