//! How far long work has come, shown on standard error where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar towards `total` of something, or a count where the total is not known.
pub(crate) fn bar(total: Option<u64>, of: &str) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let unit = if of == "bytes" {
        ["{bytes}/{total_bytes}", "{bytes}"]
    } else {
        ["{human_pos}/{human_len}", "{human_pos}"]
    };
    let template = match total {
        Some(_) => format!("{{msg}} [{{bar:32}}] {} {of}, {{eta}} left", unit[0]),
        None => format!("{{msg}} {{spinner}} {} {of}", unit[1]),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
