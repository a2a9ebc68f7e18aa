//! A wrong use, help and version, in clap's own words. They quote arguments, and an argument may be somebody's name.

use std::env;
use std::ffi::OsString;
use std::io;
use std::io::Write;

use super::report::failure_document;
use crate::app::error::AppError;
use crate::model::shown::is_unseen;
use crate::model::shown::shown;
use crate::model::shown::shown_lines;

/// Shows it; the exit code. Painted where the terminal wants it, unless an argument holds what is not seen.
pub fn usage(error: &clap::Error) -> u8 {
    let arguments: Vec<String> = env::args_os().skip(1).map(lossy).collect();
    let hostile: Vec<&String> = arguments
        .iter()
        .filter(|argument| argument.chars().any(is_unseen))
        .collect();
    // Where nobody reads it, nobody is left to tell.
    let _ = if hostile.is_empty() {
        error.print()
    } else {
        io::stderr()
            .lock()
            .write_all(written_out(&error.render().ansi().to_string(), &hostile).as_bytes())
    };
    if error.use_stderr() && wants_json(&arguments) {
        let document = failure_document(&failure(error, &hostile));
        let _ = writeln!(io::stdout().lock(), "{document}");
    }
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// True where a document is asked for: the flags could not be read as a whole.
fn wants_json(arguments: &[String]) -> bool {
    let pairs = arguments.iter().zip(arguments.iter().skip(1));
    let apart = pairs
        .into_iter()
        .any(|(flag, value)| matches!(flag.as_str(), "-o" | "--output") && value == "json");
    apart
        || arguments
            .iter()
            .any(|argument| matches!(argument.as_str(), "-ojson" | "-o=json" | "--output=json"))
}

/// What clap says, as an error like any: its first line is what is wrong, the rest what to do.
fn failure(error: &clap::Error, hostile: &[&String]) -> AppError {
    let words = written_out(&error.render().ansi().to_string(), hostile);
    let (what, rest) = words.trim().split_once('\n').unwrap_or((words.trim(), ""));
    let advice: Vec<&str> = rest
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    AppError::usage(what.trim_start_matches("error: "), advice.join("; "))
}

fn lossy(argument: OsString) -> String {
    argument.to_string_lossy().into_owned()
}

/// Painted words with each of these arguments written out, and then without the paint. In this order: what takes the paint off
/// takes the arguments' own escape sequences too, and would no longer find them.
fn written_out(words: &str, arguments: &[&String]) -> String {
    let mut text = words.to_owned();
    for argument in arguments {
        // `--flag=value` is quoted by its value.
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        for quoted in [argument.as_str(), value]
            .into_iter()
            .filter(|quoted| !quoted.is_empty())
        {
            text = text.replace(quoted, &shown(quoted));
        }
    }
    shown_lines(&unpainted(&text)).into_owned()
}

/// Without `ESC [ … m`, which is all that clap paints with.
fn unpainted(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let style = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        match style.filter(|at| part[*at..].starts_with('m')) {
            Some(at) => plain.push_str(&part[at + 1..]),
            // None of clap's: it is written out with the rest.
            None => {
                plain.push_str("\u{1b}[");
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_arguments_stay_in_their_line() {
        let argument = "x\u{1b}[2J\nForged".to_owned();
        let flag = format!("--until={argument}");
        let words = format!(
            "\u{1b}[1;31merror:\u{1b}[0m unrecognized subcommand '\u{1b}[33m{argument}\u{1b}[0m'\nUsage: melonsync\nnot '{flag}'"
        );
        assert_eq!(
            written_out(&words, &[&argument, &flag]),
            "error: unrecognized subcommand 'x\\u{1b}[2J\\u{a}Forged'\nUsage: melonsync\nnot '--until=x\\u{1b}[2J\\u{a}Forged'"
        );
    }
}
