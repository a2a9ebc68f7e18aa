//! Shown text: every kind of bad settings as the user sees it, the exit codes, and what `init` writes.

use std::collections::BTreeMap;

use clap::CommandFactory;

use crate::settings::Settings;

use super::exit::Exit;
use super::{Cli, init, report};
use crate::app::error::AppError;

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
    let failure = AppError::from(Settings::parse("melonsync.toml", text, &env, false).unwrap_err());
    assert_eq!(Exit::from(failure.kind), Exit::Usage);
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
        kind: init::Kind::Scim,
        url: "https://scim.example/v2".to_owned(),
        service_principal_id: Some("33333333-3333-3333-3333-333333333333".to_owned()),
        guests: init::Guests::Accepted,
        secrets: init::Secrets::File,
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
        kind: init::Kind::Idmelon,
        url: String::new(),
        service_principal_id: None,
        guests: init::Guests::default(),
        secrets: init::Secrets::default(),
    };
    let errors = Settings::parse("m", &init::render(&answers), &BTreeMap::new(), true).unwrap_err();
    assert!(errors.0[0].what.contains("is not a GUID"), "{errors}");
}

#[test]
fn unknown_key_names_the_nearest_one() {
    insta::assert_snapshot!(shown(&with("scope = \"all\"", "scoope = \"all\"")), @r#"
error: unknown key `jobs.idmelon.source.scoope`
where: melonsync.toml:4:1
       | scoope = …
       | ^^^^^^
do:    did you mean `scope`?
"#);
}

#[test]
fn wrong_type_says_what_is_wanted() {
    insta::assert_snapshot!(shown(&with("users = true", "users = \"yes\"")), @r#"
error: `jobs.idmelon.source.users` must be true or false, not a text
where: melonsync.toml:5:9
       | users = "yes"
       |         ^^^^^
do:    write it as in `users = true`
"#);
}

#[test]
fn secret_in_plain_text_is_refused_and_not_shown() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = \"hunter2-very-secret\"")), @r#"
error: `jobs.idmelon.target.token` is a secret written in plain text
where: melonsync.toml:10:1
       | token = …
       | ^^^^^
do:    write { env = "IDMELON_SCIM_TOKEN" } or { file = "/run/secrets/…" }, and put the secret there
"#);
}

#[test]
fn missing_environment_variable_is_named() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = { env = \"IDMELON_SCIM_TOKEN\" }")), @r#"
error: `jobs.idmelon.target.token`: environment variable IDMELON_SCIM_TOKEN is not set
where: melonsync.toml:10:1
       | token = …
       | ^^^^^
do:    set IDMELON_SCIM_TOKEN in the environment that starts melonsync
"#);
}

#[test]
fn unreadable_file_is_named_with_its_cause() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = { file = \"/nowhere/token\" }")), @r#"
error: `jobs.idmelon.target.token`: cannot read the file /nowhere/token
where: melonsync.toml:10:1
       | token = …
       | ^^^^^
cause: No such file or directory (os error 2)
do:    check the path, and that melonsync's user may read it
"#);
}

#[test]
fn bad_cron_shows_the_form() {
    insta::assert_snapshot!(shown(&with("users = true", "users = true\n[jobs.idmelon]\nschedule = \"every day\"")), @r#"
error: `jobs.idmelon.schedule` = "every day" has 2 fields
where: melonsync.toml:7:12
       | schedule = "every day"
       |            ^^^^^^^^^^^
do:    write seconds, minutes, hours, day of month, month and weekday, as in "0 */5 * * * *"; five fields mean second 0
"#);
}

#[test]
fn numeric_weekday_is_refused() {
    insta::assert_snapshot!(shown(&with("users = true", "users = true\n[jobs.idmelon]\nfull_schedule = \"0 0 3 * * 1-5\"")), @r#"
error: `jobs.idmelon.full_schedule` = "0 0 3 * * 1-5" names the weekday by number (1-5), which is another day in other crons
where: melonsync.toml:7:17
       | full_schedule = "0 0 3 * * 1-5"
       |                 ^^^^^^^^^^^^^^^
do:    write MON, TUE, WED, THU, FRI, SAT or SUN, as in "0 0 3 * * SUN"
"#);
}

#[test]
fn a_secret_without_quotes_is_not_shown_either() {
    let text = shown(&with("token = { env = \"PRESENT\" }", "token = 424242"));
    assert!(!text.contains("424242"), "{text}");
}

#[test]
fn http_to_another_machine_is_refused() {
    insta::assert_snapshot!(shown(&with("https://skm.idmelon.com/api/scim/v2/", "http://skm.idmelon.com/api/scim/v2/")), @r#"
error: `jobs.idmelon.target.url` would send credentials without encryption
where: melonsync.toml:9:7
       | url = "http://skm.idmelon.com/api/scim/v2/"
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
do:    write an https address, as in "https://skm.idmelon.com/api/scim/v2/"; http is for 127.0.0.1, ::1 and localhost only
"#);
}

#[test]
fn bad_guid_says_where_to_find_it() {
    insta::assert_snapshot!(shown(&with("11111111-1111-1111-1111-111111111111", "contoso")), @r#"
error: `jobs.idmelon.source.tenant_id` is not a GUID: "contoso"
where: melonsync.toml:2:13
       | tenant_id = "contoso"
       |             ^^^^^^^^^
do:    copy "Directory (tenant) ID" from the app registration's overview
"#);
}

#[test]
fn bad_threshold_shows_the_forms() {
    insta::assert_snapshot!(shown(&format!("{GOOD}[jobs.idmelon.provisioning]\ndeletion_threshold = \"130%\"\n")), @r#"
error: `jobs.idmelon.provisioning.deletion_threshold` is no threshold: a percentage must be between 0 and 100, got 130
where: melonsync.toml:12:22
       | deletion_threshold = "130%"
       |                      ^^^^^^
do:    write a count (500), a share ("5%") or both ({ count = 500, percent = 5 })
"#);
}

#[test]
fn broken_toml_shows_no_line() {
    insta::assert_snapshot!(shown(&with("token = { env = \"PRESENT\" }", "token = \"hunter2-very-secret")), @r#"
error: not valid TOML: invalid basic string, expected `"`
where: melonsync.toml:10:29
do:    correct the line; https://toml.io shows the format
"#);
}

#[test]
fn several_problems_are_reported_at_once() {
    insta::assert_snapshot!(shown(&format!("{}guard = 1\n", with("users = true", "user = true\ncloud = \"moon\"\nscope_ = 1").replace("11111111-1111-1111-1111-111111111111", "contoso"))), @r#"
error: `jobs.idmelon.source.tenant_id` is not a GUID: "contoso"
where: melonsync.toml:2:13
       | tenant_id = "contoso"
       |             ^^^^^^^^^
do:    copy "Directory (tenant) ID" from the app registration's overview

error: unknown key `jobs.idmelon.source.user`
where: melonsync.toml:5:1
       | user = …
       | ^^^^
do:    did you mean `users`?

error: `jobs.idmelon.source.cloud` cannot be "moon"
where: melonsync.toml:6:9
       | cloud = "moon"
       |         ^^^^^^
do:    write one of "global", "us-gov", "us-gov-dod", "china"

error: unknown key `jobs.idmelon.source.scope_`
where: melonsync.toml:7:1
       | scope_ = …
       | ^^^^^^
do:    did you mean `scope`?

error: unknown key `jobs.idmelon.target.guard`
where: melonsync.toml:13:1
       | guard = …
       | ^^^^^
do:    take it out; known here: kind, url, token, expires, max_concurrency, requests_per_second, request_timeout, dialect, network
"#);
}

#[test]
fn password_in_an_address_is_not_shown() {
    insta::assert_snapshot!(shown(&with("https://skm.idmelon.com/", "https://me:hunter2@skm.idmelon.com/")), @r#"
error: `jobs.idmelon.target.url` has a user name or a password in it
where: melonsync.toml:9:1
       | url = …
       | ^^^
do:    take it out of the file; a proxy with a password goes into the environment variable HTTPS_PROXY
"#);
}

#[test]
fn a_store_of_a_later_version_is_named_as_such() {
    insta::assert_snapshot!(shown(&with("users = true", "users = true\n[state]\nstore = \"postgres\"")), @r#"
error: `state.store` = "postgres" is not available in this version
where: melonsync.toml:7:9
       | store = "postgres"
       |         ^^^^^^^^^^
do:    write "sled" or "redb"
"#);
}
