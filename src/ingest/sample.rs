//! What a source is, and the start of a large one, without reading it to its end.

use std::io::{self, Read};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::container::{self, BYTE_ORDER_MARK, Content, MEMBERS_AT_MOST, Peeked};
use super::elements::{self, JsonEvent};
use super::fields::{self, Column};
use super::format::LogFormat;
use super::members::{Compression, Members};
use super::source::Source;
use super::tape::Tape;
use super::utf16::Utf16;
use super::{ocsf, parquet};

/// How much of a source is read as a sample.
#[derive(Clone, Copy, Debug)]
pub struct SampleLimits {
    /// Files of at most so many bytes are read whole.
    pub whole: u64,
    /// Of other text, so many lines.
    pub lines: usize,
    /// Or so many bytes, if these are fewer.
    pub bytes: u64,
}

/// A source, or as much of it as is looked at.
#[derive(Debug)]
pub struct SourceSample {
    /// What to read. It has the source's name.
    pub source: Source,
    /// What the source is, the outermost first: `gzip`, `text`.
    pub layers: Vec<&'static str>,
    /// The fields that its content names: the header of CSV, columns of Parquet, keys of the first JSON object. Nothing
    /// for text, whose format [`described_fields`] tells, and where the content names none.
    pub fields: Option<Vec<&'static str>>,
    /// Whether `source` is only the start.
    pub is_cut: bool,
}

/// Looks at a source. Text that is larger than the limits is cut behind a line; archives and Parquet are not cut. What
/// can be read only once, or is in AWS, is held in memory.
pub fn sample(source: &Source, limits: SampleLimits) -> io::Result<SourceSample> {
    let (source, is_part) = if source.is_stream() || source.identity().is_some() {
        held(source, limits.bytes)?
    } else {
        (source.clone(), false)
    };
    let mut look = Look {
        limits: (is_part || source.size > limits.whole).then_some(limits),
        is_part,
        layers: Vec::new(),
        fields: None,
    };
    let start = match source.raw().and_then(|reader| look.content(reader, 0)) {
        Ok(start) => start,
        Err(error) if is_part => return Err(error),
        // Whoever reads the records meets the same, and accounts for it.
        Err(_) => None,
    };
    let Look { layers, fields, .. } = look;
    if is_part && start.is_none() {
        return Err(io::Error::other(format!(
            "it is larger than {} MiB and not plain text, so its start can't be read alone; give it as a file",
            limits.bytes >> 20
        )));
    }
    Ok(SourceSample {
        is_cut: start.is_some(),
        source: match start {
            Some(start) => Source::memory(&source.name, start),
            None => source,
        },
        layers,
        fields,
    })
}

/// The bytes of a source, up to a limit, and whether there are more.
fn held(source: &Source, limit: u64) -> io::Result<(Source, bool)> {
    let mut bytes = Vec::new();
    source.raw()?.take(limit + 1).read_to_end(&mut bytes)?;
    let is_part = bytes.len() as u64 > limit;
    Ok((Source::memory(&source.name, bytes), is_part))
}

/// The fields of text, by what a [`SourceIntake`](super::SourceIntake) calls its format; nothing where that is no format
/// of text.
pub fn described_fields(described: &str) -> Option<Vec<&'static str>> {
    let default = LogFormat::default_v2();
    let format = if described == default.describe() {
        default
    } else {
        LogFormat::from_header(described).ok()?
    };
    Some(known(format.names().iter().map(String::as_str)))
}

/// The fields among names of columns or keys, once each.
fn known<'n>(names: impl Iterator<Item = &'n str>) -> Vec<&'static str> {
    let name = |name: &str| match fields::column(name) {
        Some(column) => Some(column.name()),
        None => fields::field(name).map(|field| field.name),
    };
    let mut known: Vec<&'static str> = names.filter_map(name).collect();
    known.sort_unstable();
    known.dedup();
    known
}

/// A source while it is looked at.
struct Look {
    /// Nothing where it is read whole.
    limits: Option<SampleLimits>,
    /// It is the start of something that goes on.
    is_part: bool,
    layers: Vec<&'static str>,
    fields: Option<Vec<&'static str>>,
}

impl Look {
    /// Goes down to the records. Returns the first lines of text that is cut.
    fn content<'r>(
        &mut self,
        reader: Box<dyn Read + 'r>,
        depth: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        if depth > MEMBERS_AT_MOST {
            return Ok(None);
        }
        let peeked = Peeked::new(reader);
        let content = Content::of(peeked.start());
        self.layers.push(layer(content));
        match content {
            Content::Compressed(compression) => {
                let tape = Tape::new(Vec::new(), peeked.into_reader());
                self.content(Box::new(Members::new(compression, tape)), depth + 1)
            }
            Content::Utf16(order) => {
                let text = Utf16::new(peeked.into_reader(), order);
                self.content(Box::new(text), depth + 1)
            }
            Content::Tar | Content::Zip => Ok(None),
            Content::Parquet => {
                let mut bytes = Vec::new();
                let mut whole = peeked.into_reader().take(container::IN_MEMORY_UP_TO);
                whole.read_to_end(&mut bytes)?;
                self.fields = parquet::field_names(Bytes::from(bytes));
                Ok(None)
            }
            Content::Json => {
                self.fields = json_fields(peeked.start());
                // A document that goes over several lines can't be cut at any of them.
                if !is_document(first_line(peeked.start())) {
                    return Ok(None);
                }
                self.lines(peeked.into_reader())
            }
            Content::Csv => {
                let header = String::from_utf8_lossy(first_line(peeked.start())).into_owned();
                let names = header.split(',').map(|name| name.trim().trim_matches('"'));
                self.fields = Some(known(names)).filter(|names| names.len() > 1);
                self.lines(peeked.into_reader())
            }
            Content::Text => self.lines(peeked.into_reader()),
        }
    }

    /// The first lines, if there are more than the limits allow.
    fn lines(&self, mut reader: impl Read) -> io::Result<Option<Vec<u8>>> {
        const PIECE: u64 = 1 << 20;
        let Some(limits) = self.limits else {
            return Ok(None);
        };
        let (mut text, mut lines) = (Vec::new(), 0);
        loop {
            let before = text.len();
            if reader.by_ref().take(PIECE).read_to_end(&mut text)? == 0 {
                if self.is_part {
                    return Ok(whole_lines(text));
                }
                return Ok(None);
            }
            let wanted = limits.lines.saturating_sub(lines + 1);
            let last = memchr::memchr_iter(b'\n', &text[before..]).nth(wanted);
            if let Some(last) = last {
                let end = before + last + 1;
                if text.len() == end && reader.read(&mut [0])? == 0 && !self.is_part {
                    return Ok(None);
                }
                text.truncate(end);
                return Ok(Some(text));
            }
            lines += memchr::memchr_iter(b'\n', &text[before..]).count();
            if text.len() as u64 >= limits.bytes {
                return Ok(whole_lines(text));
            }
        }
    }
}

/// Text up to its last line end; nothing where it has none.
fn whole_lines(mut text: Vec<u8>) -> Option<Vec<u8>> {
    let end = memchr::memrchr(b'\n', &text)?;
    text.truncate(end + 1);
    Some(text)
}

const fn layer(content: Content) -> &'static str {
    match content {
        Content::Compressed(Compression::Gzip) => "gzip",
        Content::Compressed(Compression::Bzip2) => "bzip2",
        Content::Compressed(Compression::Zstd) => "zstd",
        Content::Tar => "tar",
        Content::Zip => "zip",
        Content::Parquet => "Parquet",
        Content::Utf16(_) => "UTF-16",
        Content::Json => "JSON",
        Content::Csv => "CSV",
        Content::Text => "text",
    }
}

fn first_line(start: &[u8]) -> &[u8] {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let line = memchr::memchr(b'\n', start).map_or(start, |end| &start[..end]);
    line.trim_ascii()
}

fn is_document(line: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// The fields of the first record in JSON whose values are apart.
fn json_fields(start: &[u8]) -> Option<Vec<&'static str>> {
    let (mut found, mut pairs) = (None, Vec::new());
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    elements::each(start, |_, event| {
        let JsonEvent::Element(json) = event else {
            return;
        };
        if found.is_some() {
            return;
        }
        let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(json) else {
            return;
        };
        // Logs Insights answers with a list of names and values for each record.
        if let Some(Value::String(field)) = object.get("field") {
            pairs.push(field.clone());
        } else if ocsf::is_event(&object) {
            found = Some(ocsf_fields(&object));
        } else {
            found = Some(known(object.keys().map(String::as_str)));
        }
    });
    let fields = found.unwrap_or_else(|| known(pairs.iter().map(String::as_str)));
    (fields.len() > 1).then_some(fields)
}

/// The fields that an event of OCSF holds.
fn ocsf_fields(event: &Map<String, Value>) -> Vec<&'static str> {
    let has = |path: &[&str]| {
        let mut value = event.get(path[0]);
        for &key in &path[1..] {
            value = value.and_then(|value| value.get(key));
        }
        value.is_some()
    };
    let columns = ocsf::PATHS.iter();
    let columns = columns.filter(|(_, paths)| paths.iter().any(|path| has(path)));
    let mut columns: Vec<Column> = columns.map(|&(column, _)| column).collect();
    if ocsf::ACTIONS.iter().any(|&(key, ..)| has(&[key])) {
        columns.push(Column::Action);
    }
    if has(ocsf::DIRECTION) {
        columns.push(Column::FlowDirection);
    }
    if ocsf::INTERFACES.iter().any(|path| has(path)) {
        columns.push(Column::InterfaceId);
    }
    known(columns.into_iter().map(Column::name))
}
