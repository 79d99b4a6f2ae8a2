//! One source: what it is by its content, and its records out of whatever holds them.

use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::mem;

use bytes::Bytes;

use super::container::{self, BYTE_ORDER_MARK, Content, FailingFirst, MEMBERS_AT_MOST, Peeked};
use super::damage::{self, SizedEntry, UpToDamage, guarded};
use super::item::Item;
use super::members::{Compression, Members};
use super::sink::Sink;
use super::tape::Tape;
use super::utf16::Utf16;
use super::worker::{LineContext, Task, Worker};
use super::{csv_table, json, parquet};

/// A source while it is read.
pub(super) struct Reading<'w, 'a, S> {
    pub(super) worker: &'w mut Worker<'a, S>,
    pub(super) source: usize,
    pub(super) context: LineContext,
    /// No later line of this content can be read either.
    pub(super) hopeless: bool,
}

impl<'w, 'a, S: Sink> Reading<'w, 'a, S> {
    pub(super) fn new(worker: &'w mut Worker<'a, S>, source: usize) -> Self {
        let name = worker.work.sources[source].name.clone();
        Self {
            worker,
            source,
            context: LineContext {
                name,
                ..LineContext::default()
            },
            hopeless: false,
        }
    }

    /// Reads lines that somebody else came across.
    pub(super) fn resume(worker: &'w mut Worker<'a, S>, task: Task) {
        let mut reading = Self {
            worker,
            source: task.source,
            context: task.context,
            hopeless: false,
        };
        reading.lines(&task.lines);
    }

    /// Reads the whole source; `progress` is told of every byte before decompression.
    pub(super) fn source(mut self, progress: &(impl Fn(u64) + Sync)) {
        let source = &self.worker.work.sources[self.source];
        let bytes = Cell::new(0);
        let counted = |count| {
            bytes.set(bytes.get() + count);
            progress(count);
        };
        match source.open(counted) {
            Ok(reader) => self.content(reader, 0),
            Err(error) => self.reject(error.to_string()),
        }
        self.worker.tally.bytes += bytes.get();
    }

    /// Reads content of any kind; `depth` is how many containers it came out of.
    fn content<'r>(&mut self, reader: Box<dyn Read + 'r>, depth: usize) {
        if depth > MEMBERS_AT_MOST {
            self.reject(format!(
                "containers inside containers, more than {MEMBERS_AT_MOST} deep"
            ));
            return;
        }
        let peeked = Peeked::new(reader);
        match Content::of(peeked.start()) {
            Content::Compressed(Compression::Gzip) => self.gzip(peeked, depth),
            Content::Compressed(compression) => {
                let tape = Tape::new(Vec::new(), peeked.into_reader());
                self.content(Box::new(Members::new(compression, tape)), depth + 1);
            }
            Content::Tar => self.tar(peeked.into_reader(), depth),
            Content::Zip => self.zip(peeked.into_reader(), depth),
            Content::Parquet => self.parquet(peeked.into_reader()),
            Content::Utf16(order) => {
                let text = Utf16::new(peeked.into_reader(), order);
                self.content(Box::new(text), depth + 1);
            }
            Content::Json => self.json(peeked.into_text()),
            Content::Csv => self.csv(peeked.into_text()),
            Content::Text => self.text(peeked.into_text()),
        }
    }

    /// Files of usual size are decompressed in one piece, which is twice as fast; what
    /// is larger, has several members or is damaged goes member by member.
    fn gzip(&mut self, peeked: Peeked<impl Read>, depth: usize) {
        let mut reader = peeked.into_reader();
        let mut compressed = mem::take(&mut self.worker.compressed);
        compressed.clear();
        // As much as a file has, instead of twice as much as was read so far, again and again.
        if depth == 0 {
            let size = self.worker.work.sources[self.source].size;
            let size = size.min(container::WHOLE_UP_TO);
            compressed.reserve_exact(usize::try_from(size).unwrap_or_default());
        }
        let held = (&mut reader)
            .take(container::WHOLE_UP_TO)
            .read_to_end(&mut compressed);
        let failed = held.err();
        if failed.is_none() && (compressed.len() as u64) < container::WHOLE_UP_TO {
            let mut held = mem::take(&mut self.worker.text);
            let text = container::gunzip_whole(&compressed, &mut held);
            let whole = text.is_some();
            if let Some(text) = text {
                if Content::of(text) == Content::Text {
                    self.held_text(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
                } else {
                    self.content(Box::new(text), depth + 1);
                }
            }
            self.worker.text = held;
            if whole {
                self.worker.compressed = compressed;
                return;
            }
        }
        let tape = Tape::new(compressed, FailingFirst { failed, reader });
        let members = Members::new(Compression::Gzip, tape);
        self.content(Box::new(members), depth + 1);
    }

    fn tar(&mut self, reader: impl Read, depth: usize) {
        let has_failed = &Cell::new(false);
        let mut archive = tar::Archive::new(UpToDamage { reader, has_failed });
        let entries = guarded(|| archive.entries());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.reject_source(&error),
        };
        while !has_failed.get() {
            match guarded(|| entries.next().transpose()) {
                Ok(Some(entry)) if entry.header().entry_type().is_file() => {
                    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                    let length = entry.size();
                    let file = SizedEntry {
                        reader: entry,
                        at: 0,
                        length,
                        has_failed,
                    };
                    self.member(&name, Box::new(file), depth);
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => return self.reject_source(&error),
            }
        }
    }

    fn zip(&mut self, reader: impl Read, depth: usize) {
        let Some(bytes) = self.in_memory(reader) else {
            return;
        };
        let archive = guarded(|| Ok(zip::ZipArchive::new(Cursor::new(bytes))?));
        let mut archive = match archive {
            Ok(archive) => archive,
            Err(error) => {
                let reason = damage::why(&error);
                self.reject(format!(
                    "this zip file is damaged ({reason}): nothing in it was used"
                ));
                return;
            }
        };
        for position in 0..archive.len() {
            let name = archive.name_for_index(position);
            let name = name.and_then(Result::ok).unwrap_or_default();
            let name = name.into_owned();
            if let Err(error) = self.zip_entry(&mut archive, position, &name, depth) {
                let reason = damage::why(&error);
                self.reject(format!(
                    "the file `{name}` in this zip file is damaged ({reason}): nothing in it was used"
                ));
            }
        }
    }

    /// The checksum of a file is verified before its text is read, for which a text that is too long to be held is
    /// decompressed twice.
    fn zip_entry(
        &mut self,
        archive: &mut zip::ZipArchive<Cursor<Vec<u8>>>,
        position: usize,
        name: &str,
        depth: usize,
    ) -> io::Result<()> {
        let mut text = Vec::new();
        let is_whole = guarded(|| {
            let mut entry = archive.by_index(position)?;
            if !entry.is_file() {
                return Ok(None);
            }
            let mut start = (&mut entry).take(container::WHOLE_UP_TO);
            start.read_to_end(&mut text)?;
            let more = io::copy(&mut entry, &mut io::sink())?;
            Ok(Some(more == 0))
        })?;
        match is_whole {
            None => {}
            Some(true) => self.member(name, Box::new(&*text), depth),
            Some(false) => {
                drop(text);
                let entry = guarded(|| Ok(archive.by_index(position)?))?;
                self.member(name, Box::new(entry), depth);
            }
        }
        Ok(())
    }

    /// One file of an archive: it has its own lines and may have its own format.
    fn member<'r>(&mut self, name: &str, reader: Box<dyn Read + 'r>, depth: usize) {
        let source = &self.worker.work.sources[self.source].name;
        let own = LineContext {
            name: format!("{source}/{name}"),
            ..LineContext::default()
        };
        let outer = mem::replace(&mut self.context, own);
        self.content(reader, depth + 1);
        self.context = outer;
        self.hopeless = false;
    }

    /// Everything, for what can only be read with its end at hand.
    fn in_memory(&mut self, reader: impl Read) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match reader
            .take(container::IN_MEMORY_UP_TO)
            .read_to_end(&mut bytes)
        {
            Ok(_) if (bytes.len() as u64) < container::IN_MEMORY_UP_TO => Some(bytes),
            Ok(_) => {
                self.reject(format!(
                    "larger than {} MiB, which this kind of file is read up to; split it",
                    container::IN_MEMORY_UP_TO >> 20
                ));
                None
            }
            Err(error) => {
                self.reject_source(&error);
                None
            }
        }
    }

    fn parquet(&mut self, reader: impl Read) {
        let Some(bytes) = self.in_memory(reader) else {
            return;
        };
        let result = parquet::records(Bytes::from(bytes), |number, item| {
            self.context.line = number;
            self.item(item);
        });
        match result {
            Ok(described) => self.describe(described),
            Err(reason) => {
                self.context.line = 0;
                self.reject(reason);
            }
        }
    }

    fn csv(&mut self, reader: impl Read) {
        self.describe("CSV".to_owned());
        let result = csv_table::records(reader, |line, item| {
            self.context.line = line;
            self.item(item);
        });
        if let Err(error) = result {
            self.context.line += 1;
            self.reject(error.to_string());
        }
    }

    fn json(&mut self, reader: impl Read) {
        self.describe("JSON".to_owned());
        json::records(reader, |place, item| {
            self.context.line = place.line;
            self.item(item);
        });
    }

    /// A record, a line that something else was wrapped around, or neither.
    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Record(Ok(line)) => self.worker.take(&line),
            Item::Record(Err(reason)) => self.reject(reason.to_string()),
            Item::Line(line) => self.wrapped_line(line),
            Item::Unreadable(reason) => self.reject(reason),
            Item::Failed(error) => self.reject_source(&error),
        }
    }

    /// What the report calls the format; the last one of several.
    pub(super) fn describe(&mut self, format: String) {
        self.worker.tally.format = format;
    }

    pub(super) fn reject(&mut self, reason: String) {
        let LineContext { name, line, .. } = &self.context;
        self.worker.reject(name, *line, reason);
    }

    /// Counts what is wrong with the source and not with a line of it.
    pub(super) fn reject_source(&mut self, error: &io::Error) {
        let reason = damage::reported(error);
        self.worker.reject(&self.context.name, 0, reason);
    }
}
