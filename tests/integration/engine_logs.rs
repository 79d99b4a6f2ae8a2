//! Logs for every engine: generated ones, ones with traps, and Security Lake's. `CLOSEGATE_ENGINE_ROWS` sets how many rows are
//! generated.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use closegate::audit;
use closegate::flow::FlowTable;
use closegate::ingest::{self, Intake, Settings};
use parquet::arrow::ArrowWriter;

use crate::common::{closegate, printed};
use crate::queries::peer;

/// Logs, as an engine and as closegate find them.
pub(crate) struct Logs {
    pub(crate) glob: String,
    /// More arguments of `closegate query`.
    pub(crate) more: Vec<String>,
}

impl Logs {
    pub(crate) fn new(glob: &Path, format: Option<&str>) -> Self {
        let format = format.map(|format| ["--log-format".to_owned(), format.to_owned()]);
        Self {
            glob: glob.display().to_string(),
            more: format.into_iter().flatten().collect(),
        }
    }

    pub(crate) fn question(&self, name: &str, engine: &str) -> String {
        let mut command = closegate();
        command.args(["query", name, "--engine", engine, "--flows", &self.glob]);
        printed(command.args(&self.more))
    }

    /// What closegate reads by itself.
    pub(crate) fn folded(&self) -> (FlowTable, Intake) {
        let sources = ingest::find(std::slice::from_ref(&self.glob)).unwrap();
        audit::read(&sources, &Settings::default(), |_| {})
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

pub(crate) const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// 1 November 2026.
const START: u64 = 1_793_491_200;

/// Rows of a day in the default format: services, clients with many ports, other protocols, rows that cross midnight, and rows
/// that another flow log has as well.
fn generated(day: u64, rows: u64) -> Vec<[String; 14]> {
    const SERVICES: [u64; 9] = [443, 80, 22, 53, 5432, 3306, 8080, 27017, 700];
    let mut dice = Dice(day);
    let mut out: Vec<[String; 14]> = Vec::new();
    for _ in 0..rows {
        let again = usize::try_from(dice.roll(50)).unwrap();
        if again == 0 && out.len() > 20 {
            out.push(out[out.len() - 7].clone());
            continue;
        }
        let (host, peer) = (dice.roll(40), dice.roll(200));
        let service = SERVICES[usize::try_from(peer % 9).unwrap()];
        let own = match dice.roll(8) {
            0 => service,
            1 => dice.roll(1024),
            2 => 1024 + dice.roll(31744),
            _ => 32768 + dice.roll(28232),
        };
        let protocol = [6, 6, 6, 6, 17, 17, 1, 50][usize::try_from(dice.roll(8)).unwrap()];
        let address = |host: u64| format!("10.0.{}.{}", host / 50, host % 50);
        let start = START + day * 86_400 + dice.roll(86_400);
        let (mut ends, mut ports) = ([address(host), address(peer + 50)], [own, service]);
        if dice.roll(2) == 0 {
            ends.reverse();
            ports.reverse();
        }
        let [src, dst] = ends;
        let idle = dice.roll(100) == 0;
        let value = |value: u64| {
            if idle {
                "-".to_owned()
            } else {
                value.to_string()
            }
        };
        let text = |text: String| if idle { "-".to_owned() } else { text };
        let action = if dice.roll(20) == 0 {
            "REJECT"
        } else {
            "ACCEPT"
        };
        let status = match (idle, dice.roll(3)) {
            (false, _) => "OK",
            (true, 0) => "SKIPDATA",
            (true, _) => "NODATA",
        };
        out.push([
            "2".to_owned(),
            "111122223333".to_owned(),
            format!("eni-{host:017x}"),
            text(src),
            text(dst),
            value(ports[0]),
            value(ports[1]),
            value(protocol),
            value(1 + dice.roll(40)),
            value(60 + dice.roll(90_000)),
            start.to_string(),
            (start + dice.roll(600)).to_string(),
            text(action.to_owned()),
            status.to_owned(),
        ]);
    }
    out
}

/// Parquet with the types that AWS's files have, or with texts only.
fn write_parquet(file: &Path, header: &str, rows: &[Vec<String>], is_typed: bool) {
    let column = |(place, name): (usize, &str)| -> (String, ArrayRef) {
        let values = rows.iter().map(|row| row[place].as_str());
        let numbers = values.clone().map(|value| value.parse::<i64>().ok());
        let name = name.replace('-', "_");
        let array: ArrayRef = match name.as_str() {
            "srcport" | "dstport" | "protocol" if is_typed => {
                let numbers = numbers.map(|number| i32::try_from(number?).ok());
                Arc::new(numbers.collect::<Int32Array>())
            }
            "packets" | "bytes" | "start" | "end" if is_typed => {
                Arc::new(numbers.collect::<Int64Array>())
            }
            _ => Arc::new(StringArray::from_iter_values(values)),
        };
        (name, array)
    };
    let columns = header.split(' ').enumerate().map(column);
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let out = fs::File::create(file).unwrap();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Generated logs: text by directories of days, one of the files with gzip, and Parquet.
pub(crate) fn generated_logs(dir: &Path) -> [Logs; 2] {
    let rows = std::env::var_os("CLOSEGATE_ENGINE_ROWS");
    let rows = rows.map_or(20_000, |rows| rows.to_str().unwrap().parse().unwrap());
    for day in 0..3 {
        let own = dir.join(format!("generated/day={day}"));
        fs::create_dir_all(&own).unwrap();
        let rows: Vec<Vec<String>> = generated(day, rows / 3)
            .into_iter()
            .map(Vec::from)
            .collect();
        write_parquet(&own.join("rows.parquet"), DEFAULT, &rows, true);
        let lines: Vec<String> = rows.iter().map(|row| row.join(" ")).collect();
        let text = format!("{DEFAULT}\n{}\n", lines.join("\n"));
        if day == 1 {
            let out = fs::File::create(own.join("rows.log.gz")).unwrap();
            let mut out = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
            std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
            out.finish().unwrap();
        } else {
            fs::write(own.join("rows.log"), text).unwrap();
        }
    }
    [
        Logs::new(&dir.join("generated/*/*.log*"), None),
        Logs::new(&dir.join("generated/*/*.parquet"), None),
    ]
}

const TRAP_FIELDS: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags flow-direction pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service resource-id";

/// A line of those fields: one that is unremarkable, but for what is said of it.
fn trap(said: &str) -> String {
    let usual = format!(
        "5 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 1000 {START} {} ACCEPT OK 2 egress - - - - -",
        START + 60
    );
    let mut values: Vec<&str> = usual.split(' ').collect();
    for pair in said.split_whitespace() {
        let (name, value) = pair.split_once('=').unwrap();
        let place = TRAP_FIELDS.split(' ').position(|field| field == name);
        values[place.unwrap()] = value;
    }
    values.join(" ")
}

/// Records that are hard to read alike.
fn traps() -> Vec<String> {
    let mut said: Vec<String> = TRAPS.lines().map(str::to_owned).collect();
    let mut add = |text: String| said.push(text);
    // Numbers as they should not be, in every place.
    let numbers = "-5 +5 5.0 5.7 1e3 0x10 99999999999999999999 18446744073709551615 18446744073709551616 00000000000000000007 000000000000000000007 9223372036854775808 １２ - 0 65535 65536 255 256";
    for (end, number) in (START + 60..).zip(numbers.split(' ')) {
        for field in [
            "packets", "bytes", "srcport", "dstport", "protocol", "start", "end",
        ] {
            add(format!("dstport=90 {field}={number}"));
            add(format!("protocol=1 dstport=91 {field}={number}"));
        }
        add(format!("dstport=94 end={end} tcp-flags={number}"));
        add(format!(
            "protocol=17 dstport=94 end={end} tcp-flags={number}"
        ));
    }
    for flags in 0..260 {
        add(format!(
            "srcport={} dstport={} tcp-flags={flags}",
            42_000 + flags,
            1000 + flags % 5
        ));
        add(format!(
            "srcport=443 dstport={} tcp-flags={flags}",
            42_000 + flags
        ));
    }
    for port in 40_000..40_006 {
        add(format!("srcport={port}"));
    }
    for (count, service) in [(1, 8443), (4, 8444), (5, 8445)] {
        for port in 50_000..50_000 + count {
            add(format!("srcport={port} dstport={service}"));
        }
    }
    let ports = "1 80 511 512 1023 1024 2049 3306 8080 32767 32768 50051 61616 65535";
    for src in ports.split(' ') {
        for dst in ports.split(' ') {
            for protocol in [6, 17] {
                add(format!(
                    "dstaddr=10.0.9.9 srcport={src} dstport={dst} protocol={protocol} tcp-flags=-"
                ));
            }
        }
    }
    let day = 86_400;
    for (from, to) in [
        (day - 30, day + 30),
        (day - 1, day),
        (0, 200 * day),
        (day, day),
        (127 * day, 127 * day + 5),
    ] {
        add(format!(
            "dstport=120 start={} end={}",
            START + from,
            START + to
        ));
    }
    // Milliseconds, and what is none.
    for (start, end) in [
        (START * 1000, START * 1000 + 59_999),
        (START, (START + 5) * 1000),
        (99_999_999_999, 99_999_999_999),
        (100_000_000_000, 100_000_000_000),
        (START, 4_294_967_295),
        (START, 4_294_967_296),
        (START + 61, START + 60),
        (0, 0),
    ] {
        add(format!("dstport=121 start={start} end={end}"));
    }
    add(format!("dstport=122 start={} end=-", START * 1000));
    said.iter().map(|said| trap(said)).collect()
}

/// Traps by what differs from the usual record; a few differ from others of them in nothing, or in no field that tells records
/// apart.
const TRAPS: &str = "\
dstport=443
dstport=443
packets=99 bytes=10
flow-direction=ingress
flow-direction=-
srcaddr=- dstaddr=- srcport=- dstport=- protocol=- packets=- bytes=- action=- tcp-flags=- flow-direction=- log-status=NODATA
srcaddr=- dstaddr=- srcport=- dstport=- protocol=- packets=- bytes=- action=- tcp-flags=- flow-direction=- log-status=NODATA
srcaddr=10.9.9.9 log-status=NODATA
srcaddr=- dstaddr=- log-status=NODATA interface-id=eni-2
srcaddr=- dstaddr=- log-status=SKIPDATA
srcaddr=- dstaddr=- log-status=SKIPDATA end=1793700000
srcaddr=- dstaddr=- log-status=OK
srcaddr=- dstaddr=- log-status=-
log-status=BAD
log-status=ok
srcaddr=2001:db8::1 dstaddr=2001:db8::2
srcaddr=2001:DB8::1 dstaddr=2001:db8::2 end=1793491261
srcaddr=2001:db8:0:0:0:0:0:1 dstaddr=2001:db8::2 end=1793491262
srcaddr=10.0.0.1 dstaddr=2001:db8::2
srcaddr=::ffff:10.0.0.1 dstaddr=::ffff:10.0.0.2
srcaddr=fe80::1%eth0 dstaddr=fe80::2
srcaddr=10.0.0.01
srcaddr=10.0.0.256
srcaddr=10.0.0
srcaddr=ä
srcaddr=-
dstaddr=-
pkt-srcaddr=10.0.5.5
pkt-dstaddr=10.0.5.6
pkt-srcaddr=10.0.0.1
srcaddr=- pkt-srcaddr=10.0.5.7
srcaddr=bad pkt-srcaddr=10.0.5.7 dstport=444
pkt-srcaddr=bad
dstaddr=52.1.2.3 pkt-dst-aws-service=S3
dstaddr=52.1.2.3 pkt-dst-aws-service=DYNAMODB end=1793491270
srcaddr=52.1.2.4 srcport=443 dstport=45000 tcp-flags=18 flow-direction=ingress pkt-src-aws-service=EC2
action=REJECT
action=-
action=accept
action=DROP
interface-id=-
interface-id=- resource-id=nat-1
interface-id=eni-3 resource-id=nat-1
interface-id=eni-\"x
interface-id=eni-'x\\n
interface-id=eni-ö
interface-id=NULL
interface-id=eni,comma
interface-id=#x
packets=18446744073709551615 bytes=18446744073709551615 dstport=97
packets=18446744073709551615 bytes=18446744073709551615 dstport=97 srcport=40001
packets=0 bytes=0 dstport=98
version=-";

/// Lines that are no records, or unusual ones.
fn odd_lines() -> String {
    let usual = trap("dstport=130");
    let (short, _) = usual.rsplit_once(' ').unwrap();
    let spaced = trap("dstport=131").replace(' ', "  ");
    let tabs = trap("dstport=132").replace(' ', "\t");
    format!("{usual} more\n{short}\ngarbage\n5\n\n   \n  {spaced}  \n{tabs}\n#{usual}\n{usual}\r\n")
}

/// Logs with traps: text, with line ends of either kind, and Parquet.
pub(crate) fn trap_logs(dir: &Path) -> [Logs; 2] {
    let lines = traps();
    let mut text = format!("{TRAP_FIELDS}\n");
    for line in &lines {
        writeln!(text, "{line}").unwrap();
    }
    fs::write(dir.join("traps.log"), text + &odd_lines()).unwrap();
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect();
    write_parquet(&dir.join("traps.parquet"), TRAP_FIELDS, &rows, false);
    ["traps.log", "traps.parquet"].map(|name| Logs::new(&dir.join(name), Some(TRAP_FIELDS)))
}

/// What DuckDB writes in the shape of Security Lake's table.
const LAKE: &str = r"
import duckdb, sys
duckdb.execute('''COPY (
    SELECT
        4001 AS class_uid,
        CASE WHEN n % 13 = 0 THEN NULL WHEN n % 7 = 0 THEN 2 ELSE 1 END AS action_id,
        CASE WHEN n % 7 = 0 THEN 5 ELSE 6 END AS activity_id,
        CASE WHEN n % 29 = 0 THEN 'NODATA' WHEN n % 31 = 0 THEN 'SKIPDATA' WHEN n % 37 = 0 THEN NULL ELSE 'OK' END AS status_code,
        {'ip': '10.0.0.' || n % 5, 'port': CASE WHEN n % 3 = 0 THEN 443 ELSE 40000 + n % 7 END,
         'interface_uid': CASE WHEN n % 2 = 0 THEN 'eni-' || n % 5 WHEN n % 3 = 0 THEN '' END,
         'svc_name': CASE WHEN n % 11 = 0 THEN 'S3' WHEN n % 11 = 1 THEN '-' END,
         'intermediate_ips': ['10.9.9.9']} AS src_endpoint,
        {'ip': CASE WHEN n % 17 = 0 THEN '2001:db8::1' ELSE '10.0.1.' || n % 4 END,
         'port': CASE WHEN n % 3 = 0 THEN 40000 + n % 7 ELSE 443 END,
         'interface_uid': CASE WHEN n % 2 = 1 THEN 'eni-d' || n % 4 END, 'svc_name': NULL::varchar} AS dst_endpoint,
        {'protocol_num': CASE WHEN n % 19 = 0 THEN 1 WHEN n % 5 = 0 THEN 17 ELSE 6 END,
         'tcp_flags': CASE WHEN n % 3 = 0 THEN 18 ELSE 2 END,
         'direction_id': CASE WHEN n % 2 = 0 THEN 2 WHEN n % 23 = 0 THEN 99 ELSE 1 END} AS connection_info,
        {'packets': n, 'bytes': n * 10} AS traffic,
        1793491200000 + n * 60007 AS start_time,
        1793491200000 + n * 60007 + 59999 AS end_time,
        make_timestamp((1793491200000 + n * 60007) * 1000) AS time_dt,
        1793491200000 + n * 60007 AS time
    FROM range(5000) AS numbers(n)
) TO '@FILE@' '''.replace('@FILE@', sys.argv[1]))
";

/// A file in the shape of Security Lake's table.
pub(crate) fn lake(dir: &Path) -> Logs {
    let file = dir.join("lake.parquet");
    let mut python = Command::new(peer("python"));
    succeeds(&python.args(["-c", LAKE]).arg(&file).output().unwrap());
    let mut logs = Logs::new(&file, None);
    logs.more = ["--table-kind", "security-lake"].map(str::to_owned).into();
    logs
}

/// Stops where a program failed, with what it said.
pub(crate) fn succeeds(output: &Output) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}
