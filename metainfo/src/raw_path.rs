//! Unchanged paths of a torrent, under which another program may have stored its files.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Joins components with slashes; `None` where one of them is not a file name on any platform, or could be read as two
/// components.
pub(crate) fn join<'a>(components: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut joined = Vec::new();
    for component in components {
        if !is_name(component) {
            return None;
        }
        if !joined.is_empty() {
            joined.push(b'/');
        }
        joined.extend_from_slice(component);
    }
    (!joined.is_empty()).then_some(joined)
}

fn is_name(component: &[u8]) -> bool {
    !matches!(component, b"" | b"." | b"..")
        && !component.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// The path on this platform; `None` unless each component is the plain name of a file here.
pub(crate) fn on_this_platform(joined: &[u8]) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for component in joined.split(|&byte| byte == b'/') {
        let name = imp::name(component).filter(|_| is_name(component))?;
        let mut parts = Path::new(name).components();
        let is_plain = parts.next() == Some(Component::Normal(name)) && parts.next().is_none();
        if !is_plain {
            return None;
        }
        path.push(name);
    }
    Some(path)
}

#[cfg(unix)]
mod imp {
    use super::OsStr;
    use std::os::unix::ffi::OsStrExt;

    /// Any bytes are a name.
    pub(super) fn name(component: &[u8]) -> Option<&OsStr> {
        Some(OsStr::from_bytes(component))
    }
}

#[cfg(not(unix))]
mod imp {
    use super::OsStr;
    use crate::safe_path::is_safe_name;

    /// Names that are safe except for their length or case. Devices and names that end with a dot are not.
    pub(super) fn name(component: &[u8]) -> Option<&OsStr> {
        let name = std::str::from_utf8(component).ok()?;
        is_safe_name(name).then(|| OsStr::new(name))
    }
}
