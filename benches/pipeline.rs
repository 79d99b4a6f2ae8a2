//! The sample data from end to end.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::hint::black_box;
use std::path::Path;

use closegate::audit;
use closegate::config::Config;
use closegate::emit;
use closegate::ingest::{self, Settings};
use closegate::inventory::Inventory;
use criterion::{Criterion, criterion_group, criterion_main};

fn whole(c: &mut Criterion) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data");
    let flows = sample.join("flows/default").display().to_string();
    let sources = ingest::find(&[flows]).unwrap();
    let mut group = c.benchmark_group("sample");
    group.sample_size(20);
    group.bench_function("audit", |b| {
        b.iter(|| {
            let inventory = Inventory::load(&sample.join("inventory")).unwrap();
            let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
            black_box(audit::audit(inventory, table, intake, &Config::default()))
        });
    });
    let inventory = Inventory::load(&sample.join("inventory")).unwrap();
    let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
    let audited = audit::audit(inventory, table, intake, &Config::default());
    group.bench_function("emit", |b| {
        b.iter(|| black_box(emit::files(&audited).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, whole);
criterion_main!(benches);
