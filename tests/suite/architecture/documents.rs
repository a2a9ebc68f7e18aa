//! The documents hold together: each link leads to a file that is there and to a heading that it has, and each page that the
//! program's own words name exists.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::rust_files;

#[test]
fn links_of_the_documents_lead_somewhere() {
    let (mut lost, mut followed) = (Vec::new(), 0);
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            followed += 1;
            if !leads_somewhere(&page, link) {
                lost.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(lost.is_empty(), "links to nothing:\n{}", lost.join("\n"));
    assert!(
        followed > 40,
        "only {followed} links: is their form still the one that is looked for?"
    );
}

/// A message that sends its reader to a page that is not there helps nobody.
#[test]
fn pages_that_the_program_names_are_there() {
    let (mut lost, mut followed) = (Vec::new(), 0);
    for file in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("docs/") {
            let name: String = text[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '/' | '-' | '_' | '.'))
                .collect();
            let name = name.trim_end_matches('.');
            followed += 1;
            if !Path::new(name).exists() {
                lost.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(lost.is_empty(), "pages that are not there:\n{}", lost.join("\n"));
    assert!(followed > 20, "only {followed} pages are named");
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    let (file, heading) = link
        .split_once('#')
        .map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    match heading {
        None => target.exists(),
        Some(heading) => fs::read_to_string(&target).is_ok_and(|text| {
            let mut lines = text.lines().filter(|line| line.starts_with('#'));
            lines.any(|line| anchor(line) == heading)
        }),
    }
}

/// The anchor that a heading gets where Markdown is shown: lower case, words joined by hyphens, other signs left out.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
        .collect()
}

/// What stands in `](…)` and is no address elsewhere, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let link = line[at + 2..].split(')').next().unwrap_or_default();
            if !link.contains("://") && !link.starts_with("mailto:") {
                found.push(link);
            }
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("docs")];
    folders.extend([".", "config", "deploy", "state"].map(PathBuf::from));
    let deep = |folder: &Path| folder.starts_with("docs");
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && deep(&folder) {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found
}
