use super::*;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;

fn alike(kind: ObjectKind) -> Alike {
    Alike {
        kind,
        target: TargetId::new("t1").expect("an id"),
        by: "displayName".to_owned(),
        members: Vec::new(),
        count: 1,
        strangers: 1,
        whole: true,
    }
}

/// One of each, with its words.
fn table() -> Vec<(Reason, &'static str, &'static str)> {
    let names = |names: &[&str]| names.iter().map(|name| Name::from(*name)).collect();
    let from = SourceId::from_bytes([7; 16]);
    vec![
        (
            Reason::New {
                absence: "listed".to_owned(),
            },
            "new",
            "in scope, and not at the target: listed",
        ),
        (
            Reason::MissingAtTarget,
            "missing_at_target",
            "it was linked, but its resource is gone at the target",
        ),
        (
            Reason::Matched {
                by: "userName".to_owned(),
            },
            "matched",
            "an existing resource has the same userName",
        ),
        (
            Reason::Alike(alike(ObjectKind::Group)),
            "adopt_group",
            "an existing group has the same displayName, which its owner can choose; it has 1 member, 1 of them linked to no user",
        ),
        (
            Reason::Alike(alike(ObjectKind::User)),
            "adopt_user",
            "an existing user has the same displayName, which its owner can choose",
        ),
        (
            Reason::LetGo {
                why: Reason::SoftDeleted.to_string(),
            },
            "let_go",
            "deleted in Entra, restorable for 30 days; the group was adopted, so it stays at the target, without the members \
             that we put in",
        ),
        (
            Reason::Rehired {
                by: "employeeId".to_owned(),
                from,
            },
            "rehired",
            "it takes over the link of 07070707-0707-0707-0707-070707070707, deleted or disabled, which has the same employeeId",
        ),
        (
            Reason::SourceChanged {
                properties: names(&["jobTitle", "department"]),
            },
            "source_changed",
            "department, jobTitle changed in Entra",
        ),
        (
            Reason::ConfigChanged {
                mapping: true,
                scope: false,
                policy: false,
            },
            "config_changed",
            "the mapping changed",
        ),
        (
            Reason::ConfigChanged {
                mapping: true,
                scope: true,
                policy: true,
            },
            "config_changed",
            "the mapping or the scope or the policy changed",
        ),
        (
            Reason::OutOfScope {
                why: "`a` does not hold".to_owned(),
            },
            "out_of_scope",
            "out of scope: `a` does not hold",
        ),
        (
            Reason::Conflict {
                because: Box::new(Reason::TimePassed),
            },
            "conflict",
            "the mapping's expression reads the time, and it was changed at the target too: the source wins",
        ),
        (
            Reason::Undone {
                cycle: "c1".to_owned(),
            },
            "undone",
            "it undoes what cycle c1 did",
        ),
    ]
}

/// Those without a field: their words say all there is.
fn plain() -> Vec<Reason> {
    use Reason::*;
    vec![
        AdoptedDiffers,
        LinkedByHand,
        TimePassed,
        Restored,
        Returned,
        HoldReleased,
        NeverSent,
        NotAsSent,
        EmptiedByTarget,
        ManagerLinked,
        ManagerRelinked,
        ManagerDeleted,
        ManagerOutOfScope,
        ManagerUnlinked,
        TargetDiffers,
        AccountDisabled,
        AccountEnabled,
        MappedActive,
        SoftDeleted,
        HardDeleted,
        MemberJoined,
        MemberLeft,
        MemberDeleted,
        MemberOutOfScope,
        MemberRelinked,
        MemberUnlinked,
        MakesWay,
        Drifted,
        ReenabledAtTarget,
        EditedAtTarget,
        ClearedAtTarget,
        BothMoved,
        TwoWriters,
        HoldsKey,
        KeyGone,
        KeyBlocked,
        NeverMember,
        ForeignMember,
        RemovedByHand,
    ]
}

#[test]
fn every_reason_has_its_words_and_its_code() {
    for (reason, code, words) in table() {
        assert_eq!((reason.label(), reason.to_string().as_str()), (code, words));
    }
    let all: BTreeSet<&str> = table()
        .iter()
        .map(|(reason, ..)| reason.label())
        .chain(plain().iter().map(Reason::label))
        .collect();
    assert_eq!(
        all,
        CODES.into_iter().collect(),
        "a code without a reason, or the other way"
    );
    for reason in plain() {
        assert!(!reason.to_string().is_empty(), "{reason:?}");
    }
    let words: BTreeSet<String> = plain().iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), plain().len(), "two reasons with the same words");
}

#[test]
fn a_reason_is_known_again_by_its_words() {
    let several = Reason::of_changes(vec![
        (Name::from("active"), Reason::AccountDisabled),
        (Name::from("title"), Reason::TimePassed),
    ]);
    let all = table().into_iter().map(|(reason, ..)| reason).chain(plain());
    for reason in all.chain([several]) {
        assert_eq!(code_of(&reason.to_string()), Some(reason.label()), "{reason}");
    }
    assert_eq!(code_of("let through once"), None);
}

#[test]
fn attributes_with_reasons_of_their_own_are_told_one_by_one() {
    let moved = |name: &str| Reason::SourceChanged {
        properties: [Name::from(name)].into(),
    };
    let both = Reason::of_changes(vec![
        (Name::from("title"), moved("jobTitle")),
        (Name::from("nickName"), moved("mailNickname")),
    ]);
    assert_eq!(both.to_string(), "jobTitle, mailNickname changed in Entra");
    let mixed = Reason::of_changes(vec![
        (Name::from("active"), Reason::AccountDisabled),
        (Name::from("title"), moved("jobTitle")),
    ]);
    assert_eq!(
        mixed.to_string(),
        "active: the account is disabled in Entra (accountEnabled is false); title: jobTitle changed in Entra"
    );
    assert_eq!(mixed.label(), "account_disabled");
    let title = Change {
        attribute: Name::from("title"),
        before: crate::model::value::Value::Null,
        after: crate::model::value::Value::Null,
    };
    assert_eq!(mixed.narrowed(&[title]).to_string(), "jobTitle changed in Entra");
}

#[test]
fn members_with_reasons_of_their_own_are_counted() {
    let member = |number: u8, because: Reason| Member {
        source: SourceId::from_bytes([number; 16]),
        target: None,
        with_user: false,
        because,
    };
    let left = [member(1, Reason::MemberLeft), member(2, Reason::MemberLeft)];
    assert_eq!(Reason::of_members(&left), Reason::MemberLeft);
    let mixed = [
        member(1, Reason::MemberLeft),
        member(2, Reason::MemberRelinked),
        member(3, Reason::MemberRelinked),
    ];
    assert_eq!(
        Reason::of_members(&mixed).to_string(),
        "2 of them: still a member in Entra: the member's resource is made anew, or linked anew, and the new one replaces \
         the old; 1 of them: not a member of the group in Entra any more"
    );
}
