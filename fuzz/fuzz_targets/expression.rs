//! Any text as an expression, on any values: it is read or refused, printed and read again as the same, and evaluated
//! to an end, all without a panic.
//!
//! Input: the expression, then the values of `[a]`, `[b]`, …, separated by line feeds. A value that is JSON is taken as
//! such, anything else as a text.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "of the two folders, only the expressions are called"
)]

// The two pure folders by themselves, not the crate: the whole program takes ten minutes to build for this.
#[path = "../../src/mapping/mod.rs"]
mod mapping;
#[path = "../../src/model/mod.rs"]
mod model;

use libfuzzer_sys::fuzz_target;

use mapping::Context;
use mapping::Expression;
use mapping::Names;
use model::clock::Timestamp;
use model::value::Value;

fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(json) => Value::from_json(&json),
        Err(_) => Value::text(text),
    }
}

fuzz_target!(|input: &str| {
    let mut parts = input.split('\n');
    let text = parts.next().unwrap_or_default();
    let values: Vec<Value> = parts.take(4).map(value).collect();
    let expression = match Expression::parse(Names::Any, text) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let printed = expression.canonical();
    if printed.chars().count() <= mapping::parse::MAX_CHARACTERS {
        let again = Expression::parse(Names::Any, &printed).expect("what was printed is an expression");
        assert_eq!(again, expression);
    }
    let context = Context::default().at(Timestamp(1_700_000_000_000));
    let evaluate = || {
        expression.evaluate_in(&context, &|name| {
            let letter = name.bytes().next()?;
            values.get(usize::from(letter.wrapping_sub(b'a'))).cloned()
        })
    };
    assert_eq!(evaluate(), evaluate(), "an expression gives the same again");
});
