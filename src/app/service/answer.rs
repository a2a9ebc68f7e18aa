//! What becomes of an order, at once and in the end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::error::AppError;
use crate::app::people::PersonReport;
use crate::app::plans::Compared;
use crate::app::plans::Contrast;
use crate::app::plans::Form;
use crate::app::plans::Origin;
use crate::app::plans::Planned;
use crate::app::plans::Samples;
use crate::app::plans::Sheet;
use crate::engine::error::CycleError;
use crate::engine::job::NamedOne;
use crate::engine::job::Report;
use crate::engine::summary::Summary;

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// The id of the cycle that it is or will be.
    pub cycle: String,
    /// How many go before it, the cycle under way among them.
    pub place: usize,
    /// True where the same order was waiting already, and this one is part of it.
    pub joined: bool,
    /// The job's mode: in `observe` it is only planned.
    pub mode: String,
}

/// How an order ended.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was done; `None` where it never began.
    pub summary: Option<Summary>,
    /// What concerns every object.
    pub findings: Vec<String>,
    /// Why it was not carried out to its end.
    pub error: Option<AppError>,
    /// The plan, where one was made.
    pub made: Option<Arc<Made>>,
    /// How it compares with the saved plan that was to be carried out.
    pub compared: Option<Compared>,
    /// What became of those who were named.
    pub people: Vec<PersonReport>,
}

/// The same, before it is told.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) summary: Option<Summary>,
    pub(super) error: Option<AppError>,
    pub(super) made: Option<Made>,
    pub(super) compared: Option<Compared>,
    pub(super) people: Vec<PersonReport>,
    /// Those who were named, and to be carried out.
    pub(super) named: Vec<NamedOne>,
    /// It ended between two requests, because it was told to.
    pub(super) stopped: bool,
}

impl Done {
    /// It was not done, or broke off.
    pub(super) fn failed(error: AppError) -> Self {
        Self {
            error: Some(error),
            ..Self::default()
        }
    }

    /// A plan was made, from this where it is to be kept.
    pub(super) fn planned(planned: Planned, origin: Option<Origin>) -> Self {
        Self {
            summary: Some(planned.summary),
            made: Some(Made {
                sheets: Mutex::new(planned.sheets),
                origin,
                samples: planned.samples,
                contrast: None,
            }),
            ..Self::default()
        }
    }

    /// With how the plan compares with that by the rules in force.
    pub(super) fn beside(mut self, contrast: Option<Contrast>) -> Self {
        if let Some(made) = &mut self.made {
            made.contrast = contrast;
        }
        self
    }

    /// The end of an order that gave way before.
    pub(super) fn after(mut self, begun: Option<&Summary>) -> Self {
        if let Some(begun) = begun {
            self.summary = Some(match self.summary {
                Some(summary) => summary.after(begun),
                None => begun.clone(),
            });
        }
        self
    }

    /// A cycle ran.
    pub(super) fn of(report: Report) -> Self {
        Self {
            stopped: matches!(report.error, Some(CycleError::Stopped)),
            error: report.error.as_ref().map(AppError::from),
            summary: Some(report.summary),
            ..Self::default()
        }
    }
}

/// A plan that was made, in temporary files, until it is given up.
#[derive(Debug)]
pub struct Made {
    sheets: Mutex<Vec<Sheet>>,
    /// What it was made from.
    pub origin: Option<Origin>,
    /// The first of each kind in it.
    pub samples: Samples,
    /// How it compares with the plan by the rules in force, where that was asked for.
    pub contrast: Option<Contrast>,
}

impl Made {
    /// The plan in a form that it was made in; `None` where it is not kept any more.
    #[must_use]
    pub fn sheet(&self, form: Form) -> Option<Sheet> {
        let sheets = self.sheets.lock().unwrap_or_else(PoisonError::into_inner);
        sheets.iter().find(|sheet| sheet.form == form).cloned()
    }

    /// Gives its files up. Returns false where that was done before.
    pub(super) fn give_up(&self) -> bool {
        let mut sheets = self.sheets.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::take(&mut *sheets).is_empty()
    }
}
