//! Writes a mapping file as text, with what was left out as comments.

use std::fmt::Write;

use super::{LeftOut, Setting};
use crate::model::id::ObjectKind;

/// One row to be written to the file.
#[derive(Debug, Clone, Default)]
pub(super) struct RowText {
    pub(super) target: String,
    pub(super) source: String,
    pub(super) matching: Option<u64>,
    pub(super) create_only: bool,
    pub(super) default: Option<String>,
    /// The reason why it is only a comment.
    pub(super) trouble: Option<String>,
}

/// Writes a text as TOML, in quotes that need no escape where possible.
#[must_use]
pub fn toml_text(text: &str) -> String {
    let plain = |c: char| !c.is_control();
    if text.chars().all(|c| plain(c) && !matches!(c, '"' | '\\')) {
        return format!("\"{text}\"");
    }
    if text.chars().all(|c| plain(c) && c != '\'') {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes the file. Returns, for each row, its lines in it, from 1.
pub(super) fn file(
    head: &str,
    settings: &[Setting],
    rest: &[LeftOut],
    rows: &[(ObjectKind, Vec<RowText>)],
) -> (String, Vec<(ObjectKind, usize, std::ops::RangeInclusive<usize>)>) {
    let mut out = comment(head);
    if !settings.is_empty() {
        out += "#\n# For the job in config/melonsync.toml:\n";
        for line in settings_text(settings).lines() {
            out += &comment(line);
        }
    }
    if !rest.is_empty() {
        out += "#\n# Not carried over, beside the rows that are comments below:\n";
        for left in rest {
            out += &comment(&format!("  {}: {}", left.what, left.why));
        }
    }
    let mut places = Vec::new();
    for (kind, rows) in rows {
        for (number, row) in rows.iter().enumerate() {
            out.push('\n');
            let from = out.lines().count() + 1;
            let text = row_text(*kind, row);
            match &row.trouble {
                Some(why) => {
                    out += &comment(&format!("Not carried over: {why}"));
                    out += &comment(&text);
                }
                None => out += &text,
            }
            places.push((*kind, number, from..=out.lines().count()));
        }
    }
    (out, places)
}

fn row_text(kind: ObjectKind, row: &RowText) -> String {
    let mut out = format!(
        "[[{kind}]]\ntarget   = {}\nsource   = {}\n",
        toml_text(&row.target),
        toml_text(&row.source)
    );
    if let Some(matching) = row.matching {
        let _ = writeln!(out, "matching = {matching}");
    }
    if row.create_only {
        out += "apply    = \"create-only\"\n";
    }
    if let Some(default) = &row.default {
        let _ = writeln!(out, "default  = {}", toml_text(default));
    }
    out
}

/// Writes settings under the tables of a job.
pub(super) fn settings_text(settings: &[Setting]) -> String {
    let mut out = String::new();
    for section in ["source", "provisioning", "provisioning.groups"] {
        let lines: Vec<&Setting> = settings.iter().filter(|line| line.section == section).collect();
        if !lines.is_empty() {
            let _ = writeln!(out, "[jobs.NAME.{section}]");
        }
        for line in lines {
            if !line.why.is_empty() {
                out += &comment(&line.why);
            }
            let _ = writeln!(out, "{} = {}", line.key, line.value);
        }
    }
    out
}

fn comment(text: &str) -> String {
    let clean = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
    text.lines()
        .map(|line| format!("# {}", clean(line)).trim_end().to_owned() + "\n")
        .collect()
}
