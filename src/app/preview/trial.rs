//! Rules as somebody writes them to be tried: in the fields of a form, and as the lines of the settings that they would be.

use serde_json::Value as Json;
use toml::Table;

use super::PreviewRequest;
use crate::app::error::AppError;
use crate::settings::preview::Keys;

/// The rules of a job, as texts to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// The filter of users.
    pub user_filter: Option<String>,
    /// The filter of groups.
    pub group_filter: Option<String>,
    /// Who is in scope beside the filters.
    pub scope: Keys,
    /// The keys of `[jobs.NAME.provisioning]` beside the mapping, as TOML.
    pub policy: String,
    /// The mapping, as its file.
    pub mapping: String,
}

impl Trial {
    /// What is in force, with the mapping as its file.
    #[must_use]
    pub fn of(request: &PreviewRequest, mapping: String) -> Self {
        let filter = |name: &str| {
            let held = request.filters.as_ref()?.get(name)?;
            held.as_str().map(str::to_owned)
        };
        Self {
            user_filter: filter("user_filter"),
            group_filter: filter("group_filter"),
            scope: request.scope.clone().unwrap_or_default(),
            policy: request.policy.as_ref().map(text).unwrap_or_default(),
            mapping: mapping.trim().to_owned(),
        }
    }

    /// What is to be tried: only what is other than in force.
    pub fn asked(&self, in_force: &Self) -> Result<PreviewRequest, AppError> {
        let filters = [
            ("user_filter", &self.user_filter, &in_force.user_filter),
            ("group_filter", &self.group_filter, &in_force.group_filter),
        ];
        // One that neither has is no part of it.
        let filters = filters
            .into_iter()
            .filter(|(_, now, before)| now.is_some() || before.is_some())
            .map(|(name, now, _)| (name.to_owned(), now.clone().map_or(Json::Null, Json::String)));
        let is_filtered =
            (&self.user_filter, &self.group_filter) != (&in_force.user_filter, &in_force.group_filter);
        let policy = (self.policy.trim() != in_force.policy.trim()).then(|| keys(&self.policy));
        let is_mapped = !self.mapping.trim().is_empty() && self.mapping.trim() != in_force.mapping.trim();
        Ok(PreviewRequest {
            filters: is_filtered.then(|| filters.collect()),
            mapping: is_mapped.then(|| serde_json::json!({"name": "the mapping", "toml": self.mapping})),
            policy: policy.transpose()?,
            scope: (self.scope != in_force.scope).then(|| self.scope.clone()),
        })
    }
}

/// The keys that a text of TOML has.
fn keys(text: &str) -> Result<Keys, AppError> {
    let refused = |cause: String| {
        AppError::usage(
            format!("the policy is no TOML: {cause}"),
            "write it as the settings file has it, a key a line: deletion_threshold = 5",
        )
    };
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| refused(error.message().to_owned()))?;
    match serde_json::to_value(table) {
        Ok(Json::Object(keys)) => Ok(keys),
        Ok(_) => Err(refused("it has no keys".to_owned())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Keys as TOML.
fn text(keys: &Keys) -> String {
    let kept: Keys = keys
        .clone()
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect();
    let table: Result<Table, _> = serde_json::from_value(Json::Object(kept));
    table
        .map(|table| table.to_string().trim().to_owned())
        .unwrap_or_default()
}

impl PreviewRequest {
    /// What it would be in the settings of a job: the lines to put there. What is taken out of them stands as a remark.
    #[must_use]
    pub fn lines(&self, job: &str) -> String {
        let mut lines = String::new();
        let source = self.filters.iter().chain(&self.scope).flatten();
        let source: Keys = source.map(|(key, value)| (key.clone(), value.clone())).collect();
        for (section, keys) in [
            ("source", source),
            ("provisioning", self.policy.clone().unwrap_or_default()),
        ] {
            if keys.is_empty() {
                continue;
            }
            lines += &format!("[jobs.{job}.{section}]\n{}\n", text(&keys));
            let absent = keys.iter().filter(|(_, value)| value.is_null());
            lines.extend(absent.map(|(key, _)| format!("# without {key}\n")));
        }
        let mapping = self.mapping.as_ref().and_then(|mapping| mapping["toml"].as_str());
        if let Some(toml) = mapping {
            lines += &format!(
                "# and the file that `mapping` names under [jobs.{job}.provisioning]:\n{}\n",
                toml.trim()
            );
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_changed_is_tried_and_shown_as_lines_of_the_settings() {
        let in_force = Trial {
            user_filter: Some("department EQUALS \"IT\"".to_owned()),
            policy: "deletion_threshold = 5".to_owned(),
            mapping: "[[user]]".to_owned(),
            ..Trial::default()
        };
        let same = in_force.asked(&in_force).unwrap();
        assert_eq!(
            (same.clone(), same.lines("a").as_str()),
            (PreviewRequest::default(), "")
        );
        let mut changed = Trial {
            user_filter: None,
            policy: "deletion_threshold = 7\n[groups]\non_delete = \"keep\"".to_owned(),
            ..in_force.clone()
        };
        changed.scope.insert("guests".to_owned(), "exclude".into());
        let asked = changed.asked(&in_force).unwrap();
        assert_eq!(asked.mapping, None);
        let lines = asked.lines("idmelon");
        for line in [
            "[jobs.idmelon.source]\n",
            "guests = \"exclude\"\n",
            "# without user_filter\n",
            "[jobs.idmelon.provisioning]\n",
            "deletion_threshold = 7\n",
            "on_delete = \"keep\"\n",
        ] {
            assert!(lines.contains(line), "{line} in {lines}");
        }
        changed.policy = "deletion_threshold =".to_owned();
        assert!(
            changed.asked(&in_force).unwrap_err().errors[0]
                .what
                .contains("no TOML")
        );
    }
}
