//! A file of the inventory as JSON: which files count, and the encodings in which people keep them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::InventoryError;

/// What a file holds.
#[derive(Debug)]
pub(super) enum JsonFile {
    /// JSON: one page, or several that were appended to one file.
    Pages(Vec<Value>),
    /// Something else, as notes and scripts are that lie beside the snapshot.
    Other,
}

/// How much of a file is enough to see whether it is JSON.
const PEEK: u64 = 512;

impl JsonFile {
    /// Reads a file that is called `.json` or `.json.gz`, or whose content is JSON.
    pub(super) fn read(path: &Path) -> Result<Self, InventoryError> {
        let unreadable = |source| InventoryError::Unreadable {
            path: path.to_path_buf(),
            source,
        };
        let Some(bytes) = load(path).map_err(unreadable)? else {
            return Ok(Self::Other);
        };
        Self::parse(path, &bytes)
    }

    /// Reads text that is there already; `path` is for messages.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, InventoryError> {
        let bytes = if is_gzip(bytes) {
            &unpacked(bytes).map_err(|source| InventoryError::Unreadable {
                path: path.to_path_buf(),
                source,
            })?
        } else {
            bytes
        };
        let text = utf8(bytes).map_err(|what| InventoryError::Syntax {
            path: path.to_path_buf(),
            line: 1,
            column: 1,
            what,
        })?;
        let pages = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
        let pages = pages
            .collect::<Result<_, _>>()
            .map_err(|error| syntax(path, &error))?;
        Ok(Self::Pages(pages))
    }
}

/// Whether a file is to be JSON, by its name.
pub(super) fn is_named_json(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    [".json", ".json.gz"].iter().any(|end| name.ends_with(end))
}

/// The whole file, if it counts.
fn load(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(PEEK).read_to_end(&mut bytes)?;
    if !is_named_json(path) && !looks_like_json(&bytes) {
        return Ok(None);
    }
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Every member, each with its checksum compared.
fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes)
        .read_to_end(&mut text)
        .map_err(|error| io::Error::new(error.kind(), format!("gzip is damaged: {error}")))?;
    Ok(text)
}

/// Whether text begins as a JSON object or a list of objects does. `[section]` and `{{template}}` don't.
fn looks_like_json(start: &[u8]) -> bool {
    let unpacked = if is_gzip(start) {
        // Only the beginning is here, so the end is missing: what came until then is what is wanted.
        let mut text = vec![0; 64];
        let length = MultiGzDecoder::new(start)
            .read(&mut text)
            .unwrap_or_default();
        text.truncate(length);
        Some(text)
    } else {
        None
    };
    let start = unpacked.as_deref().unwrap_or(start);
    let start: Vec<u8> = match start {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest.to_vec(),
        // UTF-16 of ASCII: each second byte is 0.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => start
            .iter()
            .copied()
            .filter(|byte| byte.is_ascii() && *byte != 0)
            .collect(),
        other => other.to_vec(),
    };
    let mut signs = start.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (signs.next(), signs.next()) {
        (Some(b'{'), Some(b'"' | b'}')) | (Some(b'['), Some(b'{' | b']')) => true,
        // Cut off behind the first sign.
        (Some(b'{' | b'['), None) => true,
        _ => false,
    }
}

/// Two bytes into a unit of UTF-16.
type Pair = fn([u8; 2]) -> u16;

/// UTF-8 without a byte order mark, from UTF-8 or UTF-16 (PowerShell's `>` writes the latter).
fn utf8(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let (body, pair): (&[u8], Pair) = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return Ok(rest.into()),
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [b'{' | b'[', 0, ..] => (bytes, u16::from_le_bytes),
        [0, b'{' | b'[', ..] => (bytes, u16::from_be_bytes),
        _ => return Ok(bytes.into()),
    };
    let (pairs, rest) = body.as_chunks::<2>();
    let text = String::from_utf16(&pairs.iter().map(|&bytes| pair(bytes)).collect::<Vec<_>>());
    match (text, rest) {
        (Ok(text), []) => Ok(text.into_bytes().into()),
        _ => Err("it begins as UTF-16 and isn't".to_owned()),
    }
}

fn syntax(path: &Path, error: &serde_json::Error) -> InventoryError {
    let what = if error.is_eof() {
        "the file ends in the middle of it".to_owned()
    } else {
        let text = error.to_string();
        let end = text.rfind(" at line ").unwrap_or(text.len());
        text[..end].to_owned()
    };
    InventoryError::Syntax {
        path: path.to_path_buf(),
        line: error.line(),
        column: error.column(),
        what,
    }
}
