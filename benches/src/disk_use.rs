//! [`bytes_on_disk`], what files take; they may claim to be longer.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bytes that a file takes on the disk; 0 where there is none.
///
/// # Errors
///
/// Whatever else the system says.
pub fn bytes_on_disk(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        // In units of 512 bytes, whatever the size of a block.
        Ok(metadata) => Ok(metadata.blocks() * 512),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}
