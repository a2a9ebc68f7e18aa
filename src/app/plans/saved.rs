//! A saved plan's file: a `plan -o json` that says what it was made from, read without holding it.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Value as Json;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::engine::job::Job;
use crate::ports::Durability;
use crate::reconcile::saved::SavedPlan;
use crate::reconcile::saved::digests;
use crate::snapshot::read::Reads;
use crate::snapshot::state::{STATE_ID, StateReads};

/// What a plan was made from; under `saved` in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The layout of the file.
    format: u32,
    /// The job.
    job: String,
    /// Of mapping, scope and policy.
    config: String,
    /// Tenant and target.
    binding: String,
    /// Which snapshot.
    state: String,
    /// Whether the target was read back.
    pub(super) full: bool,
}

const FORMAT: u32 = 1;

impl Origin {
    /// What a plan of this job would be made from now. Gives the snapshot a name where it has none yet.
    pub fn of(job: &Job, full: bool) -> Result<Self, AppError> {
        let snapshot = &job.snapshot;
        let state = match snapshot.state(&STATE_ID)? {
            Some(state) => state,
            None => {
                let state = uuid::Uuid::new_v4().to_string();
                let mut tx = snapshot.tx()?;
                tx.put_state(&STATE_ID, &state);
                tx.commit(Durability::Synced)?;
                state
            }
        };
        let binding = snapshot.binding()?;
        Ok(Self {
            format: FORMAT,
            job: job.name.clone(),
            config: job.fingerprint.clone(),
            binding: binding.map_or_else(String::new, |binding| binding.to_string()),
            state,
            full,
        })
    }

    /// What is another one here than there; `None` where the plan may be carried out.
    fn differs(&self, now: &Self) -> Option<String> {
        let other = |what: &str, theirs: &str, ours: &str| format!("{what} `{theirs}`, and this is `{ours}`");
        if self.job != now.job {
            Some(other("it is a plan of job", &self.job, &now.job))
        } else if self.binding != now.binding {
            Some(other("it is a plan for", &self.binding, &now.binding))
        } else if self.config != now.config {
            Some("mapping, scope or policy changed since it was made".to_owned())
        } else if self.state != now.state {
            Some("it was made from another snapshot: the state was restored, imported, moved or begun afresh since".to_owned())
        } else {
            None
        }
    }
}

/// A saved plan, read from its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// The file, for messages: nobody opens it by this.
    pub file: PathBuf,
    /// What it was made from.
    pub origin: Origin,
    /// What it holds.
    #[serde(with = "as_text")]
    pub plan: SavedPlan,
}

impl Saved {
    /// Reads one.
    ///
    /// # Errors
    /// Exit 2 for a file that is none.
    pub fn read(file: &Path) -> Result<Self, AppError> {
        let mut plan = SavedPlan::default();
        let origin = read(file, |entry| plan.extend(digests(entry)))?;
        Ok(Self {
            file: file.to_owned(),
            origin,
            plan,
        })
    }

    /// Refuses a plan of another job, mapping, scope or state.
    ///
    /// # Errors
    /// Exit 2.
    pub(super) fn fits(&self, job: &Job) -> Result<(), AppError> {
        let now = Origin::of(job, self.origin.full)?;
        if let Some(why) = self.origin.differs(&now) {
            return Err(AppError::usage(
                format!("the plan in {} is not for here: {why}", self.file.display()),
                "make a new one with `melonsync plan --out FILE`, and read it again",
            ));
        }
        Ok(())
    }
}

/// Digests as one text: a plan of a hundred thousand operations is two megabytes.
pub(super) mod as_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    use crate::reconcile::saved::Digest;
    use crate::reconcile::saved::SavedPlan;

    /// Writes them.
    pub fn serialize<S: Serializer>(plan: &SavedPlan, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all: Vec<Digest> = plan.iter().copied().collect();
        all.sort_unstable();
        serializer.serialize_str(&STANDARD.encode(all.concat()))
    }

    /// Reads them; anything else is an error.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SavedPlan, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        let (digests, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(D::Error::custom("it is no list of digests"));
        }
        let mut plan = SavedPlan::default();
        plan.extend(digests.iter().copied());
        Ok(plan)
    }
}

/// Shows every operation of a saved plan; what it was made from.
pub(super) fn read(file: &Path, show: impl FnMut(&Json)) -> Result<Origin, AppError> {
    let not_one = |cause: String| {
        let shown = ErrorText {
            what: format!("{} is not a saved plan", file.display()),
            causes: vec![cause],
            ..ErrorText::default()
        };
        let advice =
            "save one with `melonsync plan --out FILE` (as JSON: a plan saved as csv or html is for reading)";
        AppError::new(ErrorKind::Usage, shown.advise(advice))
    };
    let opened = File::open(file).map_err(|error| not_one(error.to_string()))?;
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(opened));
    let origin = Document(show)
        .deserialize(&mut reader)
        .map_err(|error| not_one(error.to_string()))?;
    reader.end().map_err(|error| not_one(error.to_string()))?;
    match origin {
        Some(origin) if origin.format == FORMAT => Ok(origin),
        Some(origin) => Err(not_one(format!(
            "it has format {}, and this melonsync reads {FORMAT}",
            origin.format
        ))),
        None => Err(not_one(
            "it does not say what it was made from: `plan -o json` is for reading".to_owned(),
        )),
    }
}

/// The document; shows each entry of its `plan` as it is met.
struct Document<F>(F);

impl<'de, F: FnMut(&Json)> DeserializeSeed<'de> for Document<F> {
    type Value = Option<Origin>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&Json)> Visitor<'de> for Document<F> {
    type Value = Option<Origin>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a saved plan")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut origin = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "saved" => origin = Some(map.next_value()?),
                "plan" => map.next_value_seed(Entries(&mut self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(origin)
    }
}

struct Entries<'f, F>(&'f mut F);

impl<'de, F: FnMut(&Json)> DeserializeSeed<'de> for Entries<'_, F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&Json)> Visitor<'de> for Entries<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of operations")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while let Some(entry) = seq.next_element::<Json>()? {
            (self.0)(&entry);
        }
        Ok(())
    }
}
