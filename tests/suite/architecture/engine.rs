//! Inside the engine imports run down the list of its rooms: values, phases in the order of the cycle, steps of a story, stories.

use super::circles::imports;
use super::tree::sources;

/// The rooms, lowest first. One uses the rooms before it, and itself. A file that is named apart from its folder is a value that
/// rooms before that folder hold too.
const ROOMS: [&str; 56] = [
    // Values, and what every phase knows of the cycle.
    "error",
    "parallel",
    "tables",
    "standing",
    "forecast",
    "linking",
    "notes",
    "rules",
    "warnings",
    "runtime",
    "summary",
    "reached",
    "back",
    "job",
    "run",
    "observing",
    "apply::answered",
    "work",
    "beside",
    "audit",
    "open",
    "escrow",
    "set_aside",
    "trouble",
    "quarantine",
    "failures",
    "schedule",
    // The phases.
    "intake",
    "judge::kept_back",
    "leaving",
    "context",
    "readings::stored",
    "views",
    "readings",
    "drift",
    "plan",
    "judge",
    "apply",
    "record",
    "back::cells",
    "back::findings",
    "back::enrolled",
    "back::phase",
    // The steps of a story: what each phase is given of the others, a batch, who goes first, what is settled before, the passes.
    "phases",
    "carry",
    "batch",
    "overtake",
    "unanswered",
    "quiet",
    "cut_short",
    "passes",
    "begin",
    "ending",
    // The stories.
    "forward",
    "undo",
    "explain",
];

/// The place of a file: that of the longest name in the list that it is or lies in.
fn place(module: &[String]) -> Option<usize> {
    let inside = module.strip_prefix(&["engine".to_owned()][..])?;
    if inside.is_empty() {
        return None;
    }
    let named = (1..=inside.len()).rev().find_map(|end| {
        let name = inside[..end].join("::");
        ROOMS.iter().position(|room| *room == name)
    });
    Some(named.unwrap_or_else(|| panic!("{module:?} is in no room of the engine: add it to ROOMS")))
}

#[test]
fn imports_inside_the_engine_run_down_the_list() {
    let sources = sources();
    let mut up = Vec::new();
    for (from, to, what) in imports(&sources) {
        if let (Some(from_place), Some(to_place)) = (place(from), place(to))
            && to_place > from_place
        {
            up.push(format!("{}: {what}", sources[from].path));
        }
    }
    up.sort();
    up.dedup();
    assert!(up.is_empty(), "imports that point up:\n{}", up.join("\n"));
}
