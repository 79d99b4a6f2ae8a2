//! Reading sources in parallel and accounting for every line.

use std::sync::{Mutex, PoisonError};

use super::intake::{Intake, SAMPLES, Settings, SourceIntake};
use super::reading::Reading;
use super::sink::Sink;
use super::source::Source;
use super::worker::{Work, Worker};

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
    let work = Work::new(sources, settings);
    let done = Mutex::new((
        Intake::default(),
        vec![SourceIntake::default(); sources.len()],
    ));
    // Threads of their own: one that waits for lines must not keep a thread of the pool
    // that the Parquet reader needs.
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|| {
                let mut worker = Worker::new(&work, &done, sink());
                run(&mut worker, &progress, &full);
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
    let taken = work.taken();
    tallies.truncate(taken);
    let mut intake = Intake::of(tallies);
    intake.count(&counted);
    (intake, taken)
}

/// Reads sources and lines of other workers' sources until there are none.
fn run<S: Sink>(
    worker: &mut Worker<'_, S>,
    progress: &(impl Fn(u64) + Sync),
    full: &(impl Fn() -> bool + Sync),
) {
    let work = worker.work;
    loop {
        if let Some((place, source)) = work.next_source(full) {
            Reading::new(worker, source).source(progress);
            worker.put_down(source);
            work.finish_source(place);
        } else if let Some(task) = work.next_task() {
            let source = task.source;
            Reading::resume(worker, task);
            worker.put_down(source);
        } else {
            return;
        }
    }
}
