//! The place that a path means, and what lies beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How many links closegate follows from one path, as Linux does.
const LINKS_AT_MOST: usize = 40;

/// What the names of unfinished files and directories begin with.
pub(super) const ASIDE: &str = ".closegate-";

/// The place that a path means. Follows links to the end, also where nothing is there yet.
pub(super) fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_path_buf();
    for _ in 0..LINKS_AT_MOST {
        if !place.is_symlink() {
            return Ok(place);
        }
        let target = fs::read_link(&place)?;
        place = parent(&place).join(target);
    }
    Err(io::Error::other("a loop of links"))
}

/// The directory that a path lies in; a bare name lies in this one.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
