//! A plan as a table for spreadsheets, and as one page for browsers.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;
use sha2::Sha256;

use crate::app::text::summary::plan_head;
use crate::engine::summary::Summary;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown;
use crate::model::value::Value;
use crate::reconcile::explain;
use crate::reconcile::explain::referred_name;
use crate::reconcile::operation::Operation;

/// The first line of the table.
pub(super) const CSV_HEAD: &str = "operation,object,name,target,because,attribute,before,after\n";

/// What the page begins with, and what is in its head.
pub(super) const HTML_BEGIN: &str = "<!DOCTYPE html>";
pub(super) const HTML_TITLE: &str = "<title>Plan of ";

/// An operation as lines of a table (RFC 4180, with plain line ends): one a change, or one where nothing changes.
pub(super) fn csv(operation: &Operation) -> String {
    let entry = explain::entry(operation);
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let head = [
        text("operation"),
        text("object"),
        operation.name.clone(),
        text("target"),
        text("because"),
    ];
    let mut lines = String::new();
    let mut line = |change: [String; 3]| {
        let cells: Vec<String> = head.iter().chain(&change).map(|text| cell(text)).collect();
        let _ = writeln!(lines, "{}", cells.join(","));
    };
    let changes = entry["changes"].as_array().map_or(&[] as &[_], Vec::as_slice);
    for change in changes {
        let attribute = change["attribute"].as_str().unwrap_or_default();
        line([
            attribute.to_owned(),
            plain(&change["before"]),
            plain(&change["after"]),
        ]);
    }
    if changes.is_empty() {
        line(Default::default());
    }
    lines
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A cell, always in quotes. What a spreadsheet would take for a formula gets an apostrophe before it: values come from a
/// directory in which people name themselves. A reader that splits at another separator than ours makes cells of parts of
/// this one, so the beginning of each such part is looked at too.
#[must_use]
pub fn cell(text: &str) -> String {
    let mut out = String::from('"');
    let mut begins = true;
    for c in shown(text).chars() {
        if begins && is_formula(c) {
            out.push('\'');
        }
        begins = SEPARATORS.contains(&c) || (begins && is_skipped(c));
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// What spreadsheets split lines at; TAB and line ends are written out before.
const SEPARATORS: [char; 4] = [',', ';', '|', ':'];

/// What begins a formula, in each of the widths that a spreadsheet takes for the same.
const fn is_formula(c: char) -> bool {
    matches!(
        c,
        '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '﹦' | '﹢' | '﹣' | '﹫' | '−'
    )
}

/// What a reader may drop before it looks at the first character.
fn is_skipped(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '\u{200c}' | '\u{200d}' | '\u{ad}')
}

/// The page up to the first operation.
pub(super) fn html_head(summary: &Summary) -> String {
    let mut page = include_str!("sheet.html").to_owned();
    page.truncate(page.find("<!-- operations -->").unwrap_or(page.len()));
    page = page.replace("{{policy}}", &policy(&page));
    let mut counts = String::new();
    for (verb, count) in summary.operations.iter().filter(|(_, count)| **count > 0) {
        let _ = writeln!(
            counts,
            "<label class=\"{}\"><input type=\"checkbox\" value=\"{verb}\" checked> {} <b>{count}</b></label>",
            tone(verb),
            verb.replace('_', " ")
        );
    }
    let withheld = match summary.withheld.count {
        0 => String::new(),
        count => {
            let reasons: Vec<String> = summary
                .withheld
                .by_reason
                .iter()
                .map(|(reason, count)| format!("{count} {}", reason.replace('_', " ")))
                .collect();
            format!(
                "<p class=\"warn\">{count} removals are withheld by the guard: {}.</p>",
                escaped(&reasons.join(", "))
            )
        }
    };
    let words = [
        ("{{job}}", escaped(&summary.job)),
        ("{{started}}", escaped(&summary.started)),
        ("{{mode}}", escaped(&summary.mode)),
        ("{{cycle}}", escaped(&summary.cycle)),
        ("{{summary}}", escaped(plan_head(summary).trim_end())),
        ("{{counts}}", counts),
        ("{{withheld}}", withheld),
    ];
    for (name, word) in words {
        page = page.replace(name, &word);
    }
    page
}

/// What a browser may run and apply in the page: its own script and style, each by its hash. Markup that came in by a name
/// would bring another one.
fn policy(page: &str) -> String {
    let hash = |tag: &str| {
        let inside = page.split_once(&format!("<{tag}>")).map_or("", |(_, rest)| rest);
        let inside = inside
            .split_once(&format!("</{tag}>"))
            .map_or("", |(inside, _)| inside);
        format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inside)))
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash("style"),
        hash("script")
    )
}

/// What stands between the operations and what is left alone, and after that.
pub(super) const HTML_OMITTED: &str =
    "</main>\n<details id=\"omitted\"><summary>Left alone, and why</summary>\n<ul>\n";
/// The end of the page.
pub(super) const HTML_END: &str = "</ul>\n</details>\n</body>\n</html>\n";

/// One operation.
pub(super) fn html(operation: &Operation, name_of: impl Fn(SourceId) -> Option<String>) -> String {
    let verb = operation.verb.name();
    let mut out = format!(
        "<article data-verb=\"{verb}\" class=\"{}\"><h3><span class=\"sign\">{}</span> {} <b>{}</b></h3>\n<p class=\"ids\">{}{}</p>\n<p>because {}</p>\n",
        tone(verb),
        explain::sign(operation.verb),
        verb.replace('_', " "),
        escaped(&operation.name),
        operation.source,
        operation
            .target
            .as_ref()
            .map_or_else(String::new, |target| format!(" → {}", escaped(target.as_str()))),
        escaped(&operation.because.to_string()),
    );
    if !operation.verb.links() {
        changes_table(operation, &name_of, &mut out);
        members_list(operation, &name_of, &mut out);
    }
    out.push_str("</article>\n");
    out
}

/// What changes, attribute by attribute.
fn changes_table(operation: &Operation, name_of: &impl Fn(SourceId) -> Option<String>, out: &mut String) {
    if operation.changes.is_empty() {
        return;
    }
    out.push_str("<table><tr><th>attribute</th><th>before</th><th>after</th></tr>\n");
    for change in &operation.changes {
        let cell = |value: &Value| {
            let referred = referred_name(change, value, name_of);
            let shown = match value {
                Value::Null => "<i>none</i>".to_owned(),
                other => escaped(&other.to_string()),
            };
            referred.map_or(shown.clone(), |name| format!("{shown} ({})", escaped(&name)))
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"before\">{}</td><td class=\"after\">{}</td></tr>",
            escaped(&change.attribute),
            cell(&change.before),
            cell(&change.after)
        );
    }
    out.push_str("</table>\n");
}

/// The members that come or leave; many are folded.
fn members_list(operation: &Operation, name_of: &impl Fn(SourceId) -> Option<String>, out: &mut String) {
    let (open, count) = match operation.members.len() {
        0 => return,
        1 => (" open", "1 member".to_owned()),
        few @ ..=20 => (" open", format!("{few} members")),
        many => ("", format!("{many} members")),
    };
    let _ = writeln!(out, "<details{open}><summary>{count}</summary><ul>");
    for member in &operation.members {
        let name = name_of(member.source).unwrap_or_default();
        let _ = writeln!(
            out,
            "<li>{} <span class=\"ids\">{}</span></li>",
            escaped(&name),
            member.source
        );
    }
    out.push_str("</ul></details>\n");
}

/// Something that is left alone.
pub(super) fn html_omission(
    object: Option<(ObjectKind, SourceId, &str)>,
    because: &str,
    hint: &str,
) -> String {
    let who = object.map_or_else(String::new, |(kind, id, name)| {
        format!(
            "{kind} <b>{}</b> <span class=\"ids\">{id}</span>: ",
            escaped(name)
        )
    });
    let hint = match hint {
        "" => String::new(),
        hint => format!(" <span class=\"do\">Do: {}</span>", escaped(hint)),
    };
    format!("<li>{who}{}{hint}</li>\n", escaped(because))
}

/// The colour of a verb.
fn tone(verb: &str) -> &'static str {
    if verb.starts_with("create") || verb.starts_with("add") || verb.starts_with("enable") {
        "adds"
    } else if verb.starts_with("update") {
        "changes"
    } else if verb.starts_with("link") {
        "links"
    } else {
        "removes"
    }
}

/// A text in which nothing is markup, and no character does anything unseen.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
