//! `~` for the home folder, where no shell puts it in: in the configuration, the environment and lists of sources.

use std::env;

/// The variable that names the home folder.
const HOME: &str = match cfg!(windows) {
    true => "USERPROFILE",
    false => "HOME",
};

/// A path with the home folder in place of `~` at its beginning. `~name` is the name of a file, as in quotes in a shell.
///
/// # Errors
///
/// When the home folder is needed and not known, in words.
pub(crate) fn expand(path: &str) -> Result<String, String> {
    expand_with(path, || env::var(HOME).ok())
}

fn expand_with(path: &str, home: impl FnOnce() -> Option<String>) -> Result<String, String> {
    let is_separator = |c: char| c == '/' || (cfg!(windows) && c == '\\');
    let rest = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with(is_separator) => rest,
        _ => return Ok(path.to_owned()),
    };
    match home().filter(|home| !home.is_empty()) {
        Some(home) => Ok(home + rest),
        None => Err(format!(
            "{path:?} begins with ~, the home folder, and the environment variable {HOME} does not name it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tilde_by_itself_is_the_home_folder() {
        let at_home = |path| expand_with(path, || Some("/home/a".to_owned()));
        for (path, expanded) in [
            ("~", "/home/a"),
            ("~/b c/d", "/home/a/b c/d"),
            ("~b/c", "~b/c"),
            ("./~/b", "./~/b"),
            ("/b/~", "/b/~"),
            ("-", "-"),
        ] {
            assert_eq!(at_home(path).as_deref(), Ok(expanded));
        }
        assert!(expand_with("~/b", || None).is_err());
        assert!(expand_with("~", || Some(String::new())).is_err());
        assert_eq!(expand_with("b", || None).as_deref(), Ok("b"));
    }
}
