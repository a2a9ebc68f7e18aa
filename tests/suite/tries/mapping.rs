//! What is wrong in a mapping file, and what its hint says to write.

use std::fs;

use crate::cli_output::world::World;

const USERS: &str = r#"[[user]]
target = "userName"
source = "[userPrincipalName]"
matching = 1

[[user]]
target = "title"
source = '[jobTitle]'
"#;

const GROUPS: &str = r#"
[[group]]
target = "displayName"
source = "[displayName]"
matching = 1

[[group]]
target = "members"
source = "[members]"
"#;

const TITLE: &str = "source = '[jobTitle]'";

/// What stands in the mapping, what is wrong in its place, the hint, and what the hint leads to.
type Case<'t> = (&'t str, &'t str, &'t str, &'t str);

const CASES: &[Case<'_>] = &[
    (
        TITLE,
        "source = 'ToUpper'",
        "a function takes its arguments in brackets: ToUpper(…)",
        "source = 'ToUpper([jobTitle])'",
    ),
    (
        TITLE,
        "source = 'jobTitle'",
        "did you mean [jobTitle]?",
        "source = '[jobTitle]'",
    ),
    (
        TITLE,
        "source = 'Captain'",
        "write [Captain] for an attribute, \"Captain\" for a text",
        "source = '\"Captain\"'",
    ),
    (
        TITLE,
        "source = 'ToUpper([jobTitle]))'",
        "one closing bracket too many, or a value missing before it",
        "source = 'ToUpper([jobTitle])'",
    ),
    (
        TITLE,
        "source = '[jobTitle], [department]'",
        "a comma separates the arguments of a function",
        "source = 'Join(\", \", [jobTitle], [department])'",
    ),
    (
        TITLE,
        "source = '([jobTitle])'",
        "a bracket follows the name of a function",
        "source = 'ToUpper([jobTitle])'",
    ),
    (
        TITLE,
        "source = 'Join(\" \" [jobTitle], [department])'",
        "is a comma missing?",
        "source = 'Join(\" \", [jobTitle], [department])'",
    ),
    (
        GROUPS,
        "\n[group]\ntarget = \"displayName\"\nsource = \"[displayName]\"\nmatching = 1\n",
        "write [[group]] with two brackets: a mapping has many rows",
        "\n[[group]]\ntarget = \"displayName\"\nsource = \"[displayName]\"\nmatching = 1\n",
    ),
    (
        TITLE,
        "source = '[jobTitle]'\nzzzzzzzzz = 1",
        "a row has the keys ",
        TITLE,
    ),
    (
        "matching = 1\n\n[[user]]",
        "matching = 0\n\n[[user]]",
        "1 for the first matching attribute, 2 for the second",
        "matching = 1\n\n[[user]]",
    ),
    (
        "target = \"members\"",
        "target = \"description\"",
        "[members] goes to `members` and nothing else does",
        "target = \"members\"",
    ),
    (
        "target = \"title\"",
        "target = \"userName\"",
        "line 2 has it already",
        "target = \"title\"",
    ),
    (
        TITLE,
        "source = '[jobTitle]'\nmatching = 1",
        "`userName` has this precedence already",
        "source = '[jobTitle]'\nmatching = 2",
    ),
    (
        "matching = 1\n\n[[user]]",
        "\n[[user]]",
        "add `matching = 1` to the row of `userName`",
        "matching = 1\n\n[[user]]",
    ),
];

#[test]
fn what_is_wrong_in_a_mapping_is_put_right_by_its_hint() {
    let world = World::new(3, 1);
    let config = world.config();
    world.write(&format!(
        "{config}\n[jobs.idmelon.provisioning]\nmapping = \"own.toml\"\n"
    ));
    let whole = format!("{USERS}{GROUPS}");
    let map = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        fs::write(world.path("own.toml"), whole.replacen(from, to, 1)).unwrap();
        world.run(&["plan"])
    };
    let mut wrong = Vec::new();
    for (from, bad, hint, good) in CASES {
        let ran = map(from, bad);
        let said = ran.err.contains(hint) && ran.err.contains("correct the mapping file; nothing was read");
        if ran.code != Some(2) || !said {
            wrong.push(format!("no \"{hint}\" in {ran:?}"));
        }
        let ran = map(from, good);
        if ran.code != Some(0) {
            wrong.push(format!("after \"{hint}\": {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    map(USERS, USERS);
    world.run(&["sync"]).exits(0);
}
