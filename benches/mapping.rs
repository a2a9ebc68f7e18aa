//! How much CPU time a hundred thousand users take through the 23 rows of the preset `idmelon@1`.
//!
//! `cargo run --release --example mapping` prints the seconds and fails over the limit. One thread, no I/O: the
//! time is that of `mapping::desired_in` alone, the dropping of its results included.

use melonsync::mapping::Context;
use melonsync::mapping::Facts;
use melonsync::mapping::Mapping;
use melonsync::mapping::desired_in;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::object::Life;
use melonsync::model::object::SourceObject;
use melonsync::model::value::Attributes;
use melonsync::model::value::Value;

/// Users evaluated.
const USERS: usize = 100_000;
/// Different ones among them: a whole directory in memory would measure the memory.
const DIFFERENT: usize = 1_000;
/// Seconds of CPU.
const LIMIT: f64 = 0.5;

fn user(number: usize, properties: &[String]) -> SourceObject {
    let text = |name: &str| Value::text(format!("{name} of user {number:06}"));
    let mut attributes: Attributes = properties.iter().map(|name| (name.clone(), text(name))).collect();
    attributes.insert(
        "accountEnabled".to_owned(),
        Value::Bool(!number.is_multiple_of(50)),
    );
    let upn = format!("user{number:06}@corp.example");
    attributes.insert("userPrincipalName".to_owned(), Value::text(upn));
    let phones = vec![Value::text(format!("+1 555 {number:07}"))];
    attributes.insert("businessPhones".to_owned(), Value::List(phones));
    // As in a real directory, some of it is empty.
    for name in ["faxNumber", "streetAddress", "postalCode"] {
        attributes.insert(name.to_owned(), Value::Null);
    }
    SourceObject {
        kind: ObjectKind::User,
        id: format!("00000000-0000-4000-8000-{number:012}")
            .parse()
            .expect("a GUID"),
        attributes,
        manager: None,
        life: Life::Alive,
        gone_since: None,
        generation: 1,
        manager_generation: 1,
    }
}

/// Seconds of CPU that this thread has had, by the kernel's count.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts CPU time");
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|field| field.parse::<f64>().ok());
    nanoseconds.expect("the first field is nanoseconds") / 1e9
}

#[allow(clippy::print_stdout, reason = "prints what it measured")]
fn main() -> std::process::ExitCode {
    let mapping = Mapping::preset("idmelon@1").expect("the preset is there");
    let properties: Vec<String> = mapping.graph_properties(ObjectKind::User).into_iter().collect();
    let users: Vec<SourceObject> = (0..DIFFERENT).map(|number| user(number, &properties)).collect();
    let context = Context::default().at(Timestamp(0));
    let mut best = f64::MAX;
    for _ in 0..3 {
        let before = cpu_seconds();
        let mut values = 0;
        for number in 0..USERS {
            let user = &users[number % DIFFERENT];
            let facts = Facts {
                soft_deleted: !user.account_enabled(),
            };
            values += desired_in(&context, &mapping, user, &facts).attributes.len();
        }
        let took = cpu_seconds() - before;
        println!(
            "{USERS} users, {} rows, {values} values: {took:.3} s of CPU",
            mapping.user.len()
        );
        best = best.min(took);
    }
    println!(
        "best {best:.3} s, limit {LIMIT} s: {}",
        if best <= LIMIT { "met" } else { "missed" }
    );
    std::process::ExitCode::from(u8::from(best > LIMIT))
}
