//! What must hold of any delta page, whatever its bytes: it is read whole or refused, nothing is invented, and what is not
//! an empty page never passes for one. Used by the fuzz target `delta_page` and by the tests of the suite.

use melonsync::entra::page;
use melonsync::model::id::ObjectKind;
use melonsync::model::object::DeltaObject;
use melonsync::ports::DeltaPage;
use melonsync::ports::NextPage;
use serde_json::Value as Json;

/// Reads bytes as a page, and checks what comes of it against a second reading that knows nothing of the first. True
/// where it was taken for a page.
pub fn check(kind: ObjectKind, bytes: &[u8]) -> bool {
    let read = match page::read(kind, bytes) {
        Ok(read) => read,
        Err(why) => {
            assert!(!why.is_empty() && !why.contains('\n'), "not one line: {why:?}");
            return false;
        }
    };
    // What serde_json cannot hold as a tree (a number beyond all bounds) may stand where nobody looks.
    if let Ok(tree) = serde_json::from_slice::<Json>(bytes) {
        compare(&read, &tree);
    }
    true
}

fn compare(read: &DeltaPage, tree: &Json) {
    let value = tree["value"].as_array().expect("a page without `value` was read");
    assert_eq!(read.objects.len(), value.len(), "objects were lost or invented");
    let (next, delta) = (
        tree["@odata.nextLink"].as_str(),
        tree["@odata.deltaLink"].as_str(),
    );
    match &read.next {
        NextPage::More { next_link } => assert_eq!((next, delta), (Some(next_link.as_str()), None)),
        NextPage::Complete { delta_link } => assert_eq!((next, delta), (None, Some(delta_link.as_str()))),
    }
    for (object, tree) in read.objects.iter().zip(value) {
        compare_object(object, tree);
    }
}

fn compare_object(object: &DeltaObject, tree: &Json) {
    let id = |tree: &Json| tree["id"].as_str().unwrap_or_default().parse().ok();
    assert_eq!(Some(object.id), id(tree), "an object got another id");
    assert_eq!(
        object.removed.is_some(),
        !tree["@removed"].is_null(),
        "a removal was lost or invented"
    );
    for (name, references) in [
        ("manager@delta", &object.manager),
        ("members@delta", &object.members),
    ] {
        let there = tree[name].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(
            references.len(),
            there.len(),
            "references of {name} were lost or invented"
        );
        for (reference, tree) in references.iter().zip(there) {
            assert_eq!(Some(reference.id), id(tree), "a reference got another id");
        }
    }
    for (name, value) in object.attributes.iter() {
        let held = tree.get(name.as_str());
        assert!(held.is_some(), "the property {name} was invented");
        assert_eq!(
            value.is_null(),
            held == Some(&Json::Null),
            "{name} is null, or is not"
        );
    }
}
