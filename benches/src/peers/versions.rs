//! The versions of what is compared.

use serde_json::{Value, json};

/// The lock file that this was built with.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The version of a crate in the lock file.
fn version(name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = LOCK.split_once(&entry).and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("unknown").to_owned()
}

/// The version of every engine, by its name in the table.
pub(crate) fn versions() -> Value {
    let lmdb = heed::lmdb_version();
    json!({
        "connectory": version("connectory"),
        "SQLite": rusqlite::version(),
        "rusqlite": version("rusqlite"),
        "LMDB": format!("{}.{}.{}", lmdb.major, lmdb.minor, lmdb.patch),
        "heed": version("heed"),
        "fjall": version("fjall"),
        "redb": version("redb"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_known() {
        assert!(!versions().to_string().contains("unknown"), "{}", versions());
    }
}
