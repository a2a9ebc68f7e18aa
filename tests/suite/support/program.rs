//! The real program under a time limit: no call of it outlives its test, and one that hangs fails it.

use std::io::Read;
use std::ops::Deref;
use std::ops::DerefMut;
use std::process::Child;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use melonsync::model::clock::Stopwatch;
use serde_json::Value;

use super::limit;

/// What one call of the program left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Stdout as the one JSON document that it must be.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in\n{self:?}"))
    }

    /// Fails, with all that was said, where the exit code is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

/// A program that runs; it is killed, by its own id, where the test ends before it does.
pub struct Running(Child);

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finished(self) -> Ran {
        self.finished_within(limit::longest())
    }

    /// As [`Self::finished`], where it may take another time.
    #[track_caller]
    pub fn finished_within(mut self, longest: Duration) -> Ran {
        let (out, err) = (read(self.stdout.take()), read(self.stderr.take()));
        let (watch, mut late) = (Stopwatch::start(), false);
        let status = loop {
            if let Some(status) = self.try_wait().unwrap() {
                break status;
            }
            if !late && watch.elapsed() > longest {
                late = true;
                self.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let text = |all: JoinHandle<Vec<u8>>| String::from_utf8(all.join().unwrap()).unwrap();
        let ran = Ran {
            code: status.code(),
            out: text(out),
            err: text(err),
        };
        assert!(
            !late,
            "{}: the program takes longer than {longest:?}: it hangs\n{}\n{}",
            limit::this_test(),
            ran.out,
            ran.err
        );
        ran
    }
}

fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut all).unwrap();
        }
        all
    })
}

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing where it has ended: its id is known to be over then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
