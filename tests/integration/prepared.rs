//! Directories that many tests begin with: made once, and copied for each test, so that no test depends on another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use walkdir::WalkDir;

use crate::common::{closegate, printed};

/// The files of a directory, by path below it.
pub(crate) struct Prepared(BTreeMap<PathBuf, Vec<u8>>);

impl Prepared {
    /// The files that a directory has now.
    pub(crate) fn of(dir: &Path) -> Self {
        let entries = WalkDir::new(dir).into_iter().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().is_file());
        let read = |path: &Path| {
            let below = path.strip_prefix(dir).unwrap().to_path_buf();
            (below, fs::read(path).unwrap())
        };
        Self(files.map(|entry| read(entry.path())).collect())
    }

    /// Writes them into another directory.
    pub(crate) fn copy_to(&self, dir: &Path) {
        for (path, content) in &self.0 {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

static DEMO: LazyLock<Prepared> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    printed(
        closegate()
            .args(["demo", "--out"])
            .arg(dir.path().join("run")),
    );
    Prepared::of(dir.path())
});

/// What `closegate demo --out run` makes in a directory.
pub(crate) fn demo_run(dir: &Path) {
    DEMO.copy_to(dir);
}
