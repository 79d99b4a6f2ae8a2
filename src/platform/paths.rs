//! Paths in what closegate writes: the same bytes on every system.

use std::collections::BTreeMap;
use std::path::{MAIN_SEPARATOR, Path};

/// A path as documents and reports have it, with `/` between its parts.
pub(crate) fn portable(path: &Path) -> String {
    with_slashes(&path.display().to_string(), MAIN_SEPARATOR)
}

/// The same of a text, from a system with this separator.
fn with_slashes(path: &str, separator: char) -> String {
    path.replace(separator, "/")
}

/// Two names, the second after the first, that differ by capital letters alone. On macOS and Windows they mean one file.
pub(crate) fn alike<'a>(
    names: impl IntoIterator<Item = &'a String>,
) -> Option<(&'a String, &'a String)> {
    let mut seen = BTreeMap::new();
    names.into_iter().find_map(|name| {
        let before = seen.insert(name.to_ascii_lowercase(), name);
        before.map(|before| (before, name))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{alike, portable, with_slashes};

    #[test]
    fn paths_read_the_same_from_both_systems() {
        for (unix, windows) in [
            ("flows/2026/11/a.log", r"flows\2026\11\a.log"),
            ("../a b/ü.log", r"..\a b\ü.log"),
            ("flows/sub/a.log", r"flows/sub\a.log"),
            ("C:/logs/a.log", r"C:\logs\a.log"),
            ("//server/share/a.log", r"\\server\share\a.log"),
            ("a.log", "a.log"),
            ("", ""),
        ] {
            assert_eq!(with_slashes(windows, '\\'), unix);
            assert_eq!(with_slashes(unix, '/'), unix);
        }
        // On Unix a backslash is a character of a name.
        assert_eq!(with_slashes(r"a\b/c", '/'), r"a\b/c");
        let joined = Path::new("flows").join("sub").join("a.log");
        assert_eq!(portable(&joined), "flows/sub/a.log");
    }

    #[test]
    fn names_that_differ_by_capital_letters_are_found() {
        let names = |of: &[&str]| of.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let same = names(&["sg-0A", "sg-0b", "sg-0a"]);
        assert_eq!(alike(&same), Some((&same[0], &same[2])));
        assert_eq!(alike(&names(&["sg-0a", "sg-0b", "sg-0"])), None);
    }
}
