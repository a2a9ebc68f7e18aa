//! What to try in the tour, as the terminal and the dashboard of `demo` show it.

/// What happens meanwhile.
pub const MEANWHILE: &str = "In the first minute people join, move and leave, somebody edits a few users at the target by hand, \
                             the target refuses one record, and then a script disables a tenth of everybody at once. The \
                             tenant goes on changing.";

/// Something to try.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The page that it is on.
    pub title: &'static str,
    /// Its path.
    pub path: &'static str,
    /// What is to be seen there, and done.
    pub words: &'static str,
}

/// What to try, one after another.
pub const STEPS: [Step; 9] = [
    Step {
        title: "Overview",
        path: "/",
        words: "what needs somebody, in one word and one sentence.",
    },
    Step {
        title: "Withheld",
        path: "/jobs/idmelon/withheld",
        words: "half a minute after the beginning the mass disable is held back here. Choose one line and release it: it is sent at \
                once. Choose two more, type 2, and reject them: they are on hold from then on.",
    },
    Step {
        title: "Drift",
        path: "/jobs/idmelon/drift",
        words: "those who were edited by hand, with what healing would write. A full cycle finds them within a minute, \
                `Read the target again` at once.",
    },
    Step {
        title: "Escrow",
        path: "/jobs/idmelon/escrow",
        words: "the record that the target refuses, what to do, and when it is tried again.",
    },
    Step {
        title: "People and groups",
        path: "/jobs/idmelon/objects",
        words: "type a part of a name and open somebody: the first sentence says why they are at the target, or why not. \
                Below it stand both sides, attribute by attribute.",
    },
    Step {
        title: "What if",
        path: "/jobs/idmelon/what-if",
        words: "write `department EQUALS \"Sales\"` into the user filter and press Preview: who would go by it, and that the guard \
                would hold that back. Nothing is sent.",
    },
    Step {
        title: "Timeline",
        path: "/jobs/idmelon",
        words: "what happened, newest first, with charts of the last cycles. `Sync now`, and watch the cycle.",
    },
    Step {
        title: "A cycle taken back",
        path: "/jobs/idmelon",
        words: "open a cycle of the timeline that did something. `Show what taking it back would send` sends nothing; the button \
                below what it shows does.",
    },
    Step {
        title: "The way back",
        path: "/jobs/idmelon/objects?kind=user&state=enrolled",
        words: "every ten seconds two people enrol a key and join the group `Key holders` in Entra; a mobile number edited in the \
                workspace arrives in Entra once; a key is given back while the listing of keys is short, and nobody leaves before it is \
                whole (about a minute and a half later). Timeline has each of them, and People says it of one.",
    },
];

/// As wide as a line in a terminal.
const WIDE: usize = 120;

/// The same for a terminal.
#[must_use]
pub fn words() -> String {
    let steps = STEPS.iter().enumerate();
    let steps =
        steps.map(|(at, step)| folded(&format!("  {}. {}: {}", at + 1, step.title, step.words), "     "));
    let steps: Vec<String> = steps.collect();
    format!("{} Try:\n{}", folded(MEANWHILE, ""), steps.join("\n"))
}

/// A text in lines; the second and those after it begin with `indent`.
fn folded(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        if line.chars().count() + word.trim_end().chars().count() > WIDE {
            lines += line.trim_end();
            lines.push('\n');
            indent.clone_into(&mut line);
        }
        line += word;
    }
    lines + line.trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_fit_a_terminal_and_name_every_step() {
        let words = words();
        assert!(words.lines().all(|line| line.chars().count() <= WIDE), "{words}");
        for step in STEPS {
            assert!(
                words.contains(&format!("{}: ", step.title)),
                "{} in {words}",
                step.title
            );
        }
    }
}
