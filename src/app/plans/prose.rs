//! A plan as people read it in a terminal, made from the entries of its JSON form: what it comes to first and last, between
//! them its sections, the gravest first.
//!
//! Guarantee: a plan of any size needs no memory. Each section grows in a temporary file of its own while the entries are
//! read once; of what is left alone only different sentences are held.

mod entry;
mod folding;

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read;
use std::io::Seek;
use std::io::Write;

use serde_json::Value as Json;
use serde_json::json;

use super::part::Part;
use super::shape::Shape;
use crate::app::text::count::counted;
use crate::engine::summary::Summary;
use crate::model::shown::shown_lines;

use entry::Section;
use folding::Folding;

/// The plan as text, without its first and its last words; `None` where nothing is in it.
pub(super) fn sections(
    operations: Part,
    omitted: Part,
    summary: &Summary,
    shape: &Shape,
) -> io::Result<Option<Box<dyn Read + Send>>> {
    let mut sheets = Sheets::new()?;
    each(operations, |entry| {
        if shape.shows(entry) {
            sheets.add(Section::of(entry), &entry::operation(entry, shape), shape)?;
        }
        Ok(())
    })?;
    let pending: HashSet<&str> = summary.pending.iter().map(|one| one.object.as_str()).collect();
    for one in &summary.pending {
        let entry = json!({"operation": one.operation, "object": one.object, "name": one.name, "because": one.because});
        if shape.shows(&entry) {
            sheets.add(Section::Pending, &entry::operation(&entry, shape), shape)?;
        }
    }
    let mut folding = Folding::default();
    each(omitted, |entry| {
        let waits = entry["object"].as_str().is_some_and(|id| pending.contains(id));
        if !shape.shows(entry) || (waits && entry::is_pending(entry)) {
            return Ok(());
        }
        if entry::is_kept_back(entry) {
            sheets.add(Section::Withheld, &entry::kept_back(entry, shape), shape)?;
        } else if shape.omitted {
            sheets.add(Section::LeftAlone, &entry::omission(entry, shape), shape)?;
        } else {
            folding.add(entry);
        }
        Ok(())
    })?;
    for text in folding.texts() {
        sheets.add(Section::LeftAlone, &text, shape)?;
    }
    sheets.whole()
}

/// Reads the entries of a part: one a line, with a comma between them.
fn each(part: Part, mut show: impl FnMut(&Json) -> io::Result<()>) -> io::Result<()> {
    for line in BufReader::with_capacity(64 << 10, part).lines() {
        let line = line?;
        let entry = line.trim_end_matches(',');
        if !entry.is_empty() {
            show(&serde_json::from_str(entry)?)?;
        }
    }
    Ok(())
}

/// The sections as they grow.
struct Sheets(Vec<Sheet>);

struct Sheet {
    section: Section,
    file: BufWriter<File>,
    entries: usize,
    left_out: usize,
}

impl Sheets {
    fn new() -> io::Result<Self> {
        let sheet = |section| {
            Ok(Sheet {
                section,
                file: BufWriter::with_capacity(64 << 10, tempfile::tempfile()?),
                entries: 0,
                left_out: 0,
            })
        };
        Section::ALL
            .into_iter()
            .map(sheet)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    fn add(&mut self, section: Section, text: &str, shape: &Shape) -> io::Result<()> {
        let sheet = self.0.iter_mut().find(|sheet| sheet.section == section);
        let sheet = sheet.expect("there is a sheet for each section");
        sheet.entries += 1;
        if shape.limit.is_some_and(|limit| sheet.entries > limit) {
            sheet.left_out += 1;
            return Ok(());
        }
        sheet.file.write_all(shown_lines(text).as_bytes())
    }

    /// One after the other, each with its title.
    fn whole(self) -> io::Result<Option<Box<dyn Read + Send>>> {
        if self.0.iter().all(|sheet| sheet.entries == 0) {
            return Ok(None);
        }
        let text = |text: String| io::Cursor::new(text.into_bytes());
        let mut whole: Box<dyn Read + Send> = Box::new(io::empty());
        for sheet in self.0.into_iter().filter(|sheet| sheet.entries > 0) {
            let mut file = sheet.file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            let more = match sheet.left_out {
                0 => String::new(),
                left_out => format!("  … and {left_out} more, which --limit leaves out\n"),
            };
            let title = sheet.section.title();
            let title = match sheet.section {
                Section::LeftAlone => format!("\n{title}\n"),
                _ => format!("\n{title}: {}\n", counted(sheet.entries, "entry")),
            };
            whole = Box::new(whole.chain(text(title)).chain(file).chain(text(more)));
        }
        Ok(Some(whole))
    }
}

/// The JSON entries of a part that are to be shown, as they stand in a document.
pub(super) fn only(part: Part, shape: &Shape) -> io::Result<Part> {
    let mut file = BufWriter::with_capacity(64 << 10, tempfile::tempfile()?);
    let mut between = "";
    for line in BufReader::with_capacity(64 << 10, part).lines() {
        let line = line?;
        let entry = line.trim_end_matches(',');
        if !entry.is_empty() && shape.shows(&serde_json::from_str(entry)?) {
            file.write_all(between.as_bytes())?;
            file.write_all(entry.as_bytes())?;
            between = ",\n";
        }
    }
    file.into_inner()
        .map_err(io::IntoInnerError::into_error)
        .map(Part::of)
}

#[cfg(test)]
mod tests;
