//! Laws of delta pages: whatever arrives, a page is read whole or refused; a part of one, or one with a byte changed, never
//! passes for an empty directory. The fuzz target `delta_page` checks the same law on any bytes.

#[path = "../../fuzz/delta_law.rs"]
mod delta_law;

use melonsync::model::id::ObjectKind;
use proptest::prelude::*;

use delta_law::check;

const PAGE: &str = r##"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users","value":[
 {"id":"6f1c8d1e-0000-4000-8000-000000000001","displayName":"Ada K","accountEnabled":true,"jobTitle":null,
  "manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"6f1c8d1e-0000-4000-8000-000000000002"}]},
 {"id":"6f1c8d1e-0000-4000-8000-000000000003","@removed":{"reason":"changed"}},
 {"id":"90000000-0000-4000-8000-00000000000a","displayName":"Badge users","members@delta":[
  {"@odata.type":"#microsoft.graph.user","id":"6f1c8d1e-0000-4000-8000-000000000001"},
  {"@odata.type":"#microsoft.graph.user","id":"6f1c8d1e-0000-4000-8000-000000000003","@removed":{"reason":"deleted"}}]}],
 "@odata.deltaLink":"https://graph.microsoft.com/v1.0/users/delta?$deltatoken=BBB"}"##;

fn kind() -> impl Strategy<Value = ObjectKind> {
    prop_oneof![Just(ObjectKind::User), Just(ObjectKind::Group)]
}

/// JSON that looks like a page here and there.
fn pages() -> impl Strategy<Value = String> {
    let id = prop_oneof![
        Just("\"6f1c8d1e-0000-4000-8000-000000000001\"".to_owned()),
        Just("\"no id\"".to_owned()),
        Just("7".to_owned()),
    ];
    let key = prop::sample::select(vec![
        "id",
        "@removed",
        "members@delta",
        "manager@delta",
        "members",
        "displayName",
        "x@odata.type",
        "value",
        "@odata.nextLink",
        "@odata.deltaLink",
    ]);
    let leaf = prop_oneof![
        id,
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("true".to_owned()),
        Just("1e999".to_owned()),
        Just("\"https://graph.microsoft.com/x\"".to_owned()),
        Just("{\"reason\":\"deleted\"}".to_owned()),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let pair = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(pair, 0..6).prop_map(|pairs| format!("{{{}}}", pairs.join(","))),
        ]
    })
}

#[test]
fn a_page_that_breaks_off_anywhere_is_refused() {
    assert!(check(ObjectKind::User, PAGE.as_bytes()));
    for end in 0..PAGE.len() {
        assert!(
            !check(ObjectKind::User, &PAGE.as_bytes()[..end]),
            "it breaks off at {end}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_bytes_are_read_whole_or_refused(kind in kind(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(kind, &bytes);
    }

    #[test]
    fn whatever_looks_like_a_page_is_read_whole_or_refused(kind in kind(), page in pages()) {
        check(kind, page.as_bytes());
    }

    #[test]
    fn a_page_with_changed_bytes_is_read_whole_or_refused(
        kind in kind(),
        changes in prop::collection::vec((0..PAGE.len(), any::<u8>()), 1..4),
    ) {
        let mut bytes = PAGE.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        check(kind, &bytes);
    }
}
