//! Who reads what: windows, deadlines, and the room and requests that follow from them.

pub(crate) mod readers;
pub(crate) mod updates;
pub(crate) mod urgency;
