//! The extensions that we know, by their names and numbers.

/// An extension that we speak, with the number under which peers send it to *us*.
///
/// The numbers are our own choice (BEP 10 leaves them to each side). They equal libtorrent's, because traffic analysers
/// know those.
///
/// Exhaustive on purpose: when an extension is added, the compiler points at each match that must handle it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExtensionId {
    /// `ut_pex`: peer exchange (BEP 11).
    UtPex = 1,
    /// `ut_metadata`: metadata exchange (BEP 9).
    UtMetadata = 2,
    /// `upload_only`: the peer wants nothing (BEP 21).
    UploadOnly = 3,
    /// `ut_holepunch`: hole punching (BEP 55).
    UtHolepunch = 4,
    /// `lt_donthave`: a piece is gone (BEP 54).
    LtDontHave = 7,
}

impl ExtensionId {
    /// Every extension, in the order of their names.
    pub const ALL: [Self; 5] = [
        Self::LtDontHave,
        Self::UploadOnly,
        Self::UtHolepunch,
        Self::UtMetadata,
        Self::UtPex,
    ];

    /// Our number for it.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The extension with this number of ours.
    #[must_use]
    pub fn from_u8(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_u8() == id)
    }

    /// Its name in an extension handshake.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LtDontHave => "lt_donthave",
            Self::UploadOnly => "upload_only",
            Self::UtHolepunch => "ut_holepunch",
            Self::UtMetadata => "ut_metadata",
            Self::UtPex => "ut_pex",
        }
    }

    const fn slot(self) -> usize {
        match self {
            Self::LtDontHave => 0,
            Self::UploadOnly => 1,
            Self::UtHolepunch => 2,
            Self::UtMetadata => 3,
            Self::UtPex => 4,
        }
    }
}

/// The numbers that one side gives to extensions: the `m` of a handshake, or of several handshakes merged.
///
/// Extensions that we do not know are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExtensionIds([Option<u8>; ExtensionId::ALL.len()]);

impl ExtensionIds {
    /// No extension.
    pub const NONE: Self = Self([None; ExtensionId::ALL.len()]);

    /// Our own numbers for `extensions`.
    #[must_use]
    pub fn ours(extensions: impl IntoIterator<Item = ExtensionId>) -> Self {
        let mut ids = Self::NONE;
        for extension in extensions {
            ids.set(extension, extension.as_u8());
        }
        ids
    }

    /// The number to send `extension` under; `None` if the other side does not take it.
    #[must_use]
    pub fn get(&self, extension: ExtensionId) -> Option<u8> {
        self.0[extension.slot()].filter(|id| *id != 0)
    }

    /// Gives `extension` a number; 0 switches it off.
    pub fn set(&mut self, extension: ExtensionId, id: u8) {
        self.0[extension.slot()] = Some(id);
    }

    /// Applies a later handshake, which needs to name only what changed (BEP 10).
    pub fn update(&mut self, changes: &Self) {
        for (id, change) in self.0.iter_mut().zip(changes.0) {
            *id = change.or(*id);
        }
    }

    /// Name and number of each extension that is named, also of those switched off.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'static str, u8)> {
        ExtensionId::ALL
            .into_iter()
            .zip(self.0)
            .filter_map(|(extension, id)| Some((extension.name(), id?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_slots_belong_to_one_extension_each() {
        for (slot, extension) in ExtensionId::ALL.into_iter().enumerate() {
            assert_eq!(extension.slot(), slot);
            assert_eq!(ExtensionId::from_u8(extension.as_u8()), Some(extension));
            assert_ne!(extension.as_u8(), 0, "0 is the handshake");
        }
        assert!(ExtensionId::ALL.is_sorted_by_key(|extension| extension.name()));
        assert_eq!(ExtensionId::from_u8(0), None);
        assert_eq!(ExtensionId::from_u8(255), None);
    }

    #[test]
    fn later_handshakes_add_to_earlier_ones() {
        let mut theirs = ExtensionIds::NONE;
        theirs.set(ExtensionId::UtPex, 9);
        theirs.set(ExtensionId::UtMetadata, 8);
        let mut changes = ExtensionIds::NONE;
        changes.set(ExtensionId::UtPex, 0);
        changes.set(ExtensionId::LtDontHave, 3);
        theirs.update(&changes);
        assert_eq!(theirs.get(ExtensionId::UtPex), None);
        assert_eq!(theirs.get(ExtensionId::UtMetadata), Some(8));
        assert_eq!(theirs.get(ExtensionId::LtDontHave), Some(3));
        assert_eq!(theirs.get(ExtensionId::UtHolepunch), None);
    }

    #[test]
    fn ours_are_our_own_numbers() {
        let ours = ExtensionIds::ours([ExtensionId::UtPex]);
        assert_eq!(ours.get(ExtensionId::UtPex), Some(1));
        assert_eq!(ours.get(ExtensionId::UtMetadata), None);
    }
}
