//! Laws that hold for every expression and every text.

use proptest::prelude::*;

use crate::mapping::ast::{Expr, NameSpan, Node};
use crate::mapping::diagnostic::Span;
use crate::mapping::functions::{FUNCTIONS, Type};
use crate::mapping::parse::parse;
use crate::mapping::token::Comparison;
use crate::mapping::{Context, Expression, Names, Pattern, TargetPath, read_path, same};
use crate::model::clock::Timestamp;
use crate::model::value::Value;

fn expr(node: Node) -> Expr {
    Expr {
        node,
        span: Span::default(),
    }
}

fn leaf() -> impl Strategy<Value = Expr> {
    prop_oneof![
        // Any name between brackets, without what would end it and without blanks at its ends.
        "[^\\[\\](),\"\n\\p{White_Space}]([^\\[\\](),\"\n]{0,10}[^\\[\\](),\"\n\\p{White_Space}])?"
            .prop_map(|name| expr(Node::Attribute(name))),
        any::<String>().prop_map(|text| expr(Node::Text(text))),
        any::<i64>().prop_map(|number| expr(Node::Number(number))),
        "[\\p{Alphabetic}_][\\p{Alphabetic}0-9_.]{0,8}".prop_map(|word| expr(Node::Word(word))),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    prop::sample::select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual])
}

fn call(name: String, arguments: Vec<Option<Expr>>) -> Expr {
    // A single argument that is left out is written as no argument at all.
    let arguments = if arguments == [None] {
        Vec::new()
    } else {
        arguments
    };
    expr(Node::Call {
        name,
        name_span: NameSpan::default(),
        arguments,
    })
}

fn value() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(5, 40, 5, |inner| {
        let compared = (inner.clone(), comparison(), inner.clone()).prop_map(|(left, comparison, right)| {
            expr(Node::Compare {
                left: Box::new(left),
                comparison,
                right: Box::new(right),
            })
        });
        let argument = prop_oneof![4 => inner, 1 => compared];
        let arguments = prop::collection::vec(prop::option::of(argument), 0..5);
        ("[A-Z][a-zA-Z]{0,8}", arguments).prop_map(|(name, arguments)| call(name, arguments))
    })
}

/// Generates text that looks like expressions: it reaches further into the parser than random characters.
fn expression_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "Switch(",
        "Join(",
        "IIF(",
        "Replace(",
        "Left(",
        "Not(",
        "Mid(",
        ")",
        ")",
        ",",
        ", ",
        "[a]",
        "[b]",
        "[mail]",
        "\"\"",
        "\"x\"",
        "\"\\\\d+\"",
        "\"(\"",
        "1",
        "-1",
        "9999999999999",
        "=",
        "<>",
        "&H",
        "\"",
        "[",
        "]",
        "\\",
        "ü",
        "\n",
        "vbTextCompare",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Generates expressions that pass every check of names, counts and types: a function, with arguments that its
/// parameters take.
fn well_formed() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "[a]",
        "[b]",
        "\"\"",
        "\"x\"",
        "\"d\"",
        "\"yyyy\"",
        "\",\"",
        "\"2021-06-30T01:45:30-07:00\"",
        "\"n\"",
        "0",
        "1",
        "-1",
        "3",
        "260",
        "9223372036854775807",
        "-9223372036854775808",
        "&H7F",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 32, 4, |inner| {
        let arguments = prop::collection::vec((inner, any::<u8>()), 8);
        (0..FUNCTIONS.len(), 0..3_usize, arguments).prop_map(|(function, more, arguments)| {
            let function = &FUNCTIONS[function];
            let count = function.parameters.len() + more * function.repeats;
            let mut written = Vec::new();
            for (index, (text, chance)) in arguments.iter().enumerate().take(count) {
                let fixed = function.parameters.len();
                let at = if index < fixed {
                    index
                } else {
                    fixed - function.repeats + (index - fixed) % function.repeats
                };
                let parameter = &function.parameters[at];
                written.push(match parameter.takes {
                    _ if !parameter.required && chance % 3 == 0 => String::new(),
                    Type::Pattern => {
                        ["\"(?<n>.)\"", "\"\\\\w*\"", "\"(a|b)*$\""][usize::from(chance % 3)].to_owned()
                    }
                    Type::Comparing => {
                        ["vbTextCompare", "vbBinaryCompare"][usize::from(chance % 2)].to_owned()
                    }
                    Type::Roles => "[appRoleAssignments]".to_owned(),
                    Type::Truth if chance % 2 == 0 => format!("{text} <= [b]"),
                    _ => text.clone(),
                });
            }
            format!("{}({})", function.name, written.join(", "))
        })
    })
}

/// Generates text that looks like patterns.
fn pattern_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b", ".", "*", "+", "?", "{2}", "{1,", "(", ")", "(?:", "(?<n>", "(?=", "(?<!", "(?>", "(?i)",
        "(?x)", "[", "]", "[^", "-[", "-", "\\", "\\d", "\\w", "\\1", "\\k<n>", "\\p{L}", "|", "^", "$", "#",
        " ", "é", "(?(n)", "\\x41",
    ]);
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn held() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map("value|type|primary|active|emails|name|[a-z]{1,4}", inner, 0..4)
                .prop_map(Value::Map),
        ]
    })
}

fn path() -> impl Strategy<Value = TargetPath> {
    prop::sample::select(vec![
        "userName",
        "active",
        "name.givenName",
        "emails[type eq \"work\"].value",
        "emails",
        "members",
        "x:y",
        "roles[primary eq \"True\"].value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
    ])
    .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn print_then_parse_is_the_same_expression(tree in value()) {
        let printed = tree.to_string();
        prop_assume!(printed.chars().count() <= 10_000);
        let again = parse(&printed).map_err(|e| TestCaseError::fail(format!("{printed}: {e:?}")))?;
        prop_assert_eq!(again, tree);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        if let Err(error) = Expression::parse(Names::Any, &text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_expression_and_no_value_makes_evaluation_panic(text in expression_like(), a in held(), b in held()) {
        match Expression::parse(Names::Any, &text) {
            Ok(expression) => {
                let _ = expression.evaluate(&|name| match name {
                    "a" => Some(a.clone()),
                    "b" => Some(b.clone()),
                    _ => None,
                });
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn every_function_ends_without_a_panic_and_gives_the_same_again(text in well_formed(), a in held(), b in held()) {
        let Ok(expression) = Expression::parse(Names::Any, &text) else { return Ok(()) };
        let context = Context::default().at(Timestamp(1_700_000_000_000));
        let value = || expression.evaluate_in(&context, &|name| match name {
            "a" => Some(a.clone()),
            "b" => Some(b.clone()),
            _ => Some(Value::Null),
        });
        prop_assert_eq!(value(), value());
        let again = Expression::parse(Names::Any, &expression.canonical());
        prop_assert_eq!(again.as_ref(), Ok(&expression));
    }

    #[test]
    fn no_text_makes_a_pattern_panic(text in pattern_like(), on in "[ab1é \n]{0,12}") {
        if let Ok(pattern) = Pattern::new(&text) {
            let _ = pattern.found(&on, |found| {
                let (start, end) = found.range();
                assert!(on.get(start..end).is_some(), "a match lies on characters");
                Ok(())
            });
        }
    }

    #[test]
    fn sameness_is_reflexive_and_symmetric(path in path(), a in held(), b in held()) {
        prop_assert!(same(&path, &a, &a));
        prop_assert_eq!(same(&path, &a, &b), same(&path, &b, &a));
    }

    #[test]
    fn no_resource_makes_reading_panic(path in path(), resource in held(), shape in held()) {
        let mut json = resource.to_json();
        if let Some(map) = json.as_object_mut() {
            for key in ["userName", "name", "emails", "members", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] {
                map.insert(key.to_owned(), shape.to_json());
            }
        }
        let _ = read_path(&json, &path);
    }

    #[test]
    fn no_text_makes_a_path_panic(text in any::<String>()) {
        let _ = text.parse::<TargetPath>();
    }

    #[test]
    fn no_text_makes_the_file_reader_panic(text in "(\\[\\[user\\]\\]\n|\\[\\[group\\]\\]\n|target|source|matching| = |\"|'|\\[mail\\]|userName|\n|1|\\{|\\}){0,30}") {
        let _ = crate::mapping::Mapping::from_toml("x.toml", &text);
    }
}
