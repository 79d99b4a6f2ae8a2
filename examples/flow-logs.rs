//! Makes flow logs to measure with: `flow-logs make ROWS FILES DIR [DAYS]` writes gzip files of
//! the default format and an inventory, one file for each five minutes as AWS does, spread over
//! so many days, or else one after the other; `flow-logs floor DIR [zlib-rs]` decompresses them on all
//! cores, with libdeflate or zlib-rs, and does nothing else.
//!
//! The topology is the same for any number of rows: two thousand interfaces in a hundred
//! groups, 162,500 connections, each recorded at both ends in both directions, so 650,000
//! groups of interface, addresses, lower port, protocol and action.
//! `flow-logs fold FLOWS` reads and folds; `flow-logs stages FLOWS INVENTORY` says how long each stage of an audit takes.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a tool for maintainers: what goes wrong should stop it"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
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
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

const INTERFACES: u64 = 2000;
const GROUPS: u64 = 100;
const CONNECTIONS: u64 = 162_500;
const START: u64 = 1_793_577_600;

/// What one file holds, in seconds (flow-logs-s3-path.html).
const SLOT: u64 = 300;

/// Ports of the services that are used.
const SERVICES: &[u64] = &[443, 80, 5432, 3306, 6379, 8080, 9200, 2049];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", rows, files, dir, ref days @ ..] => {
            let files = files.parse().expect("a number of files");
            let days = days.first();
            let step = days.map_or(SLOT, |days| {
                days.parse::<u64>().expect("a number of days") * 86_400 / files
            });
            let rows = rows.parse().expect("a number of rows");
            make(rows, files, step, Path::new(dir));
        }
        ["floor", dir] => decompress(Path::new(dir), with_libdeflate),
        ["floor", dir, "zlib-rs"] => decompress(Path::new(dir), with_zlib_rs),
        ["fold", flows] => fold(flows),
        ["stages", flows, inventory] => stages(flows, Path::new(inventory)),
        _ => eprintln!(
            "usage: flow-logs make ROWS FILES DIR [DAYS] | flow-logs floor DIR [zlib-rs] | flow-logs fold FLOWS | flow-logs stages FLOWS INVENTORY"
        ),
    }
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

fn address(host: u64) -> String {
    format!("10.{}.{}.7", host / 250, host % 250)
}

/// Client, server, port: hosts of one group use hosts of the next ones.
fn connection(number: u64) -> (u64, u64, u64) {
    let mut dice = Dice(number);
    let client = number % INTERFACES;
    let server = (client + 1 + dice.roll(8) + GROUPS * dice.roll(INTERFACES / GROUPS)) % INTERFACES;
    let port = SERVICES[usize::try_from(server % 8).expect("a small number")];
    (client, server, port)
}

fn make(rows: u64, files: u64, step: u64, dir: &Path) {
    fs::create_dir_all(dir.join("flows")).expect("a directory to write to");
    fs::create_dir_all(dir.join("inventory")).expect("a directory to write to");
    fs::write(dir.join("inventory/all.json"), inventory()).expect("a file to write to");
    (0..files).into_par_iter().for_each(|file| {
        let slot = START + file * step;
        let (day, minute) = ((slot - START) / 86_400, slot / 60 % 1440);
        let name = format!(
            "111122223333_vpcflowlogs_us-east-1_fl-0123456789abcdef0_202611{:02}T{:02}{:02}Z_{file:08x}.log.gz",
            day + 2,
            minute / 60,
            minute % 60
        );
        let out = fs::File::create(dir.join("flows").join(name)).expect("a file to write to");
        let mut out = GzEncoder::new(out, Compression::new(4));
        let mut text = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n".to_owned();
        let mut dice = Dice(file.wrapping_mul(0x2545_f491_4f6c_dd1d));
        for _ in 0..rows / files / 4 {
            let (client, server, port) = connection(dice.roll(CONNECTIONS));
            let own = 32768 + dice.roll(28232);
            let start = slot + dice.roll(SLOT - 59);
            let (packets, bytes) = (1 + dice.roll(40), 60 + dice.roll(90_000));
            let action = if dice.roll(100) == 0 { "REJECT" } else { "ACCEPT" };
            for at in [client, server] {
                for (from, to, from_port, to_port) in
                    [(client, server, own, port), (server, client, port, own)]
                {
                    writeln!(
                        text,
                        "2 111122223333 eni-{at:017x} {} {} {from_port} {to_port} 6 {packets} {bytes} {start} {} {action} OK",
                        address(from),
                        address(to),
                        start + 58
                    )
                    .expect("a string takes everything");
                }
            }
            if text.len() > 1 << 20 {
                out.write_all(text.as_bytes()).expect("a file to write to");
                text.clear();
            }
        }
        out.write_all(text.as_bytes()).expect("a file to write to");
        out.finish().expect("a file to write to");
    });
}

fn inventory() -> String {
    let rules: Vec<serde_json::Value> = SERVICES
        .iter()
        .map(|port| serde_json::json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}))
        .collect();
    let groups: Vec<serde_json::Value> = (0..GROUPS)
        .map(|group| {
            serde_json::json!({"GroupId": format!("sg-{group:017x}"), "GroupName": format!("group-{group}"), "VpcId": "vpc-1", "OwnerId": "111122223333",
                "IpPermissions": rules, "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]})
        })
        .collect();
    let interfaces: Vec<serde_json::Value> = (0..INTERFACES)
        .map(|host| {
            serde_json::json!({"NetworkInterfaceId": format!("eni-{host:017x}"), "InterfaceType": "interface", "VpcId": "vpc-1",
                "PrivateIpAddress": address(host), "Groups": [{"GroupId": format!("sg-{:017x}", host % GROUPS)}]})
        })
        .collect();
    serde_json::json!({"SecurityGroups": groups, "NetworkInterfaces": interfaces}).to_string()
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
