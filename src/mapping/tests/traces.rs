//! A trace shows the evaluation itself: what it read, in which order, and nothing that the result did not need.

use super::object;
use crate::mapping::Context;
use crate::mapping::DesiredValue;
use crate::mapping::Facts;
use crate::mapping::Mapping;
use crate::mapping::Stop;
use crate::mapping::desired_in;
use crate::mapping::trace::Traced;
use crate::mapping::trace::trace;
use crate::model::id::ObjectKind;
use crate::model::value::Value;

fn mapping(expression: &str) -> Mapping {
    let text = format!("[[user]]\ntarget = 'userName'\nsource = '{expression}'\nmatching = 1\n");
    Mapping::from_toml("trace", &text).unwrap()
}

fn pairs(list: &[Traced]) -> Vec<(&str, String)> {
    list.iter()
        .map(|traced| {
            let said = match &traced.result {
                Ok(value) => value.to_string(),
                Err(Stop::Unknown(property)) => format!("unread {property}"),
                Err(other) => format!("{other:?}"),
            };
            (traced.expression.as_str(), said)
        })
        .collect()
}

#[test]
fn every_part_is_shown_with_its_result_inner_ones_first() {
    let ada = object(
        ObjectKind::User,
        &[
            ("givenName", "Ada".into()),
            ("surname", "King".into()),
            ("mail", Value::Null),
        ],
    );
    let mapping =
        mapping(r#"IIF(IsNullOrEmpty([mail]) = "True", ToLower(Join(".", [givenName], [surname])), [mail])"#);
    let traced = trace(&Context::default(), &mapping.user[0], &ada, &Facts::default());
    assert_eq!(
        pairs(&traced.inputs),
        [
            ("[mail]", "null".to_owned()),
            ("[givenName]", "\"Ada\"".to_owned()),
            ("[surname]", "\"King\"".to_owned())
        ]
    );
    let steps = pairs(&traced.steps);
    assert_eq!(steps[0], ("IsNullOrEmpty([mail])", "true".to_owned()));
    assert_eq!(
        steps[2],
        (r#"Join(".", [givenName], [surname])"#, "\"Ada.King\"".to_owned())
    );
    assert_eq!(
        steps.last().unwrap(),
        &(
            mapping.user[0].source.step_text().as_str(),
            "\"ada.king\"".to_owned()
        )
    );
    assert_eq!(traced.desired, DesiredValue::Value("ada.king".into()));
}

#[test]
fn what_was_never_read_is_said_where_it_stopped_the_evaluation() {
    let mapping = mapping(r#"Append(StripSpaces([mail]), "x")"#);
    let nobody = object(ObjectKind::User, &[]);
    let traced = trace(&Context::default(), &mapping.user[0], &nobody, &Facts::default());
    assert_eq!(pairs(&traced.inputs), [("[mail]", "unread mail".to_owned())]);
    assert_eq!(
        traced.desired,
        DesiredValue::Unknown {
            missing: "mail".to_owned()
        }
    );
}

#[test]
fn a_trace_comes_to_what_a_cycle_comes_to() {
    let mapping = Mapping::preset("idmelon").unwrap();
    let properties = mapping.graph_properties(ObjectKind::User);
    let values: Vec<(&str, Value)> = properties
        .iter()
        .map(|name| (name.as_str(), "Ünïcode text".into()))
        .collect();
    for properties in [&values[..], &values[..4], &[]] {
        let user = object(ObjectKind::User, properties);
        let (context, facts) = (Context::default(), Facts::default());
        for (number, say) in desired_in(&context, &mapping, &user, &facts).attributes {
            let traced = trace(&context, &mapping.user[number], &user, &facts);
            assert_eq!(traced.desired, say, "{}", mapping.user[number].target);
        }
    }
}
