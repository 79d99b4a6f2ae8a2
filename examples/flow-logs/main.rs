//! Makes flow logs to measure with: `flow-logs make TOPOLOGY ROWS FILES DIR [DAYS]` writes gzip files of
//! the default format and an inventory, one file for each five minutes as AWS does, spread over
//! so many days, or else one after the other; `flow-logs floor DIR [zlib-rs]` decompresses them on all
//! cores, with libdeflate or zlib-rs, and does nothing else.
//!
//! The topologies are `internal`, `destinations` and `scans`, each in the file of its name. A topology is the same for
//! any number of rows.
//! `flow-logs fold FLOWS` reads and folds; `flow-logs stages FLOWS INVENTORY` says how long each stage of an audit takes.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a tool for maintainers: what goes wrong should stop it"
)]

mod destinations;
mod internal;
mod make;
mod rows;
mod scans;

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use closegate::audit;
use closegate::config::Config;
use closegate::emit;
use closegate::findings::Policy;
use closegate::flow::FlowTableBuilder;
use closegate::ingest::{self, Settings};
use closegate::inventory::{Gates, Inventory};
use closegate::resolve;
use rayon::prelude::*;

use make::Topology;
use rows::SLOT;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", topology, rows, files, dir, ref days @ ..] => {
            let topology = Topology::named(topology).expect("internal, destinations or scans");
            let files = files.parse().expect("a number of files");
            let days = days.first();
            let step = days.map_or(SLOT, |days| {
                days.parse::<u64>().expect("a number of days") * 86_400 / files
            });
            let rows = rows.parse().expect("a number of rows");
            make::make(topology, rows, files, step, Path::new(dir));
        }
        ["floor", dir] => decompress(Path::new(dir), with_libdeflate),
        ["floor", dir, "zlib-rs"] => decompress(Path::new(dir), with_zlib_rs),
        ["fold", flows] => fold(flows),
        ["stages", flows, inventory] => stages(flows, Path::new(inventory)),
        _ => eprintln!(
            "usage: flow-logs make internal|destinations|scans ROWS FILES DIR [DAYS] | flow-logs floor DIR [zlib-rs] | flow-logs fold FLOWS | flow-logs stages FLOWS INVENTORY"
        ),
    }
}

/// Reads and folds, and does nothing else: what the peers do.
fn fold(flows: &str) {
    let sources = ingest::find(&[flows.to_owned()]).expect("flow logs");
    let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
    eprintln!("{} rows, {} flows", intake.rows, table.flows.len());
}

/// Times the stages of an audit.
fn stages(flows: &str, inventory: &Path) {
    let mut last = (Instant::now(), processor_seconds());
    let mut lap = |what: &str| {
        let (elapsed, worked) = (last.0.elapsed().as_secs_f64(), processor_seconds());
        eprintln!(
            "{elapsed:>7.3} s  {:>5.2} s of processors  {what}",
            worked - last.1
        );
        last = (Instant::now(), worked);
    };
    let inventory = Inventory::load(inventory).expect("an inventory");
    lap("inventory");
    let sources = ingest::find(&[flows.to_owned()]).expect("flow logs");
    let builder = Arc::new(FlowTableBuilder::default());
    let intake = ingest::read(&sources, &Settings::default(), || builder.folder(), |_| {});
    lap("read and fold");
    let builder = Arc::into_inner(builder).expect("every worker is done");
    let table = builder.finish();
    lap("table");
    eprintln!(
        "           {} rows, {} flows",
        intake.rows,
        table.flows.len()
    );
    let gates = Gates::today(&inventory);
    let connections = resolve::resolve(&table, &inventory, &gates).connections;
    lap("resolve");
    eprintln!("           {} connections", connections.len());
    drop((connections, gates));
    let judged = audit::judge(inventory, table, intake, &Policy::default());
    lap("judge (resolve again, hits, findings)");
    let audit = audit::propose(judged, &Config::default());
    lap("propose");
    let files = emit::files(&audit).expect("files");
    lap("emit");
    eprintln!(
        "           {} bytes",
        files.iter().map(|(_, f)| f.len()).sum::<usize>()
    );
}

/// What all threads have taken so far, as Linux counts it: in hundredths.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold spaces: user and system time are the twelfth and the next.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind.split_ascii_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// Decompresses every file below the directory, on all cores.
fn decompress(dir: &Path, with: impl Fn(&[u8], &mut Vec<u8>) + Sync) {
    let files: Vec<_> = fs::read_dir(dir)
        .expect("a directory")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    let bytes: usize = files
        .par_iter()
        .map_init(Vec::new, |out: &mut Vec<u8>, path| {
            with(&fs::read(path).expect("a readable file"), out);
            out.len()
        })
        .sum();
    eprintln!("{} files, {bytes} bytes of text", files.len());
}

fn with_libdeflate(input: &[u8], out: &mut Vec<u8>) {
    let size = input
        .last_chunk::<4>()
        .map_or(0, |size| u32::from_le_bytes(*size));
    out.resize(size as usize, 0);
    libdeflater::Decompressor::new()
        .gzip_decompress(input, out)
        .expect("a gzip file");
}

fn with_zlib_rs(input: &[u8], out: &mut Vec<u8>) {
    out.clear();
    flate2::read::MultiGzDecoder::new(input)
        .read_to_end(out)
        .expect("a gzip file");
}
