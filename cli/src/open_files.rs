//! Raises the limit on open files and sockets of the process.

/// Enough for all connections of a session, with its files beside them.
#[cfg(unix)]
const WANTED: u64 = 4_096;

/// Asks for more than the thousand or less that most systems allow a process that does not ask. Where the system says no, the
/// session makes fewer connections.
#[cfg(unix)]
pub(crate) fn ask_for_more() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let possible = maximum.map_or(WANTED, |maximum| WANTED.min(maximum));
    if current.is_some_and(|current| current < possible) {
        let limit = Rlimit {
            current: Some(possible),
            maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!("asking for {possible} open files: {error}");
        }
    }
}

/// Nothing limits sockets by the number of files here.
#[cfg(not(unix))]
pub(crate) const fn ask_for_more() {}
