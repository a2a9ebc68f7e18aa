//! `provisioning.drift`: one setting for all drift, or a table of settings by class and attribute.

use crate::mapping::Drift;
use crate::mapping::TargetPath;
use crate::reconcile::drift_policy::DriftPolicy;

use super::section::Field;
use super::tree::Raw;
use super::value::{Word, word};

impl Word for Drift {
    const WORDS: &'static [(&'static str, Self)] = &[("report", Self::Report), ("heal", Self::Heal)];
}

/// Reads the policy as it is written. Whether an attribute is in the mapping is for the code that has the mapping.
pub(super) fn read(field: &Field<'_>) -> Option<DriftPolicy> {
    if !matches!(field.node().raw, Raw::Table(_)) {
        return word(field).map(DriftPolicy::all);
    }
    let mut policy = DriftPolicy::default();
    for field in field.section()?.entries() {
        let key = field.entry.key.as_str();
        match key {
            "orphaned" => {
                let _: Option<()> = field.bad_key(
                    "is not for the drift policy",
                    "what happens to resources whose source object is gone is said by on_soft_delete, on_hard_delete and \
                     groups.on_delete",
                );
                continue;
            }
            "unmanaged" => {
                let _: Option<()> = field.bad_key(
                    "is not for the drift policy",
                    "resources without a link are never touched; unmanaged = \"report\" beside `drift` reports them",
                );
                continue;
            }
            _ => {}
        }
        let Some(word) = word::<Drift>(&field) else {
            continue;
        };
        match key {
            "default" => policy.default = word,
            "missing" => policy.missing = Some(word),
            "modified" => policy.modified = Some(word),
            "membership" => policy.membership = Some(word),
            path if path.parse::<TargetPath>().is_ok() => {
                policy.attributes.insert(path.to_lowercase(), word);
            }
            _ => {
                let _: Option<()> = field.bad_key(
                    "is no class of drift and no attribute",
                    "write default, missing, modified, membership, or a target path of the mapping, such as active or roles",
                );
            }
        }
    }
    Some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn policy(value: &str) -> Result<DriftPolicy, String> {
        let text = include_str!("../../config/minimal.toml");
        let text = format!("{text}\n[jobs.idmelon.provisioning]\ndrift = {value}\n");
        let settings = Settings::parse("test.toml", &text, &std::collections::BTreeMap::new(), true);
        settings
            .map(|settings| settings.jobs["idmelon"].provisioning.policy.drift.clone())
            .map_err(|errors| {
                errors
                    .0
                    .iter()
                    .map(|problem| format!("{} {}", problem.what, problem.advice))
                    .collect()
            })
    }

    #[test]
    fn one_word_or_a_table() {
        assert_eq!(policy("\"heal\"").unwrap(), DriftPolicy::all(Drift::Heal));
        let table = policy(
            "{ default = \"report\", active = \"heal\", 'emails[type eq \"work\"].value' = \"heal\", membership = \"heal\" }",
        )
        .unwrap();
        assert_eq!(
            (table.default, table.membership),
            (Drift::Report, Some(Drift::Heal))
        );
        let names: Vec<&String> = table.attributes.keys().collect();
        assert_eq!(names, ["active", "emails[type eq \"work\"].value"]);
    }

    #[test]
    fn what_it_is_not_for_is_refused() {
        for (value, says) in [
            ("\"mend\"", "cannot be \"mend\""),
            ("{ active = \"mend\" }", "cannot be \"mend\""),
            ("{ unmanaged = \"heal\" }", "never touched"),
            ("{ orphaned = \"heal\" }", "on_hard_delete"),
            ("{ \"a b\" = \"heal\" }", "no class of drift"),
            ("3", "must be"),
        ] {
            let said = policy(value).unwrap_err();
            assert!(said.contains(says), "{value}: {said}");
        }
    }
}
