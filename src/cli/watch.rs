//! Follows a cycle at the command line: progress on a terminal.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;

use crate::app::cycles::Watcher;

/// Progress for people, on stderr, where that is a terminal; and what concerns every object.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    findings: Mutex<Vec<String>>,
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
        }
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
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
        let Some(bar) = &self.bar else { return };
        match of {
            Some(of) if of > 0 => {
                bar.set_length(of);
                bar.set_position(done);
                if let Ok(style) =
                    ProgressStyle::with_template("{spinner} {msg} {bar:30} {pos}/{len} ({eta})")
                {
                    bar.set_style(style);
                }
                bar.set_message(phase.to_owned());
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
