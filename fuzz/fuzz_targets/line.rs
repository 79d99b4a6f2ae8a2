//! The text parser: a format on the first line, records on the others.
#![no_main]

use closegate::ingest::{LogFormat, parse_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|&byte| byte == b'\n');
    let header = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let format = LogFormat::from_header(&header).unwrap_or_else(|_| LogFormat::default_v2());
    for line in lines {
        let _ = parse_line(&format, line);
        let _ = LogFormat::is_header(line);
    }
});
