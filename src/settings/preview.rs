//! What of a job's settings can be tried before it is in force: who is in scope, and by what policy. Nothing else.
//!
//! The parts are written as the settings file writes them, and are understood by the code that reads the file. A key that is not
//! for trying, an address or the place of a secret, is refused by its name before anything is read.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Map;
use serde_json::Value as Json;
use toml::Table as Toml;
use toml::de::DeTable;

use super::Job;
use super::Settings;
use super::SettingsErrors;
use super::problem::Place;
use super::problem::Problem;
use super::provisioning::Provisioning;
use super::tree::Node;
use super::tree::Raw;
use super::tree::Table;

/// Keys with what they hold.
pub type Keys = Map<String, Json>;

/// What stands in a part under `filters`: keys of `[jobs.NAME.source]`.
const FILTERS: &[&str] = &["user_filter", "group_filter"];

/// What stands under `scope`: keys of the same section.
const SCOPE: &[&str] = &[
    "scope",
    "service_principal_id",
    "users",
    "groups",
    "nested_groups",
    "guests",
];

/// The one key of `[jobs.NAME.provisioning]` that is no policy: it may name a file.
const MAPPING: &str = "mapping";

/// Where a problem is, for whoever sent it.
const PLACE: &str = "the preview";

/// The parts that can be tried. One that is absent stays as it is; one that is there stands for all of its keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// The scoping filters.
    pub filters: Option<Keys>,
    /// Who is in scope beside the filters.
    pub scope: Option<Keys>,
    /// Everything under `[jobs.NAME.provisioning]` but the mapping.
    pub policy: Option<Keys>,
}

impl Parts {
    /// The parts of a job as its file and the environment have them.
    ///
    /// # Errors
    /// Where the file cannot be read. What the keys hold is not looked at.
    pub fn read(
        path: &Path,
        env: impl IntoIterator<Item = (String, String)>,
        job: &str,
    ) -> Result<Self, SettingsErrors> {
        let (file, text) = super::read_file(path)?;
        let parsed: DeTable<'_> = super::syntax(&file, &text)?;
        let mut tree = Table::of_file(&parsed);
        tree.overlay(&env.into_iter().collect::<BTreeMap<_, _>>());
        let section = |name| below(&tree, &["jobs", job, name]);
        let those = |name, wanted: &dyn Fn(&str) -> bool| {
            let entries = section(name).map_or(&[] as &[_], |table| table.0.as_slice());
            let wanted = entries.iter().filter(|entry| wanted(&entry.key));
            Some(
                wanted
                    .map(|entry| (entry.key.clone(), json_of(&entry.node)))
                    .collect(),
            )
        };
        Ok(Self {
            filters: those("source", &|key| FILTERS.contains(&key)),
            scope: those("source", &|key| SCOPE.contains(&key)),
            policy: those("provisioning", &|key| key != MAPPING),
        })
    }

    /// The job with these parts in the place of its own.
    ///
    /// # Errors
    /// Every key that is not for trying, and every value that the settings would refuse.
    pub fn over(&self, name: &str, job: &Job) -> Result<Job, SettingsErrors> {
        self.are_for_trying()?;
        let text = self.document(name, job).to_string();
        let parsed = Settings::parse(PLACE, &text, &BTreeMap::new(), true);
        let mut settings =
            parsed.map_err(|errors| SettingsErrors(errors.0.into_iter().map(placed).collect()))?;
        let tried = settings.jobs.remove(name).expect("it was written above");
        let mut job = job.clone();
        if self.filters.is_some() {
            job.source.rules.user_filter = tried.source.rules.user_filter;
            job.source.rules.group_filter = tried.source.rules.group_filter;
        }
        if self.scope.is_some() {
            job.source.scope = tried.source.scope;
            job.source.service_principal_id = tried.source.service_principal_id;
            job.source.nesting = tried.source.nesting;
            job.source.rules.guests = tried.source.rules.guests;
            job.source.users = tried.source.users;
            job.source.groups = tried.source.groups;
        }
        if self.policy.is_some() {
            job.provisioning = Provisioning {
                mapping: job.provisioning.mapping,
                ..tried.provisioning
            };
        }
        Ok(job)
    }

    fn are_for_trying(&self) -> Result<(), SettingsErrors> {
        let mut problems = Vec::new();
        for (part, keys, known) in [("filters", &self.filters, FILTERS), ("scope", &self.scope, SCOPE)] {
            let others = keys.iter().flat_map(Map::keys);
            let others = others.filter(|key| !known.contains(&key.as_str()));
            problems.extend(others.map(|key| refused(part, key, &known.join(", "))));
        }
        if self
            .policy
            .as_ref()
            .is_some_and(|keys| keys.contains_key(MAPPING))
        {
            problems.push(refused("policy", MAPPING, "the keys of [jobs.NAME.provisioning]"));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(SettingsErrors(problems))
        }
    }

    /// A settings document of one job with these parts. What it needs beside them is made up, and never used.
    fn document(&self, name: &str, job: &Job) -> Toml {
        let id = job.source.tenant_id.to_string();
        let secret = || table([("env", "NEVER_READ".into())]).into();
        let mut source = table([
            ("tenant_id", id.clone().into()),
            ("client_id", id.into()),
            ("credential", table([("client_secret", secret())]).into()),
        ]);
        source.extend(self.filters.iter().flat_map(toml_keys));
        source.extend(self.scope.iter().flat_map(toml_keys));
        let target = table([("url", "https://never.asked/".into()), ("token", secret())]);
        let policy: Toml = self.policy.iter().flat_map(toml_keys).collect();
        let job = table([
            ("source", source.into()),
            ("target", target.into()),
            ("provisioning", policy.into()),
        ]);
        table([("jobs", table([(name, job.into())]).into())])
    }
}

fn table<const N: usize>(entries: [(&str, toml::Value); N]) -> Toml {
    entries
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}

fn refused(part: &str, key: &str, known: &str) -> Problem {
    Problem {
        what: format!("a preview takes no `{key}` in `{part}`"),
        place: Place::File(PLACE.to_owned()),
        advice: format!(
            "send only {known} there; addresses, secrets, files and commands are those of the daemon's own settings"
        ),
        cause: None,
    }
}

/// The document was never seen by whoever sent the parts: its lines say nothing to them.
fn placed(problem: Problem) -> Problem {
    Problem {
        place: Place::File(PLACE.to_owned()),
        ..problem
    }
}

fn below<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Table> {
    let [first, rest @ ..] = path else {
        return Some(table);
    };
    match &table.get(first)?.node.raw {
        Raw::Table(table) => below(table, rest),
        Raw::Text(_) | Raw::Date(_) | Raw::Integer(_) | Raw::Float(_) | Raw::Bool(_) | Raw::List => None,
    }
}

fn json_of(node: &Node) -> Json {
    match &node.raw {
        Raw::Text(text) | Raw::Date(text) => text.as_str().into(),
        Raw::Integer(number) => (*number).into(),
        Raw::Float(number) => (*number).into(),
        Raw::Bool(flag) => (*flag).into(),
        Raw::List => node.items.iter().map(|item| json_of(&item.node)).collect(),
        Raw::Table(table) => {
            let entries = table.0.iter();
            Json::Object(
                entries
                    .map(|entry| (entry.key.clone(), json_of(&entry.node)))
                    .collect(),
            )
        }
    }
}

/// Keys with their values; one that is null is absent.
fn toml_keys(keys: &Keys) -> impl Iterator<Item = (String, toml::Value)> + '_ {
    keys.iter()
        .filter_map(|(key, value)| Some((key.clone(), toml_of(value)?)))
}

fn toml_of(value: &Json) -> Option<toml::Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => (*flag).into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => toml::Value::Array(items.iter().filter_map(toml_of).collect()),
        Json::Object(keys) => toml::Value::Table(toml_keys(keys).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../config/minimal.toml");

    fn job(text: &str) -> Job {
        let settings = Settings::parse("test.toml", text, &BTreeMap::new(), true).unwrap();
        settings.jobs["idmelon"].clone()
    }

    fn keys(text: &str) -> Option<Keys> {
        serde_json::from_str(text).unwrap()
    }

    fn refusals(parts: &Parts) -> Vec<String> {
        let refused = parts.over("idmelon", &job(FILE)).unwrap_err();
        refused.0.iter().map(|problem| problem.what.clone()).collect()
    }

    #[test]
    fn the_parts_of_a_file_make_its_job_of_another() {
        let more = "\n[jobs.idmelon.provisioning]\nmapping = \"scim\"\ndeletion_threshold = { count = 7, percent = 2 }\n\
                    drift = { active = \"heal\" }\n[jobs.idmelon.provisioning.groups]\non_delete = \"keep\"\n";
        let text = format!("{FILE}{more}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("melonsync.toml");
        std::fs::write(&path, &text).unwrap();
        let env = [
            (
                "MELONSYNC__JOBS__IDMELON__SOURCE__USER_FILTER",
                "department EQUALS \"IT\"",
            ),
            ("MELONSYNC__JOBS__IDMELON__SOURCE__GROUPS", "false"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let whole = Settings::parse("test.toml", &text, &BTreeMap::from(env.clone()), true).unwrap();
        let wanted = &whole.jobs["idmelon"];
        let parts = Parts::read(&path, env, "idmelon").unwrap();
        let mut made = parts.over("idmelon", &job(FILE)).unwrap();
        assert_ne!(&made, wanted, "the mapping is no part of it");
        made.provisioning.mapping = "scim".to_owned();
        assert_eq!(&made, wanted);
        assert_eq!(&Parts::default().over("idmelon", wanted).unwrap(), wanted);
    }

    #[test]
    fn what_is_not_for_trying_is_refused_by_its_name() {
        let parts = Parts {
            filters: keys(r#"{"user_filter": null, "graph_url": "http://canary"}"#),
            scope: keys(r#"{"credential": {"client_secret": {"file": "/etc/shadow"}}, "network": {}}"#),
            policy: keys(r#"{"mapping": "/etc/passwd"}"#),
        };
        let said = refusals(&parts).join("; ");
        for name in ["`graph_url`", "`credential`", "`network`", "`mapping`"] {
            assert!(said.contains(name), "{said}");
        }
        let parts = Parts {
            policy: keys(r#"{"url": "http://canary", "protect": {"file": "/etc/shadow"}}"#),
            ..Parts::default()
        };
        let said = refusals(&parts).join("; ");
        assert!(
            said.contains("provisioning.url`") && said.contains("protect`"),
            "{said}"
        );
        let parts = Parts {
            filters: keys(r#"{"user_filter": "department EQUAL \"IT\""}"#),
            ..Parts::default()
        };
        assert!(refusals(&parts)[0].contains("source.user_filter`"));
    }
}
