//! The entries of the history as they are listed: from here, or page by page from the daemon.

use serde::Deserialize;

use crate::app::error::AppError;
use crate::app::views::history::Wanted;
use crate::cli::beside;
use crate::cli::beside::Daemon;
use crate::cli::beside::Question;
use crate::cli::report::Pages;
use crate::cli::report::Report;
use crate::model::shown::shown_json;
use crate::model::shown::shown_lines;

/// Entries as they are listed, in either form and order.
pub(super) struct Listing<'r> {
    pages: Pages<'r>,
    json: bool,
    /// At most so many.
    limit: Option<usize>,
    /// Those that are held until the last is known; `None` where they are shown as they come.
    held: Option<Vec<String>>,
    begun: bool,
    count: usize,
    shown: usize,
    /// True where there are more than the limit.
    more: bool,
}

impl<'r> Listing<'r> {
    pub(super) fn new(report: &'r mut Report, limit: Option<usize>, reverse: bool) -> Self {
        Self {
            json: report.is_json(),
            pages: report.pages(),
            limit,
            held: reverse.then(Vec::new),
            begun: false,
            count: 0,
            shown: 0,
            more: false,
        }
    }

    pub(super) fn begin(&mut self, job: &str) {
        if self.json && !self.begun {
            let job = serde_json::Value::from(job);
            self.pages.add(&format!("{{\"job\":{job},\"entries\":[\n"));
        }
        self.begun = true;
    }

    /// Takes an entry, the newest first. Returns false where it is one too many.
    pub(super) fn entry(&mut self, text: String) -> bool {
        if self.limit == Some(self.count) {
            self.more = true;
            return false;
        }
        self.count += 1;
        match &mut self.held {
            Some(held) => held.push(text),
            None => self.put(&text),
        }
        true
    }

    fn put(&mut self, text: &str) {
        if self.json && self.shown > 0 {
            self.pages.add(",\n");
        }
        self.shown += 1;
        self.pages.add(&shown_lines(text));
    }

    /// Ends it, unless it never began: then something is wrong, and that is said elsewhere.
    pub(super) fn finish(mut self) {
        if !self.begun {
            return;
        }
        for text in self.held.take().into_iter().flatten().rev() {
            self.put(&text);
        }
        if self.json {
            self.pages.add(&format!("\n],\"more\":{}}}\n", self.more));
        } else if self.count == 0 {
            self.pages.add("No entry in the history is like that.\n");
        } else if self.more {
            self.pages
                .add("… there are older entries: -n N shows so many, -n 0 all\n");
        }
        self.pages.finish();
    }
}

/// A page as the daemon gives it.
#[derive(Deserialize)]
struct Page {
    entries: Vec<serde_json::Value>,
    next: Option<u64>,
    /// The same entries in words.
    words: Vec<String>,
}

/// Entries are asked for so many at a time, and never many more than are wanted.
const TOGETHER: usize = 500;

/// Lists what the daemon has, page by page, newest first.
pub(super) fn pages(
    daemon: &Daemon,
    job: &str,
    wanted: &Wanted,
    listing: &mut Listing<'_>,
) -> Result<(), AppError> {
    let wanted = serde_json::to_value(wanted).expect("its keys are texts");
    let together = listing
        .limit
        .map_or(TOGETHER, |limit| TOGETHER.min(limit + 1))
        .to_string();
    let mut query: Vec<(&str, &str)> = vec![("limit", &together), ("newest", "true"), ("words", "true")];
    for (name, value) in wanted.as_object().into_iter().flatten() {
        query.extend(value.as_str().map(|value| (name.as_str(), value)));
    }
    let path = format!("/jobs/{}/history", beside::part(job));
    let page = |from: Option<u64>| {
        let question = Question::get(path.as_str()).asking(&query);
        match from {
            None => daemon.asked::<Page>(question),
            Some(from) => daemon.asked(question.asking(&[("after", &from.to_string())])),
        }
    };
    let mut next = Some(page(None)?);
    // Not before: a question that is refused has no listing.
    listing.begin(job);
    while let Some(now) = next {
        for (entry, words) in now.entries.iter().zip(&now.words) {
            let text = if listing.json {
                shown_json(&entry.to_string()).into_owned()
            } else {
                words.clone()
            };
            if !listing.entry(text) {
                return Ok(());
            }
        }
        next = now.next.map(|from| page(Some(from))).transpose()?;
    }
    Ok(())
}
