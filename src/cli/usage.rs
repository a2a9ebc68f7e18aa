//! A wrong use, help and version, in clap's own words. They quote arguments, and an argument may be somebody's name.

use std::env;
use std::ffi::OsString;
use std::io;
use std::io::Write;

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
            .write_all(written_out(&error.render().to_string(), &hostile).as_bytes())
    };
    u8::try_from(error.exit_code()).unwrap_or(2)
}

fn lossy(argument: OsString) -> String {
    argument.to_string_lossy().into_owned()
}

/// The words with each of these arguments on one line.
fn written_out(words: &str, arguments: &[&String]) -> String {
    let mut text = words.to_owned();
    for argument in arguments {
        // `--flag=value` is quoted by its value.
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        for quoted in [argument.as_str(), value]
            .into_iter()
            .filter(|quoted| quoted.contains('\n'))
        {
            text = text.replace(quoted, &shown(quoted));
        }
    }
    shown_lines(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_arguments_stay_in_their_line() {
        let argument = "x\u{1b}[2J\nForged".to_owned();
        let flag = format!("--until={argument}");
        let words = format!("error: unrecognized subcommand '{argument}'\nUsage: melonsync\nnot '{flag}'");
        assert_eq!(
            written_out(&words, &[&argument, &flag]),
            "error: unrecognized subcommand 'x\\u{1b}[2J\\u{a}Forged'\nUsage: melonsync\nnot '--until=x\\u{1b}[2J\\u{a}Forged'"
        );
    }
}
