//! Each part of the scope: the same, another, or unseen.

use std::collections::BTreeMap;

use super::*;
use crate::model::azure_job::JobState;
use crate::settings::Settings;

const CONFIG: &str = r#"
[jobs.idmelon]
[jobs.idmelon.source]
kind = "entra"
tenant_id = "6f1c8d1e-0000-4000-8000-000000000001"
client_id = "6f1c8d1e-0000-4000-8000-000000000002"
SOURCE
[jobs.idmelon.source.credential]
client_secret = { env = "ENTRA_CLIENT_SECRET" }
[jobs.idmelon.target]
kind = "idmelon"
url = "https://scim.example/api/scim/v2/"
token = { env = "IDMELON_SCIM_TOKEN" }
[jobs.idmelon.provisioning]
POLICY
"#;

fn ours(source: &str, policy: &str) -> Job {
    let text = CONFIG.replace("SOURCE", source).replace("POLICY", policy);
    let settings = Settings::parse("test", &text, &BTreeMap::new(), true).unwrap();
    settings.jobs["idmelon"].clone()
}

fn azure(settings: &[(&str, &str)]) -> AzureJob {
    let settings = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    AzureJob {
        id: "scim.1".to_owned(),
        state: JobState::Paused,
        interval: None,
        last: None,
        in_progress: false,
        quarantine: None,
        settings: settings.collect(),
    }
}

fn line(section: &'static str, key: &'static str, value: &str) -> Setting {
    Setting {
        section,
        key,
        value: value.to_owned(),
        why: String::new(),
    }
}

#[test]
fn the_scope_is_the_same_only_where_all_of_it_is_seen_and_equal() {
    let plain = [("SkipOutOfScopeDeletions", "False"), ("SyncAll", "True")];
    let filter = r#"'department EQUALS "IT"'"#;
    let it = format!("user_filter = {filter}");
    let keeps = [
        line("provisioning", "on_soft_delete", "\"keep\""),
        line("provisioning", "on_hard_delete", "\"keep\""),
        line("provisioning", "on_out_of_scope", "\"keep\""),
    ];
    let of_it = [line("source", "user_filter", filter)];
    let kept = "on_soft_delete = \"keep\"\non_hard_delete = \"keep\"\non_out_of_scope = \"keep\"";
    for (name, imported, settings, source, policy, expected) in [
        ("all is the same", &[][..], &plain[..], "", "", ""),
        ("a filter of Azure's alone", &of_it, &plain, "", "", "user_filter"),
        (
            "a filter of ours alone",
            &[],
            &plain,
            it.as_str(),
            "",
            "user_filter",
        ),
        ("the same filter", &of_it, &plain, it.as_str(), "", ""),
        (
            "groups are off there",
            &[line("source", "groups", "false")],
            &plain,
            "",
            "",
            "groups",
        ),
        (
            "guests are out here",
            &[],
            &plain,
            "guests = \"exclude\"",
            "",
            "guests",
        ),
        (
            "it leaves leavers",
            &keeps,
            &plain,
            "",
            "",
            "on_soft_delete on_hard_delete on_out_of_scope",
        ),
        ("both leave leavers", &keeps, &plain, "", kept, ""),
        (
            "only those out of scope",
            &[],
            &[("SkipOutOfScopeDeletions", "True"), ("SyncAll", "True")],
            "",
            "",
            "on_out_of_scope",
        ),
        (
            "only who is assigned",
            &[],
            &[("SkipOutOfScopeDeletions", "False"), ("SyncAll", "False")],
            "",
            "",
            "scope",
        ),
        ("nothing is shown", &[], &[], "", "", "? ?"),
        (
            "a word of tomorrow",
            &[],
            &[("SkipOutOfScopeDeletions", "Perhaps"), ("SyncAll", "True")],
            "",
            "",
            "?",
        ),
    ] {
        let found = compared(imported, &azure(settings), &ours(source, policy));
        let keys = found.differs.iter().filter_map(|text| text.split('`').nth(1));
        let all: Vec<&str> = keys.chain(found.unseen.iter().map(|_| "?")).collect();
        assert_eq!(all.join(" "), expected, "{name}: {found:?}");
    }
}
