//! What if: the plan of a job by other filters, another scope, policy or mapping, before they are in force. It is the preview that the
//! API has, and writes nothing; what was tried is shown as TOML, to be put into the settings by hand.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use serde_json::Value as Json;

use super::decision;
use super::filters;
use super::form::Form;
use super::frame;
use super::frame::Frame;
use super::visit::Visit;
use crate::admin::answer;
use crate::admin::problem::Problem;
use crate::app::plans;
use crate::app::preview::Trial;
use crate::app::service::order::Work;

#[derive(Template)]
#[template(path = "what_if.html")]
struct WhatIf {
    frame: Frame,
    job: String,
    /// What is in force, as the form has it.
    trial: Trial,
}

/// The fields that hold one of some words; the first is what is there without one.
const CHOICES: [(&str, &str, &[&str]); 2] = [
    ("scope", "Who is read", &["all", "assigned"]),
    ("guests", "Guests", &["include", "accepted", "exclude"]),
];

/// `GET /jobs/{job}/what-if`: the rules in force, to be changed.
pub(super) async fn page(visit: Visit) -> Response {
    let ask = |visit: &Visit, frame: Frame| Ok(shown(visit, frame, visit.service.trial(visit.job())?));
    visit.show(ask).await
}

fn shown(visit: &Visit, frame: Frame, trial: Trial) -> WhatIf {
    let json = format!("/api/v1/jobs/{}/mapping", filters::as_part(visit.job()));
    WhatIf {
        frame: frame.titled("What if", "what-if", json),
        job: visit.job().to_owned(),
        trial,
    }
}

impl WhatIf {
    fn choices(&self) -> [(&'static str, &'static str, &'static [&'static str]); CHOICES.len()] {
        CHOICES
    }

    /// What a key of the scope holds, as text; empty for none.
    fn held(&self, key: &str) -> String {
        match self.trial.scope.get(key) {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

/// `POST /jobs/{job}/what-if`: an order for the plan by these rules. What is refused stays in the form.
pub(super) async fn preview(visit: Visit, form: Form) -> Response {
    let back = format!("/jobs/{}/what-if", filters::as_part(visit.job()));
    let found = answer::blocking(move || {
        let in_force = visit.service.trial(visit.job())?;
        let trial = written(&form, &in_force);
        let rules = trial
            .asked(&in_force)
            .and_then(|asked| visit.service.preview(visit.job(), asked));
        Ok((visit, trial, rules, form.one("full").is_some()))
    });
    match found.await {
        Ok((visit, _, Ok(rules), full)) => {
            let work = Work::Preview {
                rules: Arc::new(rules),
                full,
                forms: vec![plans::Form::Json, plans::Form::Csv],
                saves: false,
                contrasts: true,
            };
            decision::order(visit, &back, Ok(work))
        }
        Ok((visit, trial, Err(error), _)) => {
            let again = |visit: &Visit, frame: Frame| Ok(shown(visit, frame, trial));
            visit.again(error, again).await
        }
        Err(error) => frame::refused(&Problem::from(error)),
    }
}

/// The rules as they are written in the form; what it does not have is as it is in force.
fn written(form: &Form, in_force: &Trial) -> Trial {
    let text = |name: &str| form.one(name).map(|text| text.replace("\r\n", "\n"));
    let mut trial = Trial {
        user_filter: text("user_filter"),
        group_filter: text("group_filter"),
        policy: text("policy").unwrap_or_default(),
        mapping: text("mapping").unwrap_or_default(),
        ..in_force.clone()
    };
    for (key, _, known) in CHOICES {
        if let Some(word) = form.one(key).filter(|word| known.contains(&word.as_str())) {
            trial.scope.insert(key.to_owned(), word.into());
        }
    }
    trial
}
