//! The requests that `benches/cycle.py` recorded, as both yardsticks read them.

use std::collections::HashMap;
use std::error::Error;

pub type Failure = Box<dyn Error + Send + Sync>;

/// Target id by source id, as far as they are known.
pub type Ids = HashMap<String, String>;

/// One request.
pub struct Line {
    /// When: those of a wave after all of the wave before.
    pub wave: usize,
    pub path: String,
    /// The source id of what it creates.
    pub source: String,
    /// Empty for a GET.
    body: String,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, '\t');
        Some(Self {
            wave: parts.next()?.parse().ok()?,
            path: parts.next()?.to_owned(),
            source: parts.next()?.to_owned(),
            body: parts.next()?.to_owned(),
        })
    }

    /// True for a POST.
    pub fn creates(&self) -> bool {
        !self.body.is_empty()
    }

    /// Its body, with the ids that the target gave to others.
    pub fn body(&self, ids: &Ids) -> Result<String, Failure> {
        let mut filled = String::with_capacity(self.body.len());
        for (turn, part) in self.body.split("@@").enumerate() {
            if turn % 2 == 0 {
                filled.push_str(part);
            } else {
                filled.push_str(
                    ids.get(part)
                        .ok_or("a body refers to an object of a later wave")?,
                );
            }
        }
        Ok(filled)
    }
}

/// All of a file, by wave.
pub fn read(file: &str) -> Result<Vec<Vec<Line>>, Failure> {
    let mut waves: Vec<Vec<Line>> = Vec::new();
    for line in std::fs::read_to_string(file)?.lines().filter_map(Line::parse) {
        while waves.len() <= line.wave {
            waves.push(Vec::new());
        }
        waves[line.wave].push(line);
    }
    Ok(waves)
}
