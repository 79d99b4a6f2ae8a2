//! Lines to rows, and rows to the folded table.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::hint::black_box;

use closegate::audit;
use closegate::ingest::{self, LogFormat, Settings, parse_line};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Rows of the default format: two thousand interfaces, ever new client ports.
fn rows(count: u64) -> String {
    use std::fmt::Write as _;
    let mut text = ingest::DEFAULT.to_owned() + "\n";
    for n in 0..count {
        let (host, port, start) = (n % 2000, 32768 + n * 7 % 28000, 1_793_577_600 + n / 100);
        writeln!(
            text,
            "2 111122223333 eni-{host:017x} 10.{}.{}.7 10.9.{}.9 {port} 443 6 12 4096 {start} {} ACCEPT OK",
            host / 250,
            host % 250,
            n % 50,
            start + 59
        )
        .unwrap();
    }
    text
}

fn lines(c: &mut Criterion) {
    let text = rows(10_000);
    let format = LogFormat::default_v2();
    let mut group = c.benchmark_group("lines");
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("parse", |b| {
        b.iter(|| {
            for line in text.lines().skip(1) {
                black_box(parse_line(&format, line.as_bytes()).unwrap());
            }
        });
    });
    group.finish();
}

fn fold(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.log");
    std::fs::write(&path, rows(200_000)).unwrap();
    let sources = ingest::find(&[path.display().to_string()]).unwrap();
    let mut group = c.benchmark_group("fold");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(200_000));
    group.bench_function("read", |b| {
        b.iter(|| black_box(audit::read(&sources, &Settings::default(), |_| {})));
    });
    group.finish();
}

criterion_group!(benches, lines, fold);
criterion_main!(benches);
