//! What a check found, as people read it: a line for each thing looked at.

use super::Words;
use crate::app::check::Checked;
use crate::app::check::Level;
use crate::app::check::Line;

impl Words for Checked {
    fn words(&self) -> String {
        self.checks.iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

fn text(line: &Line) -> String {
    let level = match line.level {
        Level::Ok => "ok  ",
        Level::Warn => "warn",
        Level::Fail => "FAIL",
    };
    let advice = if line.advice.is_empty() {
        String::new()
    } else {
        format!("\n                   do: {}", under(&line.advice))
    };
    format!("{level}  {:<12} {}{advice}", line.what, under(&line.text))
}

/// Further lines stand under the first: no text of another's begins one of ours.
fn under(text: &str) -> String {
    text.replace('\n', "\n                   ")
}
