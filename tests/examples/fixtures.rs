//! Writes the stores that the format is frozen by, and their dumps, into a folder: once for each format. What is there
//! already stays as it is.

use connectory_tests::fixtures::{self, Left};
use std::fs::File;
use std::io::Write;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("a folder: tests/fixtures and the format");
    for (name, Left { image, dump }) in
        [("closed", fixtures::closed()), ("crashed", fixtures::crashed())]
    {
        let write = |ending: &str, bytes: &[u8]| {
            let path = Path::new(&folder).join(format!("{name}.{ending}"));
            File::create_new(path)?.write_all(bytes)
        };
        write("connectory", &image.store)?;
        if let Some(log) = image.log {
            write("connectory-log", &log)?;
        }
        write("jsonl", dump.as_bytes())?;
    }
    Ok(())
}
