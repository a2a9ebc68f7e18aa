//! The timeline and what changed, as people read them.

use crate::app::text::count::many;
use crate::app::views::active::ActiveUser;
use crate::app::views::active::ActiveView;
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

impl Words for ActiveView {
    fn words(&self) -> String {
        let when = if self.from == self.to {
            format!("at {}", self.from)
        } else {
            format!("between {} and {}", self.from, self.to)
        };
        let mut text = format!("{} active at the target {when}\n", many(self.count, "user"));
        let line = |user: &ActiveUser| format!("  {}  ({})\n", shown(&user.name), user.object);
        self.users.iter().for_each(|user| text += &line(user));
        if self.more > 0 {
            text += &format!("  … and {} more: -n N shows so many, -n 0 all\n", self.more);
        }
        if !self.unknown.is_empty() {
            text += "Linked or gone since then, and the history does not say how they stood before:\n";
            self.unknown.iter().for_each(|user| text += &line(user));
        }
        if let Some(begins) = self.begins {
            text += &format!(
                "The history was cut and begins at {begins}: who was deleted before that is not in this list.\n"
            );
        }
        text
    }
}
