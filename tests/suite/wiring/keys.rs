//! The keys that the settings know, found by asking for one that they do not.

use std::collections::BTreeMap;

use melonsync::settings::Settings;

/// In no section, near to no key, and too short to be taken for a secret, which no problem names.
const UNKNOWN: &str = "qqqqqqqqqqqqqqq";
/// Tables whose keys are the admin's: a job's name, and the target paths of a drift policy.
const JOBS: &str = "jobs.idmelon";

/// Every key, dotted; of a table the keys in it, and the table itself where it can be one word too.
pub fn known() -> Vec<String> {
    let mut keys = Vec::new();
    find("", &mut keys);
    keys
}

fn find(section: &str, keys: &mut Vec<String>) {
    for key in asked(section).unwrap_or_default() {
        let path = [section, &key].into_iter().filter(|part| !part.is_empty());
        let path = path.collect::<Vec<_>>().join(".");
        let path = if path == "jobs" { JOBS.to_owned() } else { path };
        if asked(&path).is_none() || takes_a_word(&path) {
            keys.push(path.clone());
        }
        find(&path, keys);
    }
}

/// The keys of this section, by the problem with one that it does not know; `None` where it is no section.
fn asked(section: &str) -> Option<Vec<String>> {
    let separator = if section.is_empty() { "" } else { "." };
    let wanted = format!("unknown key `{section}{separator}{UNKNOWN}`");
    let advice = problems(&format!("{section}{separator}{UNKNOWN}"), "1")
        .into_iter()
        .find_map(|(what, advice)| (what == wanted).then_some(advice))?;
    let known = advice.split_once("known here: ").expect("all keys are named").1;
    Some(known.split(", ").map(str::to_owned).collect())
}

/// Whether a table can be written as one value too: then no problem asks for the table.
fn takes_a_word(section: &str) -> bool {
    let table = format!("`{section}` must be a table");
    !problems(section, "\"word\"")
        .iter()
        .any(|(what, _)| what.starts_with(&table) || what.contains("plain text"))
}

fn problems(key: &str, value: &str) -> Vec<(String, String)> {
    let text = include_str!("../../../config/minimal.toml");
    let env = BTreeMap::from([(variable(key), value.to_owned())]);
    let errors = Settings::parse("test.toml", text, &env, true).err();
    let problems = errors.map_or_else(Vec::new, |errors| errors.0);
    problems
        .into_iter()
        .map(|problem| (problem.what, problem.advice))
        .collect()
}

/// The variable that overrides a key.
pub fn variable(key: &str) -> String {
    format!("MELONSYNC__{}", key.to_uppercase().replace('.', "__"))
}
