//! The format parser: `--log-format`, `LogFormat`, and header lines.
#![no_main]

use closegate::ingest::LogFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(format) = LogFormat::parse(text) {
        // What a format says of itself is the format again.
        let described = format.describe();
        if !described.starts_with("default") {
            assert_eq!(LogFormat::parse(&described).as_ref(), Ok(&format));
        }
    }
    let _ = LogFormat::from_header(text);
});
