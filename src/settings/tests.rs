//! Defaults, overrides, the shipped files, and the forms of single values.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::dialect::MemberRemoval;
use crate::model::dialect::OpCase;
use crate::model::dialect::PinnedDialect;
use crate::model::dialect::Update;
use crate::reconcile::back::decide::OnConflict;
use crate::reconcile::back::group::EnrolledThreshold;
use crate::reconcile::policy::Policy;
use crate::reconcile::policy::Threshold;
use crate::reconcile::scope::assignment::Nesting;

use super::target::Target;
use super::value::parse_duration;
use super::writeback::Requires;
use super::writeback::WriteBack;
use super::{Job, Mode, Settings, SettingsErrors, State};

const EXAMPLE: &str = include_str!("../../config/example.toml");
const MINIMAL: &str = include_str!("../../config/minimal.toml");

fn parse(text: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsErrors> {
    let env: BTreeMap<_, _> = env
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Settings::parse("test.toml", text, &env, true)
}

#[test]
fn the_example_holds_the_defaults() {
    let example = parse(EXAMPLE, &[]).unwrap();
    let defaults = parse(MINIMAL, &[]).unwrap();
    assert_eq!(example, defaults);
    let job = &example.jobs["idmelon"];
    assert_eq!(example.state, State::default());
    assert_eq!(job.provisioning.policy, Policy::default());
    assert_eq!(job.schedule.as_ref().unwrap().to_string(), Job::SCHEDULE);
    assert_eq!(
        job.full_schedule.as_ref().unwrap().to_string(),
        Job::FULL_SCHEDULE
    );
    assert_eq!((job.enabled, job.mode), (true, Mode::Observe));
    assert_eq!(job.target.max_concurrency, Target::MAX_CONCURRENCY);
}

#[test]
fn relative_paths_are_relative_to_the_folder_of_the_file() {
    let mut text = MINIMAL.replace(
        "client_secret = { env = \"ENTRA_CLIENT_SECRET\" }",
        "certificate = [{ file = \"cert.pem\", key = { file = \"/keys/key.pem\" } }]",
    );
    text = text.replace(
        "token = { env = \"IDMELON_SCIM_TOKEN\" }",
        "token = { file = \"../scim-token\" }",
    );
    text += "\n[jobs.idmelon.source.network]\nca_file = \"root.pem\"\n\
        [audit]\nstream = \"file:audit.jsonl\"\n\
        [admin]\nlisten = \"127.0.0.1:0\"\ntls = { cert = \"door.pem\", key = \"door.key\" }\ntoken = { file = \"admin\" }\n\
        [[notify]]\non = [\"drift\"]\nurl = { file = \"teams-url\" }\nformat = \"json\"\nsecret = { file = \"hmac\" }\n";
    let back = "[jobs.idmelon.writeback]\n\
        credential = { client_id = \"11111111-0000-0000-0000-000000000000\", federated_token_file = \"federated\" }\n\
        enrolled_group = \"22222222-0000-0000-0000-000000000000\"\n\
        idmelon_api = { url = \"https://api.example\", key = { file = \"api-key\" } }\n";
    text += back;
    let settings = Settings::parse("/etc/ms/melonsync.toml", &text, &BTreeMap::new(), true).unwrap();
    let shown = format!("{settings:?}");
    for path in [
        "/etc/ms/state",
        "/etc/ms/cert.pem",
        "/keys/key.pem",
        "/etc/ms/../scim-token",
        "/etc/ms/root.pem",
        "/etc/ms/audit.jsonl",
        "/etc/ms/door.pem",
        "/etc/ms/door.key",
        "/etc/ms/admin",
        "/etc/ms/teams-url",
        "/etc/ms/hmac",
        "/etc/ms/federated",
        "/etc/ms/api-key",
    ] {
        assert!(shown.contains(&format!("\"{path}\"")), "{path}: {shown}");
    }
    // The same key means the same in a variable.
    let env = BTreeMap::from([("MELONSYNC__STATE__PATH".to_owned(), "other".to_owned())]);
    let settings = Settings::parse("/etc/ms/melonsync.toml", MINIMAL, &env, true).unwrap();
    assert_eq!(settings.state.path, std::path::Path::new("/etc/ms/other"));
}

#[test]
fn commented_keys_of_the_example_are_known_too() {
    // The block of a receiver is commented out as a whole.
    let (before, notify) = EXAMPLE.split_once("# [[notify]]").unwrap();
    let (notify, after) = notify.split_once("\n\n").unwrap();
    let notify = notify.replace("\n# ", "\n");
    let example = format!("{before}[[notify]]{notify}\n\n{after}");
    let text: Vec<String> = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            // Stands in the place of another.
            Some(rest) if rest.starts_with("certificate") || rest.starts_with("managed") => line.to_owned(),
            Some(rest)
                if rest.starts_with([
                    'a', 'b', 'c', 'd', 'e', 'g', 'h', 'i', 'l', 'm', 'o', 'p', 'r', 's', 't',
                ]) && rest.contains(" = ") =>
            {
                rest.to_owned()
            }
            // Of the two examples of one key, the first.
            Some(rest) if rest.starts_with("user_filter") && rest.contains("IS TRUE") => rest.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let settings = parse(&text.join("\n"), &[]).unwrap();
    assert_eq!(settings.notify.len(), 1);
    let admin = &settings.admin;
    assert!(admin.listen.is_some() && admin.tls.is_some() && admin.behind_proxy);
    assert_eq!((admin.tokens.len(), admin.hosts.len()), (2, 1));
    assert!(admin.metrics_token.is_some() && admin.two_person && admin.comment_required);
    let job = &settings.jobs["idmelon"];
    assert_eq!(
        job.source.network.proxy.as_ref().unwrap().as_str(),
        "http://proxy:3128/"
    );
    assert!(job.source.credential.expires.is_some() && job.target.expires.is_some());
    assert_eq!(job.target.least_gap, Some(std::time::Duration::from_millis(20)));
    let dialect = job.target.dialect;
    assert_eq!(
        (dialect.op_case, dialect.update),
        (Some(OpCase::Lower), Some(Update::Patch))
    );
    assert_eq!(dialect.extension_urn_in_schemas, Some(true));
    assert!(job.source.rules.user_filter.is_some() && job.source.rules.group_filter.is_some());
    let back = job.writeback.as_ref().unwrap();
    assert_eq!(
        (back.attributes.len(), back.attributes[0].property.as_str()),
        (1, "mobilePhone")
    );
    assert_eq!(back.schedule.as_ref().unwrap().to_string(), WriteBack::SCHEDULE);
    assert_eq!(back.clear_after, WriteBack::CLEAR_AFTER);
    assert_eq!(back.clear_threshold, WriteBack::CLEAR_THRESHOLD);
    assert_eq!(back.on_conflict, OnConflict::default());
    let enrolled = back.enrolled.as_ref().unwrap();
    assert_eq!(enrolled.requires, Requires::Key);
    assert_eq!(enrolled.leave_after, WriteBack::LEAVE_AFTER);
    assert_eq!(enrolled.threshold, EnrolledThreshold::default());
    assert_eq!(enrolled.never.len(), 1);
}

#[test]
fn each_form_of_the_dialect_is_named_alone_and_by_its_word() {
    let with = |key: &str, value: &str| {
        let variable = format!("MELONSYNC__JOBS__IDMELON__TARGET__DIALECT__{key}");
        let settings = parse(MINIMAL, &[(&variable, value)]).map_err(|error| error.to_string())?;
        Ok::<_, String>(settings.jobs["idmelon"].target.dialect)
    };
    assert_eq!(
        parse(MINIMAL, &[]).unwrap().jobs["idmelon"].target.dialect,
        PinnedDialect::default()
    );
    let named = PinnedDialect {
        member_removal: Some(MemberRemoval::ValueArray),
        ..PinnedDialect::default()
    };
    assert_eq!(with("MEMBER_REMOVAL", "value_array"), Ok(named));
    for (key, value, said) in [
        ("MEMBER_REMOVAL", "values", "cannot be \"values\""),
        ("MEDIA_TYPE", "xml", "cannot be \"xml\""),
        ("OP_CASE", "upper", "cannot be \"upper\""),
        ("UPDATES", "put", "unknown key"),
        ("EXTENSION_URN_IN_SCHEMAS", "often", "must be true or false"),
    ] {
        let error = with(key, value).unwrap_err();
        assert!(error.contains(said), "{key} = {value}: {error}");
    }
}

#[test]
fn requests_per_second_is_a_number_with_or_without_a_fraction() {
    let with = |rate: &str| {
        let variable = ("MELONSYNC__JOBS__IDMELON__TARGET__REQUESTS_PER_SECOND", rate);
        let settings = parse(MINIMAL, &[variable]).map_err(|error| error.to_string())?;
        Ok::<_, String>(
            settings.jobs["idmelon"]
                .target
                .least_gap
                .map(|gap| gap.as_millis()),
        )
    };
    for (rate, gap) in [("50", 20), ("0.5", 2000), ("10000", 0)] {
        assert_eq!(with(rate), Ok(Some(gap)), "{rate}");
    }
    for wrong in ["0", "-1", "10001", "0.001"] {
        assert!(
            with(wrong)
                .unwrap_err()
                .contains("must be between 0.01 and 10000"),
            "{wrong}"
        );
    }
    assert!(with("fast").unwrap_err().contains("must be a number"));
}

#[test]
fn every_key_can_be_overridden_by_a_variable() {
    let settings = parse(
        MINIMAL,
        &[
            ("MELONSYNC__JOBS__IDMELON__MODE", "enforce"),
            ("MELONSYNC__JOBS__IDMELON__TARGET__MAX_CONCURRENCY", "4"),
            (
                "MELONSYNC__JOBS__IDMELON__PROVISIONING__PROTECT",
                "[\"a\", \"b\"]",
            ),
            (
                "MELONSYNC__JOBS__IDMELON__PROVISIONING__DELETION_THRESHOLD__COUNT",
                "7",
            ),
            ("MELONSYNC__JOBS__IDMELON__SCHEDULE", ""),
            ("MELONSYNC__STATE__PATH", "123"),
            ("MELONSYNC_OTHER", "x"),
        ],
    )
    .unwrap();
    let job = &settings.jobs["idmelon"];
    assert_eq!(job.mode, Mode::Enforce);
    assert_eq!(job.target.max_concurrency, 4);
    assert_eq!(job.provisioning.policy.protect, ["a", "b"]);
    assert_eq!(job.provisioning.policy.deletion_threshold, Threshold::count(7));
    assert_eq!(job.schedule, None);
    assert_eq!(settings.state.path, std::path::Path::new("123"));
}

#[test]
fn incremental_cycles_can_choose_their_own_beat_and_full_ones_cannot() {
    let auto = |key| parse(MINIMAL, &[(key, "auto")]);
    let settings = auto("MELONSYNC__JOBS__IDMELON__SCHEDULE").unwrap();
    assert_eq!(
        settings.jobs["idmelon"].schedule,
        Some(super::schedule::Beat::Auto)
    );
    assert!(auto("MELONSYNC__JOBS__IDMELON__FULL_SCHEDULE").is_err());
}

#[test]
fn a_bad_override_is_reported_under_its_variable() {
    let error = parse(
        MINIMAL,
        &[("MELONSYNC__JOBS__IDMELON__MOOD", "x"), ("MELONSYNC____", "x")],
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("environment variable MELONSYNC__JOBS__IDMELON__MOOD: unknown key"),
        "{text}"
    );
    assert!(
        text.contains("environment variable MELONSYNC____: an override that names no key"),
        "{text}"
    );
}

#[test]
fn a_bad_filter_is_shown_with_its_text_and_every_problem_in_it() {
    let with = |lines: &str| MINIMAL.replace("credential.", &format!("{lines}\ncredential."));
    let filter = "user_filter = 'departement EQUALS \"IT\" AND cty IS NULL'\ngroup_filter = \"memberOf EQUALS \\\"x\\\"\"\nguests = \"some\"";
    let error = parse(&with(filter), &[]).unwrap_err();
    let shown: Vec<String> = error
        .0
        .iter()
        .map(|problem| format!("{}\n{}", problem.what, problem.place))
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"));
    let by_variable = parse(
        MINIMAL,
        &[("MELONSYNC__JOBS__IDMELON__SOURCE__USER_FILTER", "city IS NIL")],
    )
    .unwrap_err();
    assert!(
        by_variable
            .to_string()
            .contains("USER_FILTER: `jobs.idmelon.source.user_filter`: no operator"),
        "{by_variable}"
    );
}

#[test]
fn a_secret_is_never_in_debug() {
    let env = [("MELONSYNC__JOBS__IDMELON__TARGET__TOKEN", "hunter2")];
    let settings = parse(MINIMAL, &env).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn durations_and_thresholds_have_their_forms() {
    for (text, seconds) in [
        ("30s", Some(30)),
        ("5m", Some(300)),
        ("24h", Some(86_400)),
        ("400d", Some(34_560_000)),
    ] {
        assert_eq!(parse_duration(text), seconds.map(Duration::from_secs), "{text}");
    }
    for text in [
        "",
        "s",
        "5",
        "-5m",
        "5 m",
        "1.5h",
        "5w",
        "5µ",
        "99999999999999999999d",
    ] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
    for (text, count, percent) in [
        ("500", Some(500), None),
        ("\"5%\"", None, Some(5.0)),
        ("\"2.5 %\"", None, Some(2.5)),
        ("{ count = 9, percent = 1.5 }", Some(9), Some(1.5)),
    ] {
        let text = format!("{MINIMAL}[jobs.idmelon.provisioning]\ndeletion_threshold = {text}\n");
        let settings = parse(&text, &[]).unwrap();
        assert_eq!(
            settings.jobs["idmelon"].provisioning.policy.deletion_threshold,
            Threshold { count, percent }
        );
    }
    for text in [
        "-1",
        "\"5\"",
        "\"-5%\"",
        "\"x%\"",
        "true",
        "{}",
        "{ count = -1 }",
        "{ percent = 101 }",
        "\"nan%\"",
    ] {
        let text = format!("{MINIMAL}[jobs.idmelon.provisioning]\ndeletion_threshold = {text}\n");
        assert_eq!(parse(&text, &[]).unwrap_err().0.len(), 1, "{text}");
    }
}

#[test]
fn the_assigned_scope_needs_the_enterprise_application() {
    let source = "[jobs.idmelon.source]";
    let with = |keys: &str| {
        let text = MINIMAL.replacen(source, &format!("{source}\n{keys}"), 1);
        parse(&text, &[])
    };
    let problem = |keys: &str| with(keys).unwrap_err().to_string();
    let missing = problem("scope = \"assigned\"");
    assert!(
        missing.contains("`jobs.idmelon.source.service_principal_id` is missing"),
        "{missing}"
    );
    let wrong = problem("service_principal_id = \"IDmelon\"");
    assert!(wrong.contains("is not a GUID"), "{wrong}");
    let id = "6f1c8d1e-0000-4000-8000-000000000001";
    let settings = with(&format!("scope = \"assigned\"\nservice_principal_id = \"{id}\"")).unwrap();
    let found = &settings.jobs["idmelon"].source;
    assert_eq!(found.scope, super::source::Scope::Assigned);
    assert_eq!(found.service_principal_id.unwrap().to_string(), id);
    // Without the scope it serves app roles.
    assert!(with(&format!("service_principal_id = \"{id}\"")).is_ok());
}

#[test]
fn nested_groups_have_their_forms() {
    let read = |value: &str| {
        let source = "[jobs.idmelon.source]";
        let text = MINIMAL.replacen(source, &format!("{source}\nnested_groups = {value}"), 1);
        parse(&text, &[]).map(|settings| settings.jobs["idmelon"].source.nesting)
    };
    for (value, scope, members) in [
        ("\"ignore\"", false, false),
        ("\"flatten\"", true, true),
        ("{ scope = \"transitive\", members = \"flatten\" }", true, true),
        ("{ scope = \"transitive\" }", true, false),
        ("{ members = \"flatten\" }", false, true),
        ("{ scope = \"direct\", members = \"ignore\" }", false, false),
    ] {
        assert_eq!(read(value).unwrap(), Nesting { scope, members }, "{value}");
    }
    for value in ["\"flat\"", "true", "{ scope = \"flatten\" }", "{ depth = 3 }"] {
        assert_eq!(read(value).unwrap_err().0.len(), 1, "{value}");
    }
}

#[test]
fn the_fingerprint_follows_the_policy_and_not_the_schedule() {
    let of = |env: &[(&str, &str)]| {
        let settings = parse(MINIMAL, env).unwrap();
        let job = &settings.jobs["idmelon"];
        (job.scope_fingerprint(), job.policy_fingerprint())
    };
    let plain = of(&[]);
    assert_eq!(
        plain,
        of(&[("MELONSYNC__JOBS__IDMELON__SCHEDULE", "0 0 1 * * *")])
    );
    assert_ne!(
        plain,
        of(&[("MELONSYNC__JOBS__IDMELON__PROVISIONING__CREATE", "false")])
    );
    assert_ne!(
        plain,
        of(&[("MELONSYNC__JOBS__IDMELON__SOURCE__GROUPS", "false")])
    );
    let filtered = |text| of(&[("MELONSYNC__JOBS__IDMELON__SOURCE__USER_FILTER", text)]);
    assert_ne!(plain, filtered("city IS NULL"));
    assert_eq!(filtered("city IS NULL"), filtered("  city  is  null"));
    assert_ne!(
        plain,
        of(&[("MELONSYNC__JOBS__IDMELON__SOURCE__GUESTS", "exclude")])
    );
}

#[test]
fn an_address_that_gets_our_tokens_is_encrypted_and_holds_nothing_else() {
    for key in ["TARGET__URL", "SOURCE__GRAPH_URL", "SOURCE__LOGIN_URL"] {
        let with = |address: &str| {
            let name = format!("MELONSYNC__JOBS__IDMELON__{key}");
            parse(MINIMAL, &[(&name, address)]).map_err(|error| error.to_string())
        };
        for good in [
            "https://scim.example/v2",
            "http://127.0.0.1:8080/v2",
            "http://[::1]:8080/v2",
            "http://localhost:8080/v2",
        ] {
            assert!(with(good).is_ok(), "{key}: {good}");
        }
        for (bad, said) in [
            ("http://scim.example/v2", "without encryption"),
            ("http://127.0.0.1.scim.example/v2", "without encryption"),
            ("http://localhost.scim.example/v2", "without encryption"),
            ("http://10.0.0.7/v2", "without encryption"),
            ("https://admin:hunter2@scim.example/v2", "a password in it"),
            ("https://admin@scim.example/v2", "a password in it"),
            ("https://:hunter2@scim.example/v2", "a password in it"),
            ("https://scim.example/v2?tenant=1", "`?` or `#`"),
            ("https://scim.example/v2#here", "`?` or `#`"),
            ("ftp://scim.example/v2", "no http or https address"),
            ("scim.example/v2", "is not an address"),
        ] {
            let error = with(bad).unwrap_err();
            assert!(error.contains(said), "{key}: {bad}: {error}");
            assert!(!error.contains("hunter2"), "{key}: {error}");
        }
    }
}
