//! The bodies of the fuzz targets.

use crate::resume::ResumeData;

/// Resume data that is read is written the same.
pub fn resume(data: &[u8]) {
    if let Ok(read) = ResumeData::from_bytes(data) {
        assert_eq!(ResumeData::from_bytes(&read.to_bytes()), Ok(read));
    }
}
