//! Makes sample-data/ from a fixed seed: `cargo run --example sample-data`.

mod shop;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data");
    for (name, content) in shop::files() {
        let path = root.join(&name);
        fs::create_dir_all(path.parent().expect("joined below a directory"))?;
        if path.extension().is_some_and(|e| e == "gz") {
            // Neither a name nor a time in the header: the same bytes every time.
            let mut gzip = GzBuilder::new().write(fs::File::create(path)?, Compression::best());
            gzip.write_all(content.as_bytes())?;
            gzip.finish()?;
        } else {
            fs::write(path, content)?;
        }
    }
    Ok(())
}
