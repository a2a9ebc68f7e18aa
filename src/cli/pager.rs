//! Long output on a terminal goes through a pager, as git's does: `$PAGER`, or `less`, which ends by itself where one screen
//! holds everything.

use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

/// A pager that runs. Signals of the terminal are its own: Ctrl-C in it must not end the program under it.
pub(super) struct Pager {
    child: Child,
    /// Keeps the program's ear for Ctrl-C.
    _runtime: tokio::runtime::Runtime,
}

impl Pager {
    /// Starts the pager that the environment names; `None` where there is none, or none that runs.
    pub(super) fn start() -> Option<Self> {
        let command = wanted(env::var_os("PAGER"), env::var_os("TERM"))?;
        let runtime = super::process::runtime().ok()?;
        let mut pager = called(&command);
        pager.stdin(Stdio::piped());
        if env::var_os("LESS").is_none() {
            // As git has it: ends where one screen holds all, keeps colours, leaves the text on the screen.
            pager.env("LESS", "FRX");
        }
        let child = pager.spawn().ok()?;
        // From here on a first Ctrl-C is heard and nothing more.
        drop(runtime.block_on(async { signal(SignalKind::interrupt()) }));
        Some(Self {
            child,
            _runtime: runtime,
        })
    }

    /// Hands text on. Returns false where nobody reads any more.
    pub(super) fn write(&mut self, text: &[u8]) -> bool {
        let Some(stdin) = self.child.stdin.as_mut() else {
            return false;
        };
        stdin.write_all(text).is_ok()
    }

    /// Waits until the reader has read, and left.
    pub(super) fn finish(mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What runs a pager: itself, so that one that is not there is noticed; a shell where the text needs one.
fn called(command: &OsStr) -> Command {
    let plain = |text: &&str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || " -_./+=".contains(c))
    };
    let mut words = command.to_str().filter(plain).unwrap_or_default().split(' ');
    if let Some(program) = words
        .next()
        .filter(|program| !program.is_empty() && !program.contains('='))
    {
        let mut pager = Command::new(program);
        pager.args(words.filter(|word| !word.is_empty()));
        return pager;
    }
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell
}

/// The command of the pager, from `$PAGER` and `$TERM`.
fn wanted(pager: Option<OsString>, term: Option<OsString>) -> Option<OsString> {
    if term.is_some_and(|term| term == "dumb") {
        return None;
    }
    let pager = pager.unwrap_or_else(|| "less".into());
    (!pager.is_empty() && pager != "cat").then_some(pager)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_asked_only_where_it_is_needed() {
        for (command, program, arguments) in [
            ("less", "less", vec![]),
            ("less -R  -S", "less", vec!["-R", "-S"]),
            ("less | cat", "sh", vec!["-c", "less | cat"]),
            ("LESS=F less", "sh", vec!["-c", "LESS=F less"]),
        ] {
            let called = called(OsStr::new(command));
            assert_eq!(called.get_program(), program, "{command}");
            assert_eq!(called.get_args().collect::<Vec<_>>(), arguments, "{command}");
        }
    }

    #[test]
    fn the_pager_is_the_one_that_git_would_take() {
        for (pager, term, expected) in [
            (None, None, Some("less")),
            (Some("more -s"), Some("xterm"), Some("more -s")),
            (Some(""), None, None),
            (Some("cat"), None, None),
            (Some("less"), Some("dumb"), None),
        ] {
            let found = wanted(pager.map(OsString::from), term.map(OsString::from));
            assert_eq!(found, expected.map(OsString::from), "{pager:?} {term:?}");
        }
    }
}
