//! Questions before what is destructive or wide. They are asked on a terminal only: a script says what it means by its flags.

use std::io;
use std::io::BufRead;
use std::io::IsTerminal;
use std::io::Write;

use super::args::Globals;
use crate::model::shown::shown_lines;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    /// `--yes`.
    yes: bool,
    /// Somebody sits before it: questions are read there and answered there.
    terminal: bool,
}

impl Asking {
    pub(super) fn of(globals: &Globals) -> Self {
        Self {
            yes: globals.yes,
            terminal: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Asks, where somebody is to be asked. Returns whether it goes on.
    pub(super) fn goes_on(self, question: &str) -> bool {
        if self.yes || !self.terminal {
            return true;
        }
        let mut answer = String::new();
        let _ = write!(io::stderr().lock(), "{} [y/N] ", shown_lines(question));
        let read = io::stdin().lock().read_line(&mut answer);
        let goes_on = read.is_ok() && is_yes(&answer);
        if !goes_on {
            let _ = writeln!(io::stderr().lock(), "Nothing was done.");
        }
        goes_on
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (answer, expected) in [
            ("y\n", true),
            ("YES\n", true),
            (" y \n", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("yep\n", false),
        ] {
            assert_eq!(is_yes(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_script_is_not_asked() {
        for (yes, terminal) in [(true, true), (true, false), (false, false)] {
            assert!(Asking { yes, terminal }.goes_on("Sure?"), "{yes} {terminal}");
        }
    }
}
