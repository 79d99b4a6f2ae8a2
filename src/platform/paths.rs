//! Paths in what closegate writes: the same bytes on every system.

use std::collections::BTreeMap;
use std::ffi::OsStr;
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

/// Whether Windows gives a device this name, with any extension, and so doesn't give it to a file ("Naming Files, Paths, and Namespaces"
/// in Microsoft's documentation).
pub(crate) fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end().to_ascii_lowercase();
    let is_port = |kind: &str| {
        let number = stem.strip_prefix(kind).unwrap_or_default();
        matches!(number.as_bytes(), [b'1'..=b'9'])
    };
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || is_port("com") || is_port("lpt")
}

/// Whether a path that is no file here means a device, such as `NUL` on Windows.
pub(crate) fn is_device(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    cfg!(windows) && name.is_some_and(|name| is_reserved(name) && !name.contains('.'))
}

/// Whether a file is what the Finder of macOS leaves in every directory that it shows, and makes again. It holds nothing but how that
/// directory looked.
pub(crate) fn is_of_the_finder(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == ".DS_Store")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{alike, is_reserved, portable, with_slashes};

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

    #[test]
    fn devices_of_windows_have_no_files() {
        for name in ["CON", "nul", "Aux.tf", "prn .json", "COM1", "lpt9.tf.json"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in [
            "", "sg-con", "vpc-1", "console", "com", "COM0", "com10", "x.con", ".nul",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
