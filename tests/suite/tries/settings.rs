//! What is wrong in the settings, and what its hint says to write.

use std::fs;

use crate::cli_output::world::World;

/// A name, what stands in the config, what is wrong in its place, the hint, and what the hint leads to.
type Case<'t> = (&'t str, &'t str, &'t str, &'t str, &'t str);

const MODE: &str = "mode = \"enforce\"";
const SOURCE: &str = "[jobs.idmelon.source]\n";
const TOKEN: &str = "{ env = \"IDMELON_SCIM_TOKEN\" }";

const CASES: &[Case<'_>] = &[
    (
        "a key that is missing",
        "token = { env = \"IDMELON_SCIM_TOKEN\" }",
        "",
        "add `token = { env = \"IDMELON_SCIM_TOKEN\" }` to [jobs.idmelon.target]",
        "token = { env = \"IDMELON_SCIM_TOKEN\" }",
    ),
    (
        "a key that is far from all others",
        MODE,
        "mode = \"enforce\"\nzzzzzzzzz = 1",
        "take it out; known here: ",
        MODE,
    ),
    (
        "a word that is far from all others",
        MODE,
        "mode = \"xxxxxxxxxxxx\"",
        "write one of \"observe\", \"enforce\"",
        MODE,
    ),
    (
        "no TOML",
        MODE,
        "mode = enforce",
        "correct the line; https://toml.io",
        MODE,
    ),
    (
        "a job's name with a blank",
        "[jobs.idmelon]",
        "[jobs.\"the job\"]\nenabled = true\n[jobs.idmelon]",
        "use letters, digits, `-` and single `_`",
        "[jobs.idmelon]",
    ),
    (
        "a weekday by number",
        MODE,
        "mode = \"enforce\"\nfull_schedule = \"0 0 3 * * 7\"",
        "write MON, TUE, WED, THU, FRI, SAT or SUN",
        "mode = \"enforce\"\nfull_schedule = \"0 0 3 * * SUN\"",
    ),
    (
        "a day that never comes",
        MODE,
        "mode = \"enforce\"\nfull_schedule = \"0 0 3 30 2 *\"",
        "name a day that exists",
        "mode = \"enforce\"\nfull_schedule = \"0 0 3 28 2 *\"",
    ),
    (
        "a secret in plain text",
        TOKEN,
        "\"hunter2-token\"",
        "write { env = \"IDMELON_SCIM_TOKEN\" } or { file = ",
        TOKEN,
    ),
    (
        "a secret in the place of its variable's name",
        TOKEN,
        "{ env = \"hunter2ABCDEFabcdef0123456789\" }",
        "`env` names the variable that holds the secret, such as IDMELON_SCIM_TOKEN",
        TOKEN,
    ),
    (
        "a file that is no secret",
        TOKEN,
        "{ file = \"large\" }",
        "name the file that holds the secret, and nothing else",
        "{ file = \"token\" }",
    ),
    (
        "a token of two lines",
        TOKEN,
        "{ file = \"lines\" }",
        "correct `jobs.idmelon.target.token`",
        "{ file = \"token\" }",
    ),
    (
        "nested groups in a word of its own",
        SOURCE,
        "[jobs.idmelon.source]\nnested_groups = \"both\"\n",
        "write \"ignore\", \"flatten\", or { scope = \"transitive\"",
        "[jobs.idmelon.source]\nnested_groups = \"flatten\"\n",
    ),
    (
        "a filter that cannot be read",
        SOURCE,
        "[jobs.idmelon.source]\nuser_filter = 'department EQUALZ \"Sales\"'\n",
        "correct the filter: docs/operations/scope.md lists its operators; without the key every object is in scope",
        "[jobs.idmelon.source]\nuser_filter = 'department EQUALS \"Sales\"'\n",
    ),
    (
        "a filter that cannot be read, taken out",
        SOURCE,
        "[jobs.idmelon.source]\ngroup_filter = 'displayName'\n",
        "without the key every object is in scope",
        SOURCE,
    ),
    (
        "a drift policy for what is not sent",
        SOURCE,
        "[jobs.idmelon.provisioning]\ndrift = { default = \"report\", costCenter = \"heal\" }\n\n[jobs.idmelon.source]\n",
        "name a target path as `melonsync mapping show` prints it",
        "[jobs.idmelon.provisioning]\ndrift = { default = \"report\", title = \"heal\" }\n\n[jobs.idmelon.source]\n",
    ),
    (
        "a property that is written back and decides who is in scope",
        SOURCE,
        "[jobs.idmelon.writeback]\nattributes = { title = \"jobTitle\" }\ncredential = { client_id = \"6f1c8d1e-0000-4000-8000-000000000002\", client_secret = { env = \"IDMELON_SCIM_TOKEN\" } }\n\n[jobs.idmelon.source]\nuser_filter = 'jobTitle IS NOT NULL'\n",
        "take one of the two out: nothing was read or written",
        "[jobs.idmelon.writeback]\nattributes = { title = \"jobTitle\" }\ncredential = { client_id = \"6f1c8d1e-0000-4000-8000-000000000002\", client_secret = { env = \"IDMELON_SCIM_TOKEN\" } }\n\n[jobs.idmelon.source]\nuser_filter = 'department IS NOT NULL'\n",
    ),
    (
        "a file of certificates that holds none",
        SOURCE,
        "[jobs.idmelon.source]\nnetwork.ca_file = \"large\"\n",
        "correct `jobs.idmelon.source.network.ca_file`",
        SOURCE,
    ),
    (
        "and at the other side",
        TOKEN,
        "{ env = \"IDMELON_SCIM_TOKEN\" }\nnetwork.ca_file = \"token\"\n",
        "correct `jobs.idmelon.target.network.ca_file`",
        TOKEN,
    ),
];

/// Each case refuses the config with its hint, and what the hint says is taken.
#[test]
fn what_is_wrong_in_the_settings_is_put_right_by_its_hint() {
    let world = World::new(2, 1);
    fs::write(world.path("large"), vec![b'x'; (64 << 10) + 1]).unwrap();
    fs::write(world.path("token"), world.workspace.token()).unwrap();
    fs::write(world.path("lines"), "a token\nand a line").unwrap();
    let mut wrong = Vec::new();
    for (name, from, bad, hint, good) in CASES {
        world.change(from, bad);
        let ran = world.run(&["plan"]);
        if ran.code != Some(2) || !ran.err.contains(hint) {
            wrong.push(format!("{name}: no \"{hint}\" in {ran:?}"));
        }
        assert!(!ran.err.contains("hunter2"), "{name}: {}", ran.err);
        world.change(from, good);
        let ran = world.run(&["plan"]);
        if ran.code != Some(0) {
            wrong.push(format!("{name}: {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.write(&world.config());
    world.converges();
}

#[test]
fn a_file_without_a_secret_gets_one() {
    let world = World::new(2, 1);
    fs::write(world.path("token"), "\n").unwrap();
    world.change(TOKEN, "{ file = \"token\" }");
    let said = world.run(&["plan"]).exits(2).err;
    assert!(said.contains("write the secret into token"), "{said}");
    fs::write(world.path("token"), world.workspace.token()).unwrap();
    world.converges();
}

#[test]
fn a_variable_that_overrides_no_key_is_named_by_the_keys_path() {
    let world = World::new(2, 1);
    let said = world
        .run_with("MELONSYNC__JOBS____MODE", "observe", &["sync"])
        .exits(2)
        .err;
    let hint = "write MELONSYNC__ and the key's path joined by `__`, as in MELONSYNC__STATE__PATH";
    assert!(said.contains(hint), "{said}");
    let right = ("MELONSYNC__STATE__PATH", "there");
    world.run_with(right.0, right.1, &["sync"]).exits(0);
    assert!(world.path("there").is_dir());
}

/// A proxy that a variable names: the variable is said, and set right.
#[test]
fn a_variable_that_names_no_proxy_is_corrected() {
    let world = World::new(2, 1);
    world.change(&world.scim.url, "https://scim.invalid");
    let said = world
        .run_with("HTTPS_PROXY", "http://[hunter2", &["check"])
        .exits(1);
    let text = format!("{}{}", said.out, said.err);
    assert!(text.contains("correct the variable HTTPS_PROXY"), "{text}");
    world.write(&world.config());
    world
        .run_with("HTTPS_PROXY", "http://proxy:3128", &["check"])
        .exits(0);
}
