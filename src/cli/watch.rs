//! Follows a cycle at the command line: progress on a terminal.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressState;
use indicatif::ProgressStyle;

use crate::app::cycles::Watcher;

/// Progress for people, on stderr, where that is a terminal; and what concerns every object.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    findings: Mutex<Vec<String>>,
    /// How far the last phase came that knows its end.
    reached: Mutex<Option<(u64, u64)>>,
}

impl Progress {
    pub(super) fn new(shown: bool) -> Self {
        let bar = shown.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            findings: Mutex::default(),
            reached: Mutex::default(),
        }
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// What is said of a cycle that was stopped.
    pub(super) fn stopped(&self) -> String {
        stopped(*self.reached.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What concerns every object.
    pub(super) fn findings(&self) -> Vec<String> {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Watcher for Progress {
    fn finding(&self, text: &str) {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.to_owned());
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        self.show(phase, done, of);
    }
}

impl Progress {
    /// Draws how far a phase is.
    pub(super) fn show(&self, phase: &str, done: u64, of: Option<u64>) {
        if let Some(of) = of.filter(|of| *of > 0) {
            *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some((done, of));
        }
        let Some(bar) = &self.bar else { return };
        match of {
            Some(of) if of > 0 => {
                bar.set_message(phase.to_owned());
                bar.set_length(of);
                bar.set_position(done);
                if let Ok(style) = ProgressStyle::with_template(
                    "{spinner} {msg} {bar:20} {pos} of {len}, {rate}, {eta} left",
                ) {
                    bar.set_style(style.with_key("rate", rate));
                }
            }
            _ => {
                bar.set_style(ProgressStyle::default_spinner());
                bar.set_message(if done > 0 {
                    format!("{phase}: {done}")
                } else {
                    phase.to_owned()
                });
            }
        }
    }
}

/// How many a second, without a fraction.
fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // Nobody is left to tell when the terminal is gone.
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

fn stopped(reached: Option<(u64, u64)>) -> String {
    match reached {
        Some((done, of)) => format!("stopped; {done} of {of} done, the rest at the next cycle"),
        None => "stopped before anything was sent; the next cycle begins where this one did".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stops_a_cycle_hears_how_far_it_came() {
        let progress = Progress::new(false);
        assert_eq!(
            progress.stopped(),
            "stopped before anything was sent; the next cycle begins where this one did"
        );
        progress.show("reading the source", 500, None);
        progress.show("users", 77, Some(989));
        assert_eq!(
            progress.stopped(),
            "stopped; 77 of 989 done, the rest at the next cycle"
        );
    }
}
