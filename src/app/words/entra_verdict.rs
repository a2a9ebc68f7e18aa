//! The verdict in words: a line for each of the twelve, and what differs.

use super::Words;
use crate::app::views::entra_verdict::Answer;
use crate::app::views::entra_verdict::Difference;
use crate::app::views::entra_verdict::EntraVerdict;
use crate::app::views::entra_verdict::VerdictLine;
use crate::model::shown::shown;

/// As many differences are listed; the document has more.
const LISTED: usize = 20;

impl Words for EntraVerdict {
    fn words(&self) -> String {
        let mut text: Vec<String> = self.lines.iter().map(line).collect();
        if !self.differences.is_empty() {
            text.push("Differences:".to_owned());
            text.extend(self.differences.iter().take(LISTED).map(difference));
            if self.differences.len() > LISTED {
                text.push(format!(
                    "  and {} more: -o json has them",
                    self.differences.len() - LISTED
                ));
            }
        }
        let yes = self
            .lines
            .iter()
            .filter(|line| line.answer == Answer::Yes)
            .count();
        text.push(if self.safe {
            "Safe to switch: all twelve are yes.".to_owned()
        } else {
            format!("Not safe to switch: {yes} of {} are yes.", self.lines.len())
        });
        text.join("\n")
    }
}

fn line(line: &VerdictLine) -> String {
    let answer = match line.answer {
        Answer::Yes => "yes        ",
        Answer::No => "NO         ",
        Answer::Unknown => "cannot tell",
    };
    let shows = match line.answer {
        Answer::Yes => String::new(),
        Answer::No | Answer::Unknown => format!("\n                 see: {}", line.command),
    };
    format!(
        "{:>2}  {answer}  {}: {}{shows}",
        line.number,
        line.what,
        shown(&line.text)
    )
}

fn difference(one: &Difference) -> String {
    let class = match one.class {
        "only_we" => "only we",
        "only_they" => "only Azure",
        "neither" => "neither",
        _ => "differently",
    };
    let name = shown(one.name.as_deref().unwrap_or_default());
    let differing = shown(&one.differing.join(", ")).into_owned();
    format!(
        "  {class}  {} {}  {name}\n    {}  {differing}",
        one.kind, one.object, one.at
    )
}
