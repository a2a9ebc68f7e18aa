//! Objects looked up by what people call them.

use crate::model::id::ObjectKind::{Group, User};
use crate::model::value::Value;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::named::NotOne;

use super::world::*;

#[test]
fn the_beginning_of_an_id_names_an_object_where_nothing_has_that_name() {
    let snapshot = open(&MemoryStore::new());
    let beef = user(
        0x1234,
        &[("displayName", Value::text("00000000-0000-0000-0000-0000000056"))],
    );
    let objects = vec![beef, user(0x5678, &[]), user(0x567a, &[])];
    full_round(&snapshot, User, objects);
    let look = |name: &str| snapshot.one_named(&[User, Group], &[name.to_owned()]).unwrap();
    let one = |name: &str| look(name).unwrap()[0].id;
    assert_eq!(one(&id(0x5678).to_string()[..36]), id(0x5678));
    assert_eq!(one("00000000-0000-0000-0000-00000000567A"), id(0x567a));
    assert_eq!(one("00000000-0000-0000-0000-000000001"), id(0x1234));
    assert_eq!(
        one("00000000-0000-0000-0000-0000000056"),
        id(0x1234),
        "a name goes before a beginning"
    );
    assert!(
        matches!(look("00000000-0000-0000-0000-00000000567"), Err(NotOne::Several { found, .. }) if found.len() == 2)
    );
    assert!(
        matches!(look("000"), Err(NotOne::Nothing { .. })),
        "too short to mean one"
    );
    assert!(matches!(look("0000x"), Err(NotOne::Nothing { .. })));
}
