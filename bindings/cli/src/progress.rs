//! How far long work has come, shown on standard error where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar towards `total` of something, or a count where the total is not known.
pub(crate) fn bar(total: Option<u64>, of: &str) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    // A number of bytes comes with its unit.
    let template = match (total, of) {
        (Some(_), "bytes") => "{msg} [{bar:32}] {bytes}/{total_bytes}, {eta} left".into(),
        (None, "bytes") => "{msg} {spinner} {bytes}".into(),
        (Some(_), of) => {
            format!("{{msg}} [{{bar:32}}] {{human_pos}}/{{human_len}} {of}, {{eta}} left")
        }
        (None, of) => format!("{{msg}} {{spinner}} {{human_pos}} {of}"),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
