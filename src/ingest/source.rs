//! From the arguments to the files they name.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::IngestError;
use crate::net::{HashSet, is_account_id};
use crate::platform;

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// What reports call it: the path, `-`, or the name of an embedded file.
    pub name: String,
    origin: Origin,
    /// Its size in bytes, 0 when unknown; for progress only.
    pub size: u64,
}

/// Content that lies elsewhere than in a file.
pub trait Remote: Send + Sync + std::fmt::Debug {
    /// Its bytes, from the first.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;

    /// What tells its content from any other under the same name, and is known without
    /// reading: an `ETag`.
    fn identity(&self) -> &str;

    /// What kept it from being read to its end, if anything did.
    fn failure(&self) -> Option<String>;
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    File(PathBuf),
    Stdin,
    Memory(Arc<[u8]>),
    Remote(Elsewhere),
}

/// Two are the same if their names are.
#[derive(Clone, Debug)]
struct Elsewhere {
    name: String,
    remote: Arc<dyn Remote>,
}

impl PartialEq for Elsewhere {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Elsewhere {}

impl PartialOrd for Elsewhere {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Elsewhere {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Source {
    /// Bytes that are at hand: a file that is compiled into the program.
    pub fn memory(name: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            name: name.to_owned(),
            size: bytes.len() as u64,
            origin: Origin::Memory(bytes),
        }
    }

    /// Content that lies elsewhere, `size` bytes of it as far as that is known.
    pub fn remote(name: &str, size: u64, remote: Arc<dyn Remote>) -> Self {
        let name = name.to_owned();
        Self {
            name: name.clone(),
            size,
            origin: Origin::Remote(Elsewhere { name, remote }),
        }
    }

    /// What tells its content from any other, where that is known without reading it.
    pub fn identity(&self) -> Option<&str> {
        match &self.origin {
            Origin::Remote(elsewhere) => Some(elsewhere.remote.identity()),
            _ => None,
        }
    }

    /// What kept a remote source from being read to its end, if anything did.
    pub fn failure(&self) -> Option<String> {
        match &self.origin {
            Origin::Remote(elsewhere) => elsewhere.remote.failure(),
            _ => None,
        }
    }

    fn file(path: &Path) -> Self {
        Self {
            name: platform::portable(path),
            origin: Origin::File(path.to_path_buf()),
            size: path.metadata().map_or(0, |m| m.len()),
        }
    }

    /// What all paths to its file have in common. Inodes would not do: not every network file system has its own for each
    /// file.
    fn canonical(&self) -> Option<PathBuf> {
        match &self.origin {
            Origin::File(path) => path.canonicalize().ok(),
            Origin::Stdin | Origin::Memory(_) | Origin::Remote(_) => None,
        }
    }

    /// The flow log id in its name.
    pub fn flow_log_id(&self) -> Option<&str> {
        flow_log_id(&self.name)
    }

    /// The time in its name.
    pub fn slot(&self) -> Option<&str> {
        slot(&self.name)
    }

    /// Whether it is standard input, a pipe or a device: it can be read once, and nothing says what it will hold.
    pub fn is_stream(&self) -> bool {
        match &self.origin {
            Origin::Stdin => true,
            Origin::File(path) => path.metadata().is_ok_and(|there| !there.is_file()),
            Origin::Memory(_) | Origin::Remote(_) => false,
        }
    }

    /// Its bytes as they are.
    pub fn raw(&self) -> io::Result<Box<dyn Read + '_>> {
        self.open(|_| ())
    }

    /// Opens the source; `counted` is told of every byte that is read, before
    /// decompression.
    pub(super) fn open<'a>(
        &'a self,
        counted: impl FnMut(u64) + 'a,
    ) -> io::Result<Box<dyn Read + 'a>> {
        let inner: Box<dyn Read + 'a> = match &self.origin {
            Origin::File(path) => {
                let file = File::open(path)?;
                // A file that grows while it is read is read as it was.
                let length = file.metadata()?;
                if length.is_file() {
                    Box::new(file.take(length.len()))
                } else {
                    Box::new(file)
                }
            }
            Origin::Stdin => Box::new(io::stdin()),
            Origin::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
            Origin::Remote(elsewhere) => elsewhere.remote.open()?,
        };
        Ok(Box::new(Counted { inner, counted }))
    }
}

/// The flow log id in an S3 object's name,
/// `{acct}_vpcflowlogs_{region}_{fl-id}_{stamp}_{hash}.log.gz` (flow-logs-s3-path.html).
pub fn flow_log_id(name: &str) -> Option<&str> {
    let name = name.rsplit(['/', '\\']).next()?;
    let mut parts = name.split('_').skip_while(|part| *part != "vpcflowlogs");
    parts.nth(2).filter(|part| part.starts_with("fl-"))
}

/// The 5-minute slot in an S3 object's name, `_{YYYYMMDD}T{HHmm}Z_`: its rows end in
/// it (flow-logs-s3-path.html). In the order of time.
pub fn slot(name: &str) -> Option<&str> {
    let name = name.rsplit(['/', '\\']).next()?;
    name.split('_').find(|part| {
        part.len() == 14
            && part.ends_with('Z')
            && part.as_bytes()[8] == b'T'
            && part.as_bytes()[..8].iter().all(u8::is_ascii_digit)
            && part.as_bytes()[9..13].iter().all(u8::is_ascii_digit)
    })
}

struct Counted<R, F> {
    inner: R,
    counted: F,
}

impl<R: Read, F: FnMut(u64)> Read for Counted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        (self.counted)(count as u64);
        Ok(count)
    }
}

/// Finds the files behind each argument: a file, a directory (walked), a glob, or
/// `-`. The result is sorted and holds each file once, so the order of arguments
/// makes no difference.
pub fn find(arguments: &[String]) -> Result<Vec<Source>, IngestError> {
    let mut sources = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        if argument == "-" {
            sources.push(Source {
                name: "-".to_owned(),
                origin: Origin::Stdin,
                size: 0,
            });
        } else if path.is_dir() {
            let before = sources.len();
            walk(path, &mut sources)?;
            if sources.len() == before {
                return Err(IngestError::EmptyDirectory(argument.clone()));
            }
        } else if path.exists() {
            sources.push(Source::file(path));
        } else {
            expand(argument, &mut sources)?;
        }
    }
    // Of several paths to one file, one that names the flow log: it tells the format of a log without a header.
    sources.sort_by_cached_key(|source| (source.flow_log_id().is_none(), source.clone()));
    let mut files = HashSet::default();
    sources.retain(|source| source.canonical().is_none_or(|path| files.insert(path)));
    sources.sort();
    sources.dedup_by(|a, b| a.origin == b.origin);
    Ok(sources)
}

/// A source that is left out, because its name says that another source is the same flow log object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCopy {
    /// Name of the source that is left out.
    pub name: String,
    /// Name of the source that is read.
    pub of: String,
    /// Whether their sizes are equal. If not, one of them was not copied to its end.
    pub same_size: bool,
}

/// Keeps one source of each flow log object, and says which it left out. Of copies of different sizes it keeps the
/// largest. Sources whose names are not those that AWS gives to such objects are all kept.
pub fn without_copies(mut sources: Vec<Source>) -> (Vec<Source>, Vec<ObjectCopy>) {
    // A file is cheaper to read than an object in S3.
    sources.sort_by_cached_key(|source| {
        (
            Reverse(source.size),
            source.identity().is_some(),
            source.clone(),
        )
    });
    let mut objects: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut copies = Vec::new();
    sources.retain(|source| {
        let Some(object) = object_name(&source.name) else {
            return true;
        };
        if let Some((of, size)) = objects.get(object) {
            copies.push(ObjectCopy {
                name: source.name.clone(),
                of: of.clone(),
                same_size: *size == source.size,
            });
            return false;
        }
        objects.insert(object.to_owned(), (source.name.clone(), source.size));
        true
    });
    sources.sort();
    copies.sort_by(|a, b| a.name.cmp(&b.name));
    (sources, copies)
}

/// The name of a flow log object in S3, if the last part of a path is one. AWS gives no such name twice.
pub fn object_name(name: &str) -> Option<&str> {
    let name = name.rsplit(['/', '\\']).next()?;
    let parts: Vec<&str> = name.split('_').collect();
    let [account, "vpcflowlogs", _, _, _, hash] = parts.as_slice() else {
        return None;
    };
    let unique = is_account_id(account)
        && flow_log_id(name).is_some()
        && slot(name).is_some()
        && hash.find('.').is_some_and(|dot| dot > 0);
    unique.then_some(name)
}

/// Whether an argument names something in AWS.
pub fn is_remote(argument: &str) -> bool {
    let scheme = argument.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["s3", "cloudwatch", "insights", "athena"].contains(&scheme))
}

fn walk(dir: &Path, sources: &mut Vec<Source>) -> Result<(), IngestError> {
    for entry in walkdir::WalkDir::new(dir).follow_links(true) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => sources.push(Source::file(entry.path())),
            Ok(_) => {}
            // A loop of links: what it leads to is walked anyhow.
            Err(error) if error.loop_ancestor().is_some() => {}
            // A link to nothing, or a directory that may not be read: opening it will say so,
            // and the rest is read.
            Err(error) if error.depth() > 0 => {
                sources.extend(error.path().map(Source::file));
            }
            Err(error) => {
                return Err(IngestError::Directory {
                    path: dir.display().to_string(),
                    reason: error.to_string(),
                });
            }
        }
    }
    Ok(())
}

fn expand(pattern: &str, sources: &mut Vec<Source>) -> Result<(), IngestError> {
    if is_remote(pattern) {
        return Err(IngestError::Remote(pattern.to_owned()));
    }
    if !pattern.contains(['*', '?', '[']) {
        return Err(IngestError::NotFound(pattern.to_owned()));
    }
    let paths = glob::glob(pattern).map_err(|error| IngestError::Pattern {
        pattern: pattern.to_owned(),
        reason: error.msg,
    })?;
    let before = sources.len();
    for path in paths.filter_map(Result::ok) {
        if path.is_dir() {
            walk(&path, sources)?;
        // As in a directory: a pipe or a device is read only where it is named itself.
        } else if path.is_file() || !path.exists() {
            sources.push(Source::file(&path));
        }
    }
    if sources.len() == before {
        return Err(IngestError::NoMatch(pattern.to_owned()));
    }
    Ok(())
}
