//! What is read when the content begins as parquet does: everything is accounted for.
#![no_main]

use closegate::audit;
use closegate::ingest::{Settings, Source};
use libfuzzer_sys::fuzz_target;

// A panic that our own code catches is no finding; one that gets out still ends the run.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |data: &[u8]| {
    let content = [b"PAR1".as_slice(), data].concat();
    let sources = [Source::memory("fuzz", content)];
    let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
    let folded: u64 = table.flows.iter().map(|flow| flow.counters.records).sum();
    assert_eq!(folded, intake.rows);
    assert!(intake.samples.len() as u64 <= intake.malformed);
});
