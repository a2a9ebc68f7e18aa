//! Shown text: every kind of bad settings as the user sees it, the exit codes, and what `init` writes.

use std::collections::BTreeMap;

use clap::CommandFactory;

use crate::settings::Settings;

use super::failure::{Exit, Failure};
use super::{Cli, init, report};

const GOOD: &str = r#"[jobs.idmelon.source]
tenant_id = "11111111-1111-1111-1111-111111111111"
client_id = "22222222-2222-2222-2222-222222222222"
scope = "all"
users = true
[jobs.idmelon.source.credential]
client_secret = { env = "PRESENT" }
[jobs.idmelon.target]
url = "https://skm.idmelon.com/api/scim/v2/"
token = { env = "PRESENT" }
"#;

fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from} is not in the good settings");
    GOOD.replace(from, to)
}

fn shown(text: &str) -> String {
    let env = BTreeMap::from([("PRESENT".to_owned(), "s3cret".to_owned())]);
    let failure = Failure::from(Settings::parse("melonsync.toml", text, &env, false).unwrap_err());
    assert_eq!(failure.exit, Exit::Usage);
    let text = report::render(&failure, false);
    assert!(
        !text.contains("hunter2") && !text.contains("s3cret"),
        "a secret is shown:\n{text}"
    );
    text
}

#[test]
fn the_good_settings_are_good() {
    let env = BTreeMap::from([("PRESENT".to_owned(), "s3cret".to_owned())]);
    Settings::parse("melonsync.toml", GOOD, &env, false).unwrap();
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn the_graver_exit_code_is_said() {
    for (a, b, expected) in [
        (Exit::Done, Exit::Entries, Exit::Entries),
        (Exit::Withheld, Exit::Entries, Exit::Withheld),
        (Exit::Failed, Exit::Withheld, Exit::Failed),
        (Exit::NotBegun, Exit::Failed, Exit::NotBegun),
        (Exit::NotBegun, Exit::Usage, Exit::Usage),
        (Exit::Changes, Exit::Done, Exit::Changes),
    ] {
        assert_eq!(a.or(b), expected);
        assert_eq!(b.or(a), expected);
    }
}

#[test]
fn what_init_writes_loads() {
    let answers = init::Answers {
        tenant_id: "11111111-1111-1111-1111-111111111111".to_owned(),
        client_id: "22222222-2222-2222-2222-222222222222".to_owned(),
        kind: "scim",
        url: "https://scim.example/v2".to_owned(),
    };
    let text = init::render(&answers);
    let settings = Settings::parse("melonsync.toml", &text, &BTreeMap::new(), true).unwrap();
    assert_eq!(settings.jobs["idmelon"].provisioning.mapping, "scim");
    assert!(!text.contains('@'), "every placeholder is filled in");
}

#[test]
fn an_answer_with_quotes_stays_one_text() {
    let answers = init::Answers {
        tenant_id: "x\"\nmode = \"enforce".to_owned(),
        client_id: String::new(),
        kind: "idmelon",
        url: String::new(),
    };
    let errors = Settings::parse("m", &init::render(&answers), &BTreeMap::new(), true).unwrap_err();
    assert!(errors.0[0].what.contains("is not a GUID"), "{errors}");
}

#[test]
fn unknown_key_names_the_nearest_one() {
    insta::assert_snapshot!(shown(&with("scope = \"all\"", "scoope = \"all\"")), @"");
}

#[test]
fn wrong_type_says_what_is_wanted() {
    insta::assert_snapshot!(shown(&with("users = true", "users = \"yes\"")), @"");
}

#[test]
fn secret_in_plain_text_is_refused_and_not_shown() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = \"hunter2-very-secret\"")), @"");
}

#[test]
fn missing_environment_variable_is_named() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = { env = \"IDMELON_SCIM_TOKEN\" }")), @"");
}

#[test]
fn unreadable_file_is_named_with_its_cause() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = { file = \"/nowhere/token\" }")), @"");
}

#[test]
fn bad_cron_shows_the_form() {
    insta::assert_snapshot!(shown(&with("users = true", "users = true\n[jobs.idmelon]\nschedule = \"every day\"")), @"");
}

#[test]
fn numeric_weekday_is_refused() {
    insta::assert_snapshot!(shown(&with("users = true", "users = true\n[jobs.idmelon]\nfull_schedule = \"0 0 3 * * 1-5\"")), @"");
}

#[test]
fn http_to_another_machine_is_refused() {
    insta::assert_snapshot!(shown(&with("https://skm.idmelon.com/api/scim/v2/", "http://skm.idmelon.com/api/scim/v2/")), @"");
}

#[test]
fn bad_guid_says_where_to_find_it() {
    insta::assert_snapshot!(shown(&with("11111111-1111-1111-1111-111111111111", "contoso")), @"");
}

#[test]
fn bad_threshold_shows_the_forms() {
    insta::assert_snapshot!(shown(&format!("{GOOD}[jobs.idmelon.provisioning]\ndeletion_threshold = \"130%\"\n")), @"");
}

#[test]
fn broken_toml_shows_no_line() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = \"hunter2-very-secret")), @"");
}

#[test]
fn several_problems_are_reported_at_once() {
    insta::assert_snapshot!(shown(&with("users = true", "user = true\ncloud = \"moon\"\nscope_ = 1").replace("11111111-1111-1111-1111-111111111111", "contoso") + "guard = 1\n"), @"");
}

#[test]
fn password_in_an_address_is_not_shown() {
    insta::assert_snapshot!(shown(&with("https://skm.idmelon.com/", "https://me:hunter2@skm.idmelon.com/")), @"");
}

#[test]
fn a_store_of_a_later_version_is_named_as_such() {
    insta::assert_snapshot!(shown(&with("users = true", "users = true\n[state]\nstore = \"redb\"")), @"");
}
