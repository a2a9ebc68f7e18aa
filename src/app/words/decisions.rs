//! What was decided, as people read it.

use super::Words;
use crate::app::decisions::link::Linked;
use crate::app::decisions::pause::Paused;
use crate::app::decisions::pause::Resumed;
use crate::app::decisions::quarantine::Released;
use crate::model::shown::shown;

impl Words for Paused {
    fn words(&self) -> String {
        format!(
            "Job `{}`: {}. Reading and planning go on; `melonsync resume` ends it.",
            self.job, self.what
        )
    }
}

impl Words for Resumed {
    fn words(&self) -> String {
        match self.was_restored {
            None => format!("Job `{}` was not paused.", self.job),
            Some(_) => format!("Job `{}`: {}.", self.job, self.what),
        }
    }
}

impl Words for Released {
    fn words(&self) -> String {
        match &self.what {
            None => format!("Job `{}` was not quarantined.", self.job),
            Some(what) => format!(
                "Job `{}`: released, {what}. The next cycle sends it; where it fails again, it stops again.",
                self.job
            ),
        }
    }
}

impl Words for Linked {
    fn words(&self) -> String {
        let object = &self.named;
        let then = match &self.target {
            Some(_) => "the next cycle sends what differs",
            None => {
                "the next cycle matches it anew, and may adopt the same resource: `melonsync plan` shows it"
            }
        };
        format!(
            "{} {}  ({}): {}; {then}",
            object.kind,
            shown(&object.name),
            object.id,
            self.what
        )
    }
}
