//! Base 62: bytes as one number, written with `0-9A-Za-z`.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits that are taken at once: five of them fit into 32 bits with room.
const AT_ONCE: usize = 5;

/// The digits of bytes, without zeros in front.
pub(super) fn encode(bytes: &[u8]) -> String {
    // Digits in base 62, the last one first.
    let mut digits: Vec<u8> = Vec::with_capacity(bytes.len() * 3 / 2);
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = low(carry % 62);
            carry /= 62;
        }
        while carry > 0 {
            digits.push(low(carry % 62));
            carry /= 62;
        }
    }
    let letter = |digit: &u8| char::from(ALPHABET[usize::from(*digit)]);
    digits.iter().rev().map(letter).collect()
}

fn low(digit: u32) -> u8 {
    // It is below 62.
    u8::try_from(digit).unwrap_or(0)
}

/// The bytes of digits, without zeros in front; `None` if another character is among them.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    // 32 bits each, the last one first.
    let mut limbs: Vec<u32> = Vec::new();
    for digits in text.as_bytes().chunks(AT_ONCE) {
        let (mut factor, mut value) = (1_u64, 0_u64);
        for digit in digits {
            let digit = ALPHABET.iter().position(|known| known == digit)?;
            factor *= 62;
            value = value * 62 + u64::try_from(digit).ok()?;
        }
        let mut carry = value;
        for limb in &mut limbs {
            carry += u64::from(*limb) * factor;
            let [_, _, _, _, low @ ..] = carry.to_be_bytes();
            *limb = u32::from_be_bytes(low);
            carry >>= 32;
        }
        if carry > 0 {
            limbs.push(u32::try_from(carry).ok()?);
        }
    }
    let bytes: Vec<u8> = limbs
        .iter()
        .rev()
        .flat_map(|limb| limb.to_be_bytes())
        .collect();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

/// Whether a text has such digits alone.
pub(super) fn is_base62(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_as_by_hand() {
        assert_eq!(encode(&[61]), "z");
        assert_eq!(encode(&[62]), "10");
        assert_eq!(encode(&[1, 0]), "48");
        assert_eq!(encode(&[]), "");
        assert_eq!(decode("48"), Some(vec![1, 0]));
        assert_eq!(decode("00048"), Some(vec![1, 0]));
        assert_eq!(decode("4-8"), None);
        assert_eq!(decode("é"), None);
        assert!(is_base62("aZ9") && !is_base62("") && !is_base62("a-b"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // Zeros in front are no part of a number.
            bytes.insert(0, 0x78);
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn any_text_is_decoded_or_refused(text in "\\PC{0,300}") {
            prop_assert_eq!(decode(&text).is_some(), text.is_empty() || is_base62(&text));
        }
    }
}
