//! The learner, step by step.

use super::*;
use crate::model::dialect::Booleans;
use crate::model::dialect::MemberRemoval;

const NOW: Timestamp = Timestamp(1_000);

fn witness(n: usize) -> Witness {
    Witness::named(&format!("object {n}"))
}

/// Reports the failure of one object: the form in force is refused with 400, and the first other form that is tried
/// works.
fn refused_and_helped(learned: &mut Learned, aspect: Aspect, n: usize) -> (Vec<usize>, Option<String>) {
    let used = learned.form(aspect);
    let others = learned.failed(aspect, used, &witness(n), Failing::Refused(400));
    let finding = others
        .first()
        .and_then(|form| learned.helped(aspect, *form, &witness(n), NOW));
    (others, finding)
}

#[test]
fn three_different_objects_teach_a_form_and_fewer_do_not() {
    let mut learned = Learned::default();
    for n in [1, 2, 1, 2] {
        assert_eq!(
            refused_and_helped(&mut learned, Aspect::Booleans, n),
            (vec![1], None)
        );
    }
    assert_eq!(learned.dialect().booleans, Booleans::Json);
    let (_, finding) = refused_and_helped(&mut learned, Aspect::Booleans, 3);
    let finding = finding.unwrap();
    assert!(
        finding.contains("booleans = \"string\"") && finding.contains("400 for 3 objects"),
        "{finding}"
    );
    assert_eq!(learned.dialect().booleans, Booleans::String);
    let text = serde_json::to_string(&learned).unwrap();
    let read: Learned = serde_json::from_str(&text).unwrap();
    assert_eq!(read, learned, "it survives the snapshot");
    assert!(!text.contains("object 1"), "objects are kept as digests: {text}");
}

#[test]
fn what_was_learned_goes_back_by_the_same_rule() {
    let mut learned = Learned::default();
    (1..=3).for_each(|n| drop(refused_and_helped(&mut learned, Aspect::OpCase, n)));
    assert_eq!(learned.form(Aspect::OpCase), 1);
    assert_eq!(
        refused_and_helped(&mut learned, Aspect::OpCase, 4),
        (vec![], None),
        "it worked: one may be odd"
    );
    learned.worked(Aspect::OpCase);
    for n in [5, 6] {
        assert_eq!(
            refused_and_helped(&mut learned, Aspect::OpCase, n),
            (vec![], None)
        );
    }
    assert_eq!(
        refused_and_helped(&mut learned, Aspect::OpCase, 7).0,
        [0],
        "three in a row are a habit"
    );
    learned.helped(Aspect::OpCase, 0, &witness(5), NOW);
    learned.helped(Aspect::OpCase, 0, &witness(6), NOW);
    assert_eq!(learned.form(Aspect::OpCase), 0);
}

#[test]
fn bad_values_are_not_tried_in_other_forms_for_ever() {
    let mut learned = Learned::default();
    for n in 1..=3 {
        assert_eq!(
            learned.failed(Aspect::OpCase, 0, &witness(n), Failing::Refused(400)),
            [1]
        );
        learned.futile(Aspect::OpCase, 1, &witness(n));
    }
    assert!(
        learned
            .failed(Aspect::OpCase, 0, &witness(4), Failing::Refused(400))
            .is_empty()
    );
    let mut working = Learned::default();
    working.worked(Aspect::OpCase);
    assert!(
        working
            .failed(Aspect::OpCase, 0, &witness(1), Failing::Refused(400))
            .is_empty()
    );
    assert_eq!(
        working.failed(Aspect::OpCase, 0, &witness(1), Failing::Silent),
        [1],
        "2xx without effect is no bad value"
    );
}

#[test]
fn a_form_that_did_harm_is_never_used_again_but_by_configuration() {
    let mut learned = Learned::default();
    let finding = learned.harmed(Aspect::MemberRemoval, 1, NOW, "it emptied group g");
    assert!(
        finding.contains("value_array") && finding.contains("unsafe"),
        "{finding}"
    );
    for n in 1..=9 {
        let others = learned.failed(Aspect::MemberRemoval, 0, &witness(n), Failing::Refused(501));
        assert_eq!(others, [2], "only the PUT is left");
    }
    learned.under(&PinnedDialect::default());
    assert!(learned.is_harmful(Aspect::MemberRemoval, 1));
    let pinned = PinnedDialect {
        member_removal: Some(MemberRemoval::ValueArray),
        ..PinnedDialect::default()
    };
    learned.under(&pinned);
    assert_eq!(learned.dialect().member_removal, MemberRemoval::ValueArray);
    learned.under(&PinnedDialect::default());
    assert_eq!(learned.dialect().member_removal, MemberRemoval::Path);
    assert!(
        learned.is_harmful(Aspect::MemberRemoval, 1),
        "taking the word out does not make it safe"
    );
}

#[test]
fn harm_by_the_default_leaves_the_next_form() {
    let mut learned = Learned::default();
    learned.harmed(Aspect::MemberRemoval, 0, NOW, "it emptied group g");
    assert_eq!(learned.dialect().member_removal, MemberRemoval::ValueArray);
    learned.harmed(Aspect::MemberRemoval, 1, NOW, "it emptied group h");
    assert_eq!(learned.dialect().member_removal, MemberRemoval::Put);
    assert!(
        learned
            .notes()
            .iter()
            .filter(|note| note.contains("did harm"))
            .count()
            == 2
    );
}

#[test]
fn the_configuration_is_in_force_and_another_one_begins_anew() {
    let mut learned = Learned::default();
    (1..=3).for_each(|n| drop(refused_and_helped(&mut learned, Aspect::Booleans, n)));
    learned.seen("attribute set");
    let pinned = PinnedDialect {
        booleans: Some(Booleans::Json),
        ..PinnedDialect::default()
    };
    learned.under(&pinned);
    assert_eq!(learned.dialect().booleans, Booleans::Json);
    assert!(
        !learned.is_seen("attribute set"),
        "what was proven was proven in the other form"
    );
    assert!(
        learned
            .failed(Aspect::Booleans, 0, &witness(9), Failing::Refused(400))
            .is_empty(),
        "nothing else is tried"
    );
    let shown = |learned: &Learned| {
        let all = learned.shown();
        all.into_iter()
            .find(|(aspect, ..)| *aspect == Aspect::Booleans)
            .unwrap()
    };
    assert_eq!(shown(&learned), (Aspect::Booleans, "json", Origin::Configured));
    learned.under(&PinnedDialect::default());
    assert_eq!(shown(&learned), (Aspect::Booleans, "json", Origin::Default));
    (1..=3).for_each(|n| drop(refused_and_helped(&mut learned, Aspect::Booleans, n)));
    let (_, form, Origin::Learned { since, why }) = shown(&learned) else {
        panic!("not learned");
    };
    assert_eq!((form, since), ("string", NOW));
    assert!(why.contains("`json` was refused with 400"), "{why}");
}

#[test]
fn three_groups_teach_how_many_members_fit() {
    let mut learned = Learned::default();
    assert_eq!(learned.too_large(250, &witness(1), NOW), None);
    assert_eq!(learned.too_large(125, &witness(1), NOW), None);
    assert_eq!(learned.too_large(250, &witness(2), NOW), None);
    assert_eq!(learned.dialect().members_per_patch, 1000);
    assert!(
        learned
            .too_large(200, &witness(3), NOW)
            .unwrap()
            .contains("at most 125 members")
    );
    assert_eq!(learned.dialect().members_per_patch, 125);
}

#[test]
fn a_trial_is_kept_under_the_name_by_which_others_drop_it() {
    let mut learned = Learned::default();
    learned.set_trial(Some(Trial {
        group: "g".to_owned(),
        before: vec!["a".to_owned()],
        named: Vec::new(),
    }));
    let mut kept = serde_json::to_value(&learned).unwrap();
    assert!(
        kept.as_object_mut()
            .unwrap()
            .remove(crate::ports::TRIAL)
            .is_some()
    );
    let without: Learned = serde_json::from_value(kept).unwrap();
    assert_eq!(without, Learned::default());
}

#[test]
fn settled_is_what_one_more_success_would_teach_nothing() {
    let mut learned = Learned::default();
    assert!(!learned.is_settled(Aspect::Booleans));
    assert!(learned.worked(Aspect::Booleans));
    assert!(learned.is_settled(Aspect::Booleans));
    assert!(!learned.worked(Aspect::Booleans), "nothing new");
    learned.failed(Aspect::Booleans, 0, &witness(1), Failing::Refused(400));
    assert!(!learned.is_settled(Aspect::Booleans));
    assert!(learned.worked(Aspect::Booleans));
    assert!(learned.is_settled(Aspect::Booleans));
}
