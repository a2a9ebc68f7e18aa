//! The timeline and what changed, as people read them.

use crate::app::text::count::many;
use crate::app::views::changes::Changes;
use crate::app::views::timeline::Timeline;
use crate::app::views::timeline::TimelineEvent;
use crate::app::words::Words;
use crate::model::shown::shown;

impl Words for Timeline {
    fn words(&self) -> String {
        match self.events.as_slice() {
            [] => "Nothing happened yet.\n".to_owned(),
            events => events.iter().map(line).collect(),
        }
    }
}

fn line(event: &TimelineEvent) -> String {
    let part = |before: &str, text: &Option<String>| {
        let text = text.as_deref();
        text.map_or_else(String::new, |text| format!("{before}{}", shown(text)))
    };
    let kind = shown(&event.kind).replace('_', " ");
    format!(
        "{}  {kind}{}{}{}{}{}{}\n",
        event.time,
        part(" ", &event.cycle),
        part(" of ", &event.name),
        part(" ", &event.object),
        part("  ", &event.outcome),
        part("  by ", &event.actor),
        part(": ", &event.because)
    )
}

impl Words for Changes {
    fn words(&self) -> String {
        let within = |word: &str, at: &Option<String>| {
            let at = at.as_deref();
            at.map_or_else(String::new, |at| format!(" {word} {at}"))
        };
        let mut text = format!(
            "{} in the history{}{}\n",
            many(self.entries, "entry"),
            within("since", &self.since),
            within("until", &self.until)
        );
        for one in &self.changes {
            let operation = shown(&one.operation).replace('_', " ");
            let result = match one.result.as_str() {
                "done" => String::new(),
                other => format!(" ({})", shown(other)),
            };
            let because = match one.because.as_str() {
                "" => String::new(),
                because => format!("  because {}", shown(because)),
            };
            text += &format!("{:>8}  {operation}{result}{because}\n", one.count);
        }
        text
    }
}
