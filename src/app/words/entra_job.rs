//! Azure's own provisioning job in words.

use super::Words;
use crate::app::views::entra_job::EntraJob;
use crate::app::views::entra_job::EntraJobs;
use crate::app::views::entra_job::EntraLog;
use crate::app::views::entra_job::EntraLogEntry;
use crate::model::shown::shown;

impl Words for EntraJobs {
    fn words(&self) -> String {
        if let Some(problem) = &self.problem {
            let advice = self.advice.as_deref().unwrap_or_default();
            return format!(
                "cannot tell whether Azure's own job writes: {}\n  do: {}",
                shown(problem),
                shown(advice)
            );
        }
        if self.jobs.is_empty() {
            return format!(
                "the application {} has no provisioning job of Azure's",
                self.application
            );
        }
        self.jobs.iter().map(job).collect::<Vec<_>>().join("\n")
    }
}

fn job(job: &EntraJob) -> String {
    let writes = match job.writes {
        "yes" => "it writes to the target",
        "still_running" => "paused, and the execution that ran then goes on: it still writes",
        "no" => "it does not write",
        _ => "cannot tell whether it writes",
    };
    let mut text = format!("{}: {writes}\n  job       {}", shown(&job.state), shown(&job.id));
    if let Some(interval) = &job.interval {
        text += &format!("\n  interval  {}", shown(interval));
    }
    match &job.last_execution {
        None => text += "\n  last      none so far",
        Some(last) => {
            let at = |at: Option<crate::model::clock::Timestamp>| {
                at.map_or_else(|| "unknown".to_owned(), |at| at.to_string())
            };
            let outcome = last.outcome.as_deref().unwrap_or("no outcome so far");
            text += &format!("\n  began     {}", at(last.began));
            text += &match last.ended {
                Some(ended) => format!("\n  ended     {ended}, {}", shown(outcome)),
                None => "\n  ended     not yet".to_owned(),
            };
            let count = |count: Option<u64>| {
                count.map_or_else(|| "an unknown number".to_owned(), |count| count.to_string())
            };
            text += &format!(
                "\n  exported  {}, set aside {}",
                count(last.exported),
                count(last.escrowed)
            );
        }
    }
    if let Some(quarantine) = &job.quarantine {
        text += &format!("\n  quarantine  {}", shown(&quarantine.reason));
        text += &quarantine
            .since
            .map_or_else(String::new, |since| format!(" since {since}"));
        text += &quarantine
            .next_try
            .map_or_else(String::new, |at| format!(", tries again {at}"));
    }
    text
}

impl Words for EntraLog {
    fn words(&self) -> String {
        if self.entries.is_empty() {
            return "Azure's own job did nothing in this time".to_owned();
        }
        let mut lines: Vec<String> = self.entries.iter().map(entry).collect();
        if self.total > self.entries.len() {
            lines.push(format!(
                "{} more are older: -n shows more",
                self.total - self.entries.len()
            ));
        }
        lines.join("\n")
    }
}

fn entry(entry: &EntraLogEntry) -> String {
    let kind = entry.kind.map_or("object", |kind| kind.word());
    let object = entry
        .object
        .map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    let mut text = format!(
        "{}  {} {kind}: {}\n  {object}  {}",
        entry.at,
        entry.action,
        shown(&entry.status),
        shown(entry.name.as_deref().unwrap_or_default())
    );
    if !entry.attributes.is_empty() {
        text += &format!("\n  {}", shown(&entry.attributes.join(", ")));
    }
    if let Some(error) = &entry.error {
        text += &format!("\n  {}", shown(error));
    }
    text
}
