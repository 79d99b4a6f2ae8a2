//! A group's file of a policy: it is read or refused, and what was read is written as it was, or edited and read again.
#![no_main]

use std::path::Path;

use closegate::policy::{parse_group, write_group};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let path = Path::new("sg-1.toml");
    let Ok(before) = parse_group(text, path) else {
        return;
    };
    let same = write_group(Some((text, &before)), &before);
    assert!(same.is_err() || same.as_deref() == Ok(text));
    let mut after = before.clone();
    after.name = format!("{}\"\n[[allow]]", before.name);
    for entry in &mut after.entries {
        entry.reason = Some("\u{202e}\\\"".to_owned());
    }
    if let Ok(edited) = write_group(Some((text, &before)), &after) {
        let read = parse_group(&edited, path).expect("what closegate writes can be read");
        assert_eq!(read.name, after.name);
        assert_eq!(read.entries.len(), before.entries.len());
    }
});
