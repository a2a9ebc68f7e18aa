//! Reads the calls that change files from the output of `strace -f -y -xx`.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::Command;

use super::disk::Call;

/// The calls that are recorded. A missing call that changes a file would be noticed: the replayed files are compared
/// with the real ones.
const CALLS: &str = "trace=openat,write,pwrite64,lseek,ftruncate,fsync,fdatasync,rename,unlink";

/// Runs a command under strace. Returns `None`, and reports why, where strace is not available.
pub(super) fn record(log: &std::path::Path, command: &[&std::ffi::OsStr]) -> Option<Vec<Call>> {
    let strace = |out: &std::path::Path| {
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-y", "-xx", "-s", "16777216", "-e", CALLS, "-o"])
            .arg(out);
        strace
    };
    let tried = strace(std::path::Path::new("/dev/null")).arg("true").output();
    match tried {
        Ok(tried) if tried.status.success() => {}
        Ok(tried) => {
            let why = String::from_utf8_lossy(&tried.stderr).into_owned();
            skipped(&format!("strace may not trace here: {}", why.trim()));
            return None;
        }
        Err(error) => {
            skipped(&format!("there is no strace to record with: {error}"));
            return None;
        }
    }
    let done = strace(log).args(command).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "the recorded program failed: {text}");
    Some(parse(&std::fs::read_to_string(log).unwrap()))
}

/// Reports a skipped test. Not by `eprintln!`, which a passing test does not show: a run without these tests must look
/// like one.
fn skipped(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a power cut");
    let _ = writeln!(std::io::stderr(), "{test}: SKIPPED: {why}");
}

fn parse(log: &str) -> Vec<Call> {
    let mut begun: HashMap<&str, (String, usize)> = HashMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (start.to_owned(), calls.len()));
        } else if rest.starts_with("<... ") {
            let (start, since) = begun.remove(thread).expect("a call resumed was begun");
            let end = rest.split_once(" resumed>").expect("`resumed` is in the line").1;
            calls.extend(call(&(start + end), since));
        } else {
            calls.extend(call(rest, calls.len()));
        }
    }
    calls
}

/// Parses one line. Returns `None` for a call that failed, or that changes no file.
fn call(line: &str, since: usize) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let returned: u64 = result.split(['<', ' ']).next()?.parse().ok()?;
    let parts: Vec<&str> = arguments.split(", ").collect();
    let descriptor = || {
        let (fd, path) = parts[0].strip_suffix('>')?.split_once('<')?;
        Some((fd.parse().ok()?, file(path)))
    };
    let number = |at: usize| parts.get(at)?.parse::<u64>().ok();
    Some(match name {
        "openat" => Call::Open {
            fd: u32::try_from(returned).ok()?,
            path: file(result.split_once('<')?.1.strip_suffix('>')?),
            make: parts.get(2)?.contains("O_CREAT"),
            empty: parts.get(2)?.contains("O_TRUNC"),
        },
        "write" | "pwrite64" => {
            let ((fd, path), mut bytes) = (descriptor()?, bytes(parts.get(1)?));
            bytes.truncate(usize::try_from(returned).ok()?);
            let at = number(3);
            Call::Write { fd, path, at, bytes }
        }
        "lseek" => Call::Seek {
            fd: descriptor()?.0,
            offset: returned,
        },
        "ftruncate" => Call::Resize {
            path: descriptor()?.1,
            length: number(1)?,
        },
        "fsync" | "fdatasync" => Call::Sync {
            path: descriptor()?.1,
            since,
        },
        "rename" => Call::Rename {
            from: file(parts[0]),
            to: file(parts.get(1)?),
        },
        "unlink" => Call::Remove { path: file(parts[0]) },
        _ => return None,
    })
}

fn file(text: &str) -> PathBuf {
    std::ffi::OsString::from_vec(bytes(text)).into()
}

/// Parses `"\x61\x62"`, with or without quotes; characters that are not escaped stand for themselves.
fn bytes(text: &str) -> Vec<u8> {
    let text = text.trim_matches('"').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"\\x") && at + 4 <= text.len() {
            let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
            bytes.push(digit(text[at + 2]) << 4 | digit(text[at + 3]));
            at += 4;
        } else {
            bytes.push(text[at]);
            at += 1;
        }
    }
    bytes
}

#[test]
fn a_call_that_was_interrupted_in_the_log_is_put_together_again() {
    let log = "7 openat(AT_FDCWD</>, \"\\x2f\\x66\", O_RDWR|O_CREAT|O_TRUNC, 0600) = 3<\\x2f\\x66>\n\
               7 pwrite64(3<\\x2f\\x66>, \"\\x00\\x41\", 2, 10 <unfinished ...>\n\
               8 fdatasync(3<\\x2f\\x66> <unfinished ...>\n\
               7 <... pwrite64 resumed>) = 2\n\
               8 <... fdatasync resumed>) = 0\n\
               8 unlink(\"\\x2f\\x67\") = -1 ENOENT (No such file or directory)\n\
               7 +++ exited with 0 +++\n";
    let path = PathBuf::from("/f");
    assert_eq!(
        parse(log),
        [
            Call::Open {
                fd: 3,
                path: path.clone(),
                make: true,
                empty: true
            },
            Call::Write {
                fd: 3,
                path: path.clone(),
                at: Some(10),
                bytes: vec![0, 0x41]
            },
            // The write was not complete when the sync began: it is not covered.
            Call::Sync { path, since: 1 },
        ]
    );
}
