//! What is refused of the way back, and what it comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::settings::Settings;

const MINIMAL: &str = include_str!("../../../config/minimal.toml");
const APP: &str =
    "credential = { client_id = \"6f1c8d1e-0000-4000-8000-000000000002\", client_secret = { env = \"W\" } }";
const TITLE: &str = "attributes = { title = \"jobTitle\" }";
const GROUP: &str = "enrolled_group = \"6f1c8d1e-0000-4000-8000-000000000001\"";
const API: &str = "idmelon_api = { url = \"https://skm.idmelon.com\", key = { env = \"K\" } }";

fn read(lines: &[&str]) -> Result<Option<WriteBack>, String> {
    let text = format!("{MINIMAL}\n[jobs.idmelon.writeback]\n{}\n", lines.join("\n"));
    let settings = Settings::parse("test.toml", &text, &BTreeMap::new(), true);
    let mut settings = settings.map_err(|errors| errors.to_string())?;
    Ok(settings.jobs.remove("idmelon").unwrap().writeback)
}

#[test]
fn it_is_off_unless_something_is_written_back() {
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[APP, "clear_after = \"1h\""]), Ok(None));
    assert!(read(&[APP, TITLE]).unwrap().is_some());
    let back = read(&[APP, GROUP, API]).unwrap().unwrap();
    assert!(back.enrolled.is_some() && back.attributes.is_empty());
}

#[test]
fn what_is_written_is_what_it_comes_to() {
    let back = read(&[
        APP,
        "attributes = { 'phoneNumbers[type eq \"work\"].value' = \"telephoneNumber\", title = \"jobTitle\" }",
        "schedule = \"\"",
        "clear_after = \"1h\"",
        "clear_threshold = 7",
        "on_conflict = \"hold\"",
        GROUP,
        API,
        "enrolled_requires = \"key+passkey\"",
        "enrolled_threshold = { add = 9, remove = \"10%\" }",
    ]);
    let back = back.unwrap().unwrap();
    let properties: Vec<&str> = back.attributes.iter().map(|way| way.property.as_str()).collect();
    assert_eq!(properties, ["businessPhones", "jobTitle"], "by Graph's own name");
    assert_eq!((back.schedule, back.on_conflict), (None, OnConflict::Hold));
    assert_eq!(back.clear_after, Duration::from_secs(3600));
    assert_eq!(back.clear_threshold, Threshold::count(7));
    let enrolled = back.enrolled.unwrap();
    assert_eq!(enrolled.requires, Requires::KeyAndPasskey);
    let threshold = enrolled.threshold;
    assert_eq!(
        (threshold.add, threshold.remove.unwrap().percent),
        (Some(Threshold::count(9)), Some(10.0))
    );
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let reader = APP.replace(
        "6f1c8d1e-0000-4000-8000-000000000002",
        "00000000-0000-0000-0000-000000000000",
    );
    let way = |property: &str| format!("attributes = {{ title = \"{property}\" }}");
    for (lines, said) in [
        (vec![TITLE], "has no `credential` of its own"),
        (vec![GROUP, API], "has no `credential` of its own"),
        (vec![TITLE, &reader], "is the app of the source"),
        (vec![APP, &way("jobTitel")], "is no property of a user"),
        (
            vec![APP, &way("accountEnabled")],
            "is no property that is written back",
        ),
        (
            vec![APP, &way("userPrincipalName")],
            "is no property that is written back",
        ),
        (vec![APP, &way("manager")], "is no property that is written back"),
        (
            vec![APP, "attributes = { 'a b' = \"jobTitle\" }"],
            "is no place at the target",
        ),
        (vec![APP, "attributes = \"jobTitle\""], "must be a table"),
        (vec![APP, TITLE, "clear_threshold = -1"], "cannot be negative"),
        (
            vec![APP, TITLE, "on_conflict = \"source\""],
            "cannot be \"source\"",
        ),
        (vec![APP, TITLE, "schedule = \"now\""], "schedule"),
        (
            vec![APP, GROUP],
            "nothing says where the security keys are listed",
        ),
        (
            vec![APP, API, "enrolled_group = \"Key holders\""],
            "is no object id",
        ),
        (
            vec![APP, GROUP, API, "enrolled_never = [\"ada\"]"],
            "is no object id",
        ),
        (vec![APP, GROUP, API, "enrolled_threshold = 5"], "must be a table"),
        (
            vec![APP, GROUP, API, "enrolled_threshold = { most = 5 }"],
            "unknown key",
        ),
        (
            vec![
                APP,
                GROUP,
                "idmelon_api = { url = \"http://skm.idmelon.com\", key = { env = \"K\" } }",
            ],
            "without encryption",
        ),
        (vec![APP, TITLE, "attribute = 1"], "unknown key"),
    ] {
        let error = read(&lines).expect_err(&format!("{lines:?}"));
        assert!(error.contains(said), "{lines:?}: {error}");
    }
}

#[test]
fn the_identity_of_a_machine_is_one_app_only() {
    let text = MINIMAL.replace(
        "credential.client_secret = { env = \"ENTRA_CLIENT_SECRET\" }",
        "credential.managed_identity = true",
    );
    let of = |proof: &str| {
        let text = format!(
            "{text}\n[jobs.idmelon.writeback]\n{TITLE}\ncredential = {{ client_id = \"6f1c8d1e-0000-4000-8000-000000000002\", {proof} }}\n"
        );
        Settings::parse("test.toml", &text, &BTreeMap::new(), true).map_err(|errors| errors.to_string())
    };
    let shared = of("managed_identity = true").unwrap_err();
    assert!(shared.contains("is the app of the source"), "{shared}");
    assert!(of("managed_identity = { client_id = \"6f1c8d1e-0000-4000-8000-000000000002\" }").is_ok());
}
