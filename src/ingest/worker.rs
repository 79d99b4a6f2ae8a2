//! Workers, what they share, and what each does with the records it reads.
#![expect(clippy::inline_always, reason = "measured: benches/README.md")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::deduplication::Deduplication;
use super::format::Format;
use super::intake::{Intake, MalformedSample, SAMPLES, Settings, SourceIntake, join, wider};
use super::row::{Line, Row};
use super::simd::{ColumnPositions, Delimiters, PreviousRow, Text, fast_row};
use super::sink::Sink;
use super::source::Source;

/// What goes along with lines that another worker reads.
#[derive(Clone, Debug, Default)]
pub(super) struct LineContext {
    /// What samples call it: the source, and the file inside it.
    pub(super) name: String,
    pub(super) format: Option<Format>,
    /// The line that was read last, from 1.
    pub(super) line: u64,
}

/// Lines of a large source, for whichever worker has nothing else to do.
pub(super) struct Task {
    pub(super) source: usize,
    pub(super) context: LineContext,
    pub(super) lines: Vec<u8>,
}

/// What the workers share.
pub(super) struct Work<'a> {
    pub(super) sources: &'a [Source],
    pub(super) settings: &'a Settings,
    deduplication: Option<Deduplication>,
    /// ColumnPositions of the sources in the order of reading: by time.
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

impl<'a> Work<'a> {
    /// The sources, by time; rows are deduplicated if several flow logs may have delivered them.
    pub(super) fn new(sources: &'a [Source], settings: &'a Settings) -> Self {
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&source| sources[source].slot());
        Self {
            sources,
            settings,
            deduplication: may_overlap(sources).then(|| Deduplication::new(sources, &order)),
            order,
            next: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            queue: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// The next source to read, as its place in the order and its position; `full` says whether enough was read.
    /// Whoever takes one says when it is read: [`Self::finish_source`].
    pub(super) fn next_source(&self, full: &impl Fn() -> bool) -> Option<(usize, usize)> {
        while self.has_more() {
            let full = full();
            // Under the lock, so that no worker ends while a source is taken.
            let mut queue = self.queue();
            let place = self.next.load(Ordering::Relaxed);
            if full && self.may_stop_before(place) {
                self.stopped.store(true, Ordering::Relaxed);
            }
            if let Some(&source) = self.order.get(place).filter(|_| self.has_more()) {
                self.next.store(place + 1, Ordering::Relaxed);
                queue.reading += 1;
                return Some((place, source));
            }
        }
        None
    }

    /// The source at a place of the order was read to its end.
    pub(super) fn finish_source(&self, place: usize) {
        if let Some(deduplication) = &self.deduplication {
            deduplication.finished(place);
        }
        self.queue().reading -= 1;
        self.wake.notify_all();
    }

    /// Lines that another worker hands out; waits for them while any worker reads a source.
    pub(super) fn next_task(&self) -> Option<Task> {
        let mut queue = self.queue();
        loop {
            if let Some(task) = queue.tasks.pop_front() {
                return Some(task);
            }
            if queue.reading == 0 {
                return None;
            }
            queue.waiting += 1;
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.waiting -= 1;
        }
    }

    /// How many sources were taken.
    pub(super) fn taken(&self) -> usize {
        self.next.load(Ordering::Relaxed).min(self.sources.len())
    }

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
        place > 0 && (self.deduplication.is_none() || slot(place) != slot(place - 1))
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
    pub(super) value_end: usize,
    /// Lines that were read and not yet counted.
    pub(super) read: u64,
    previous: PreviousRow,
}

impl At {
    /// Goes on behind a line, whose last value's end and own end are given.
    #[inline(always)]
    pub(super) const fn pass(&mut self, value_end: usize, end: u32) {
        self.value_end = value_end;
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
    pub(super) delimiters: Delimiters,
    /// The file that is read and its text: new memory for each file would cost more than
    /// decompressing into it.
    pub(super) compressed: Vec<u8>,
    pub(super) text: Vec<u8>,
}

impl<'a, S: Sink> Worker<'a, S> {
    pub(super) fn new(
        work: &'a Work<'a>,
        done: &'a Mutex<(Intake, Vec<SourceIntake>)>,
        sink: S,
    ) -> Self {
        Self {
            work,
            sink,
            intake: Intake::default(),
            tally: SourceIntake::default(),
            done,
            delimiters: Delimiters::default(),
            compressed: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Adds what was read of a source to its account.
    pub(super) fn put_down(&mut self, source: usize) {
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
        let deduplication = self.work.deduplication.as_ref();
        if deduplication.is_some_and(|known| known.duplicate_interval(*interval, skipped)) {
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
    pub(super) fn fast_lines<'t, T: Text<'t>>(
        &mut self,
        format: &impl ColumnPositions,
        text: impl Fn(usize, u32) -> Option<T>,
        delimiters: &Delimiters,
        at: &mut At,
    ) {
        for &end in &delimiters.lines()[at.line..] {
            let Some(text) = text(at.start, end) else {
                return;
            };
            let Some(row) = fast_row(
                format,
                text,
                delimiters,
                (at.value_end, end),
                &mut at.previous,
            ) else {
                return;
            };
            self.take_row(row);
            at.pass(at.value_end + format.width(), end);
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
        if self.work.deduplication.is_some() && self.is_duplicate(row) {
            return;
        }
        self.intake.rows += 1;
        self.sink.row(row);
    }

    /// Whether a row was counted already, where that is possible.
    #[inline(never)]
    fn is_duplicate(&mut self, row: Row<'_>) -> bool {
        let deduplication = self.work.deduplication.as_ref();
        let Some((packets, bytes)) = deduplication.and_then(|known| known.duplicate_row(&row))
        else {
            return false;
        };
        self.intake.duplicates += 1;
        self.sink.duplicate(Row {
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
