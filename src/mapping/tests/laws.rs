//! Laws that hold for every expression and every text.

use proptest::prelude::*;

use crate::mapping::ast::{Expr, NameSpan, Node};
use crate::mapping::diagnostic::Span;
use crate::mapping::parse::parse;
use crate::mapping::token::Comparison;
use crate::mapping::{Expression, Names, TargetPath, read_path, same};
use crate::model::value::Value;

fn expr(node: Node) -> Expr {
    Expr {
        node,
        span: Span::default(),
    }
}

fn leaf() -> impl Strategy<Value = Expr> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9_. -]{0,10}[a-zA-Z0-9]".prop_map(|name| expr(Node::Attribute(name))),
        any::<String>().prop_map(|text| expr(Node::Text(text))),
        any::<i64>().prop_map(|number| expr(Node::Number(number))),
        "[a-zA-Z_][a-zA-Z0-9_]{0,8}".prop_map(|word| expr(Node::Word(word))),
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

/// Text that looks like expressions: it reaches further into the parser than random characters.
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
