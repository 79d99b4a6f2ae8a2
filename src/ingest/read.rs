//! Reading sources in parallel and accounting for every line.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Sink;
use super::format::Format;
use super::gaps::Gaps;
use super::reading::{Reading, Share};
use super::row::{Line, Row};
use super::scan::{Before, Positions, usual_row};
use super::seen::Seen;
use super::source::Source;
use super::words::Text;

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--log-format`: for files without a header.
    pub format: Option<Format>,
    /// `LogFormat` by flow log id from the inventory: for files without a header.
    pub known_formats: Vec<(String, Format)>,
    /// Rows that end before this are outside the window; Unix seconds.
    pub since: Option<u64>,
    /// Rows that start at or after this are outside the window; Unix seconds.
    pub until: Option<u64>,
}

/// The account of what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Distinct rows of traffic inside the window.
    pub rows: u64,
    /// NODATA rows.
    pub no_data: u64,
    /// SKIPDATA rows.
    pub skip_data: u64,
    /// Rows that were counted already.
    pub duplicates: u64,
    /// Rows outside the window.
    pub outside_window: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// Bytes read, before decompression.
    pub bytes: u64,
    /// By source, in name order.
    pub sources: Vec<SourceIntake>,
    /// The first few malformed lines.
    pub samples: Vec<MalformedSample>,
    /// Start of the first and end of the last row, Unix seconds.
    pub window: Option<(u64, u64)>,
    /// The same of the rows outside the window.
    pub outside: Option<(u64, u64)>,
}

/// One source's part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceIntake {
    /// Its name.
    pub name: String,
    /// The format, or why there is none.
    pub format: String,
    /// Rows that parsed, duplicates included.
    pub records: u64,
    /// Lines that did not.
    pub malformed: u64,
    /// Bytes read, before decompression.
    pub bytes: u64,
    /// Start of the first and end of the last row, Unix seconds.
    pub window: Option<(u64, u64)>,
    /// Its first few malformed lines.
    pub samples: Vec<MalformedSample>,
}

/// A line that could not be read, or a source that could not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MalformedSample {
    /// The source.
    pub source: String,
    /// The line, from 1; 0 when the source as a whole could not be read.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Samples kept per source and in all.
const SAMPLES: usize = 20;

impl Intake {
    /// Distinct rows that parsed: what the report calls records read.
    pub fn records_read(&self) -> u64 {
        self.rows + self.no_data + self.skip_data
    }

    /// The account that goes with some sources, but for what was counted over all of
    /// them: rows, idle intervals, duplicates, and what lies outside the window.
    pub fn of(sources: Vec<SourceIntake>) -> Self {
        let mut samples: Vec<MalformedSample> = sources
            .iter()
            .flat_map(|source| source.samples.iter().cloned())
            .collect();
        samples.sort();
        samples.truncate(SAMPLES);
        Self {
            malformed: sources.iter().map(|source| source.malformed).sum(),
            bytes: sources.iter().map(|source| source.bytes).sum(),
            window: sources
                .iter()
                .fold(None, |all, source| wider(all, source.window)),
            samples,
            sources,
            ..Self::default()
        }
    }

    /// Adds what was counted elsewhere over the same sources.
    fn count(&mut self, other: &Self) {
        self.rows += other.rows;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.duplicates += other.duplicates;
        self.outside_window += other.outside_window;
        self.outside = wider(self.outside, other.outside);
    }

    /// Adds the account of other sources.
    pub fn add(&mut self, mut other: Self) {
        let mut sources = std::mem::take(&mut self.sources);
        sources.append(&mut other.sources);
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        let mut all = Self::of(sources);
        all.count(self);
        all.count(&other);
        *self = all;
    }
}

/// The window that holds both.
#[inline(always)]
fn wider(a: Option<(u64, u64)>, b: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Lines of a large source, for whichever worker has nothing else to do.
pub(super) struct Task {
    pub(super) source: usize,
    pub(super) share: Share,
    pub(super) lines: Vec<u8>,
}

/// What the workers share.
pub(super) struct Work<'a> {
    pub(super) sources: &'a [Source],
    pub(super) settings: &'a Settings,
    pub(super) seen: Option<Seen>,
    /// Positions of the sources in the order of reading: by time.
    order: Vec<usize>,
    next: AtomicUsize,
    /// No more sources are to be read.
    stopped: AtomicBool,
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// Workers that read a source, and may yet hand out lines of it.
    reading: usize,
    waiting: usize,
}

impl Work<'_> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_more(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
            && self.next.load(Ordering::Relaxed) < self.order.len()
    }

    /// Whether no row of the sources from a place on can be one of those before it, as far as
    /// their names tell.
    fn may_stop_before(&self, place: usize) -> bool {
        let slot = |place: usize| self.sources[*self.order.get(place)?].slot();
        place > 0 && (self.seen.is_none() || slot(place) != slot(place - 1))
    }

    /// Gives a task to a worker that waits for one; says whether anybody did.
    pub(super) fn hand_out(&self, task: impl FnOnce() -> Task) -> bool {
        let mut queue = self.queue();
        let wanted = queue.tasks.len() < queue.waiting;
        if wanted {
            queue.tasks.push_back(task());
            self.wake.notify_one();
        }
        wanted
    }

    /// Whether somebody waits, without asking too precisely.
    pub(super) fn somebody_waits(&self) -> bool {
        let queue = self.queue();
        queue.tasks.len() < queue.waiting
    }
}

/// Reads all sources with as many workers as there are threads, each into a sink of
/// its own made by `sink`; `progress` is told of every chunk's size in bytes.
pub fn read<S: Sink>(
    sources: &[Source],
    settings: &Settings,
    sink: impl Fn() -> S + Sync,
    progress: impl Fn(u64) + Sync,
) -> Intake {
    read_until(sources, settings, sink, progress, || false).0
}

/// The same until `full` says that it is enough, which it is asked before every source but
/// the first; where rows may come twice, sources of one time, or of none that their names tell,
/// stay together. Sources have to be in the order of time.
/// Also says how many of them were read.
pub fn read_until<S: Sink>(
    sources: &[Source],
    settings: &Settings,
    sink: impl Fn() -> S + Sync,
    progress: impl Fn(u64) + Sync,
    full: impl Fn() -> bool + Sync,
) -> (Intake, usize) {
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_key(|&source| sources[source].slot());
    let work = Work {
        sources,
        settings,
        seen: may_overlap(sources).then(|| Seen::new(sources, &order)),
        order,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        queue: Mutex::default(),
        wake: Condvar::new(),
    };
    let done = Mutex::new((
        Intake::default(),
        vec![SourceIntake::default(); sources.len()],
    ));
    // Threads of their own: one that waits for lines must not keep a thread of the pool
    // that the Parquet reader needs.
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|| {
                let mut worker = Worker {
                    work: &work,
                    sink: sink(),
                    intake: Intake::default(),
                    done: &done,
                    tally: SourceIntake::default(),
                    gaps: Gaps::default(),
                    compressed: Vec::new(),
                    text: Vec::new(),
                };
                worker.run(&progress, &full);
                worker.sink.finish();
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.0.count(&worker.intake);
            });
        }
    });
    let (counted, mut tallies) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (tally, source) in tallies.iter_mut().zip(sources) {
        tally.name.clone_from(&source.name);
        tally.samples.sort();
        tally.samples.truncate(SAMPLES);
        if tally.format.is_empty() {
            "unreadable".clone_into(&mut tally.format);
        }
    }
    let taken = work.next.load(Ordering::Relaxed).min(sources.len());
    tallies.truncate(taken);
    let mut intake = Intake::of(tallies);
    intake.count(&counted);
    (intake, taken)
}

/// Adds what another worker read of the same source.
fn join(all: &mut SourceIntake, mut own: SourceIntake) {
    all.records += own.records;
    all.malformed += own.malformed;
    all.bytes += own.bytes;
    all.window = wider(all.window, own.window);
    all.samples.append(&mut own.samples);
    // Should workers differ, the first by name.
    if all.format.is_empty() || (!own.format.is_empty() && own.format < all.format) {
        all.format = own.format;
    }
}

/// One flow log never delivers a row twice. So there is nothing to look for when
/// every source names the same flow log.
fn may_overlap(sources: &[Source]) -> bool {
    let mut ids = sources.iter().map(Source::flow_log_id);
    match ids.next() {
        Some(Some(first)) => ids.any(|id| id != Some(first)),
        _ => true,
    }
}

/// How far some lines are read.
#[derive(Default)]
pub(super) struct At {
    /// The line that is next, and its first byte.
    pub(super) line: usize,
    pub(super) start: usize,
    /// The end of a value before it.
    pub(super) gap: usize,
    /// Lines that were read and not yet counted.
    pub(super) read: u64,
    before: Before,
}

impl At {
    /// Goes on behind a line, whose last value's end and own end are given.
    #[inline(always)]
    pub(super) const fn pass(&mut self, gap: usize, end: u32) {
        self.gap = gap;
        self.line += 1;
        self.start = end as usize + 1;
    }
}

/// Reads sources and lines of others' sources until there are none.
pub(super) struct Worker<'a, S> {
    pub(super) work: &'a Work<'a>,
    pub(super) sink: S,
    pub(super) intake: Intake,
    /// The account of what is being read.
    pub(super) tally: SourceIntake,
    /// What all workers have read, and the account of each source.
    done: &'a Mutex<(Intake, Vec<SourceIntake>)>,
    pub(super) gaps: Gaps,
    /// The file that is read and its text: new memory for each file would cost more than
    /// decompressing into it.
    pub(super) compressed: Vec<u8>,
    pub(super) text: Vec<u8>,
}

impl<S: Sink> Worker<'_, S> {
    fn run(&mut self, progress: &(impl Fn(u64) + Sync), full: &(impl Fn() -> bool + Sync)) {
        let work = self.work;
        loop {
            if work.has_more() {
                let full = full();
                // Under the lock, so that nobody goes home while a source is taken.
                let mut queue = work.queue();
                let place = work.next.load(Ordering::Relaxed);
                if full && work.may_stop_before(place) {
                    work.stopped.store(true, Ordering::Relaxed);
                }
                let Some(&source) = work.order.get(place).filter(|_| work.has_more()) else {
                    continue;
                };
                work.next.store(place + 1, Ordering::Relaxed);
                queue.reading += 1;
                drop(queue);
                Reading::new(self, source).source(progress);
                self.put_down(source);
                if let Some(seen) = &work.seen {
                    seen.finished(place);
                }
                work.queue().reading -= 1;
                work.wake.notify_all();
                continue;
            }
            let mut queue = work.queue();
            loop {
                if let Some(task) = queue.tasks.pop_front() {
                    drop(queue);
                    let source = task.source;
                    Reading::resume(self, task);
                    self.put_down(source);
                    break;
                }
                if queue.reading == 0 {
                    return;
                }
                queue.waiting += 1;
                queue = work
                    .wake
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                queue.waiting -= 1;
            }
        }
    }

    /// Adds what was read of a source to its account.
    fn put_down(&mut self, source: usize) {
        let tally = std::mem::take(&mut self.tally);
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        join(&mut done.1[source], tally);
    }

    /// Takes a record that parsed.
    pub(super) fn take(&mut self, line: &Line<'_>) {
        let (interval, skipped) = match line {
            Line::Row(row) => return self.take_row(*row),
            Line::NoData(interval) => (interval, false),
            Line::SkipData(interval) => (interval, true),
        };
        if !self.is_inside(interval.start, interval.end) {
            return;
        }
        let seen = self.work.seen.as_ref();
        if seen.is_some_and(|seen| seen.idle_again(*interval, skipped)) {
            self.intake.duplicates += 1;
        } else if skipped {
            self.intake.skip_data += 1;
            self.sink.skip_data(*interval);
        } else {
            self.intake.no_data += 1;
            self.sink.no_data(*interval);
        }
    }

    /// Reads lines up to the first that is unusual; `text` is what there is of the line from one place to another.
    ///
    /// Not compiled for newer processors: what was just written in pieces would be read as one, for
    /// which the processor waits.
    #[inline(always)]
    pub(super) fn usual_lines<'t, T: Text<'t>>(
        &mut self,
        format: &impl Positions,
        text: impl Fn(usize, u32) -> Option<T>,
        gaps: &Gaps,
        at: &mut At,
    ) {
        for &end in &gaps.lines()[at.line..] {
            let Some(text) = text(at.start, end) else {
                return;
            };
            let Some(row) = usual_row(format, text, gaps, (at.gap, end), &mut at.before) else {
                return;
            };
            self.take_row(row);
            at.pass(at.gap + format.width(), end);
            at.read += 1;
        }
    }

    /// Takes a row of traffic. Its parts need never lie together in memory, as long as nobody
    /// borrows it whole.
    #[inline(always)]
    pub(super) fn take_row(&mut self, row: Row<'_>) {
        if !self.is_inside(row.start, row.end) {
            return;
        }
        if self.work.seen.is_some() && self.is_again(row) {
            return;
        }
        self.intake.rows += 1;
        self.sink.row(row);
    }

    /// Whether a row was counted already, where that is possible.
    #[inline(never)]
    fn is_again(&mut self, row: Row<'_>) -> bool {
        let seen = self.work.seen.as_ref();
        let Some((packets, bytes)) = seen.and_then(|seen| seen.again(&row)) else {
            return false;
        };
        self.intake.duplicates += 1;
        self.sink.again(Row {
            packets,
            bytes,
            ..row
        });
        true
    }

    /// Counts a record, and says whether it lies in the window.
    #[inline(always)]
    fn is_inside(&mut self, start: u64, end: u64) -> bool {
        let tally = &mut self.tally;
        tally.records += 1;
        let settings = self.work.settings;
        if settings.since.is_some_and(|since| end < since)
            || settings.until.is_some_and(|until| start >= until)
        {
            self.intake.outside_window += 1;
            self.intake.outside = wider(self.intake.outside, Some((start, end)));
            return false;
        }
        tally.window = wider(tally.window, Some((start, end)));
        true
    }

    /// Counts what could not be read, and keeps the first few.
    pub(super) fn reject(&mut self, name: &str, line: u64, reason: String) {
        let SourceIntake {
            malformed, samples, ..
        } = &mut self.tally;
        *malformed += 1;
        // Each worker keeps as many as anybody will ever see.
        let sample = MalformedSample {
            source: name.to_owned(),
            line,
            reason,
        };
        if samples.len() < SAMPLES {
            samples.push(sample);
        } else if let Some(last) = samples.iter_mut().max()
            && sample < *last
        {
            *last = sample;
        }
    }
}
