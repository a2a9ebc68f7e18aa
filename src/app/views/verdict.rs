//! What of a job needs a person, as it is shown.

use serde::Serialize;
use utoipa::ToSchema;

/// How a job stands, in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobVerdict)]
pub struct Verdict {
    /// The exit code of `status --exit-code`.
    pub exit_code: u8,
    /// What needs a person, the gravest first.
    pub needs: Vec<Need>,
    /// What needs a person first; or how far behind the job is.
    pub words: String,
}

/// One thing that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Need {
    /// How many, where that is counted.
    pub count: u64,
    /// What to do.
    #[serde(rename = "do")]
    pub advice: String,
    /// The exit code that it stands for; 0 for what is only to be known.
    pub exit_code: u8,
    /// The code of the state.
    pub state: &'static str,
    /// In words.
    pub words: String,
}
