//! Every documented example (entra-docs, `functions-for-customizing-application-data.md` and
//! `customize-application-attributes.md`), and a few rules of their text. `examples.json` contains them; where the
//! documentation contradicts itself, `reading` records which reading was taken and why.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::mapping::functions::{FUNCTIONS, REFUSED};
use crate::mapping::{Context, Expression, Names, Seed, Stop, text_of};
use crate::model::clock::Timestamp;
use crate::model::value::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    id: String,
    expression: String,
    inputs: BTreeMap<String, serde_json::Value>,
    check: String,
    expected: serde_json::Value,
    reading: Option<String>,
}

fn examples() -> Vec<Example> {
    serde_json::from_str(include_str!("examples.json")).unwrap()
}

/// 2 July 2021, 3:33:38 PM: the documentation's own sample of `Now`.
const NOW: Timestamp = Timestamp(1_625_240_018_000);

fn value(example: &Example) -> Result<Value, Stop> {
    let expression = Expression::parse(Names::Any, &example.expression)
        .unwrap_or_else(|error| panic!("{}: {error}", example.id));
    let context = Context {
        seed: Seed([7; 32]),
        ..Context::default().at(NOW)
    };
    expression.evaluate_in(&context, &|name| {
        Some(example.inputs.get(name).map_or(Value::Null, Value::from_json))
    })
}

/// Returns lists and objects as they are, anything else as Entra prints it.
fn printed(value: &Value) -> serde_json::Value {
    match value {
        Value::List(_) => value.to_json(),
        one => text_of(one).unwrap().into_owned().into(),
    }
}

#[test]
fn documented_examples_give_what_the_documentation_says() {
    for example in examples() {
        let id = &example.id;
        let given = || printed(&value(&example).unwrap_or_else(|stop| panic!("{id}: {stop:?}")));
        match example.check.as_str() {
            "exact" => assert_eq!(given(), example.expected, "{id}"),
            "regex" => {
                let pattern = fancy_regex::Regex::new(example.expected.as_str().unwrap()).unwrap();
                let given = given();
                assert!(
                    pattern.is_match(given.as_str().unwrap()).unwrap(),
                    "{id}: {given}"
                );
            }
            "flow" => assert_eq!(value(&example), Err(Stop::NoFlow), "{id}"),
            "refused" => {
                let shown = Expression::parse(Names::Any, &example.expression)
                    .unwrap_err()
                    .to_string();
                assert!(shown.contains("Active Directory"), "{id}: {shown}");
            }
            // The tests below cover what can be checked of these without knowing the value.
            "clock" | "syntax" | "random" => drop(value(&example)),
            other => panic!("{id}: no check `{other}`"),
        }
        assert!(
            example.reading.is_none_or(|reading| reading.ends_with('.')),
            "{id}"
        );
    }
}

#[test]
fn every_function_has_a_documented_example_or_a_test_of_its_own() {
    let examples = examples();
    // No example is documented for these; rules.rs tests them.
    let without = [
        "Count",
        "IsString",
        "StripSpaces",
        "ToUpper",
        "Prepend",
        "IsNothing",
        "DefaultDomain",
        "AppRoleAssignments",
    ];
    for name in FUNCTIONS
        .iter()
        .map(|f| f.name)
        .chain(REFUSED.iter().map(|(name, _)| *name))
    {
        let call = format!("{name}(");
        let shown = examples.iter().any(|example| example.expression.contains(&call));
        assert!(shown || without.contains(&name), "{name}");
    }
    assert_eq!(FUNCTIONS.len() + REFUSED.len(), 48);
}

#[test]
fn an_account_is_on_only_from_five_days_before_the_first_day() {
    let [example] = &examples()
        .into_iter()
        .filter(|example| example.id == "datediff-10")
        .collect::<Vec<_>>()[..]
    else {
        panic!("the example is there once")
    };
    for (hired, expected) in [
        ("2021-07-30", "False"),
        ("2021-07-07", "True"),
        ("2020-01-01", "True"),
    ] {
        let mut inputs = example.inputs.clone();
        inputs.insert("StatusHireDate".to_owned(), hired.into());
        let example = Example {
            id: hired.to_owned(),
            expression: example.expression.clone(),
            inputs,
            check: String::new(),
            expected: expected.into(),
            reading: None,
        };
        assert_eq!(value(&example), Ok(expected.into()), "{hired}");
    }
}
