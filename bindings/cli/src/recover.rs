//! `recover`: what is intact of a damaged store, in a new one, and what is told of the rest.

use crate::outcome::{FAILED, Failure, Outcome};
use crate::output::{Output, tell};
use crate::progress;
use connectory::{Listed, Recovery};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn recover(file: &Path, new: &Path, output: &Output) -> Outcome {
    if new.exists() {
        return Err(Failure::taken(new));
    }
    if !file.exists() {
        return Err(Failure::not_found(format!("there is no file {}", file.display())));
    }
    let bar = progress::bar(Some(0), "connections").with_message("recovering");
    let recovered = connectory::recover(file, new, |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let recovery = recovered.map_err(|error| {
        Failure::from(error).about(&file.display().to_string()).without_advice()
    })?;
    if output.is_json() {
        output.one(&recovery)?;
    } else {
        output.one(&counts(&recovery))?;
    }
    tell_all(&recovery);
    Ok(ExitCode::from(if recovery.is_complete() { 0 } else { FAILED }))
}

/// What fits a table; the sentences are told beside it.
fn counts(recovery: &Recovery) -> serde_json::Value {
    json!({
        "connections": recovery.connections,
        "profiles": recovery.profiles,
        "proxies": recovery.proxies,
        "is_newest": recovery.is_newest,
        "lost": recovery.lost.count,
        "unnamed": recovery.unnamed.join(", "),
        "doubtful": recovery.doubtful.count,
    })
}

fn tell_all(recovery: &Recovery) {
    for problem in &recovery.problems {
        tell(&format!("damaged: {problem}"));
    }
    for (what, list) in [("lost", &recovery.lost), ("doubtful", &recovery.doubtful)] {
        let Listed { count, named } = list;
        for one in named {
            tell(&format!("{what}: {one}"));
        }
        if *count > named.len() as u64 {
            tell(&format!("{what}: and {} more", count - named.len() as u64));
        }
    }
    for what in &recovery.unnamed {
        tell(&format!("lost: perhaps more {what}, which nothing names"));
    }
    if !recovery.is_newest {
        tell(&"what was written last may be missing, or things be there that were deleted");
    }
    if recovery.is_complete() {
        tell(&"everything is there");
    }
}
