//! The Diffie-Hellman exchange over the 768-bit prime of the specification, in constant time.

use crypto_bigint::modular::ConstMontyForm;
use crypto_bigint::{U192, U768, const_monty_params};

use super::MseError;
use super::entropy::EXPONENT_LEN;
use super::keys::Secret;
use super::limits::PUBLIC_KEY_LEN;

const_monty_params!(
    Prime,
    U768,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563",
    "The prime `P`, a safe one: every number but 0, 1 and `P - 1` has a huge order."
);

type Residue = ConstMontyForm<Prime, { U768::LIMBS }>;

const GENERATOR: Residue = Residue::new(&U768::from_u8(2));
const EXPONENT_BITS: u32 = 160;

/// A private exponent and what can be made of it.
pub(crate) struct KeyPair {
    exponent: U192,
}

impl KeyPair {
    pub(crate) fn new(random: [u8; EXPONENT_LEN]) -> Self {
        let mut bytes = [0; 24];
        bytes[4..].copy_from_slice(&random);
        // Whatever the randomness, the exponent is not 0, whose public key would be degenerate.
        bytes[4] |= 0x80;
        Self {
            exponent: U192::from_be_slice(&bytes),
        }
    }

    /// `2^X mod P`.
    pub(crate) fn public(&self) -> [u8; PUBLIC_KEY_LEN] {
        to_bytes(&self.power(&GENERATOR))
    }

    /// The secret that is shared with the owner of a public key.
    pub(crate) fn agree(&self, theirs: &[u8; PUBLIC_KEY_LEN]) -> Result<Secret, MseError> {
        let theirs = U768::from_be_slice(theirs);
        let last = Residue::MODULUS.as_ref().wrapping_sub(&U768::ONE);
        if theirs <= U768::ONE || theirs >= last {
            return Err(MseError::PublicKey);
        }
        Ok(Secret::new(to_bytes(&self.power(&Residue::new(&theirs)))))
    }

    fn power(&self, base: &Residue) -> U768 {
        base.pow_bounded_exp(&self.exponent, EXPONENT_BITS)
            .retrieve()
    }
}

fn to_bytes(number: &U768) -> [u8; PUBLIC_KEY_LEN] {
    let mut bytes = [0; PUBLIC_KEY_LEN];
    bytes.copy_from_slice(number.to_be_bytes().as_ref());
    bytes
}
