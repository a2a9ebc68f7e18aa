//! The table: each behaviour with its switch, what the configuration names, and what is expected.

use melonsync::model::dialect::PinnedDialect;
use melonsync::model::dialect::Update;
use melonsync::sandbox::Fault;
use melonsync::sandbox::ScimFaults;
use melonsync::sandbox::oddities::ErrorShape;
use melonsync::sandbox::oddities::MemberShape;

/// One behaviour.
pub struct Behaviour {
    pub name: &'static str,
    pub switch: fn(&mut ScimFaults),
    pub pinned: fn() -> PinnedDialect,
    pub expect: Outcome,
    /// Attributes that this target does not keep.
    pub without: &'static [&'static str],
    /// From which scene on the target must hold the truth.
    pub truth: fn(usize) -> bool,
    pub users: usize,
}

/// What a behaviour must end in.
pub enum Outcome {
    /// The truth, as at a friendly target, and no failure on the way.
    Same,
    /// Findings or failures that say this.
    Says(&'static [&'static str]),
}

fn learned() -> PinnedDialect {
    PinnedDialect::default()
}

fn put() -> PinnedDialect {
    PinnedDialect {
        update: Some(Update::Put),
        ..PinnedDialect::default()
    }
}

fn always(_: usize) -> bool {
    true
}

fn never(_: usize) -> bool {
    false
}

const fn same(name: &'static str, switch: fn(&mut ScimFaults)) -> Behaviour {
    Behaviour {
        name,
        switch,
        pinned: learned,
        expect: Outcome::Same,
        without: &[],
        truth: always,
        users: 24,
    }
}

const fn same_by_put(name: &'static str, switch: fn(&mut ScimFaults)) -> Behaviour {
    Behaviour {
        pinned: put,
        ..same(name, switch)
    }
}

const fn says(
    name: &'static str,
    switch: fn(&mut ScimFaults),
    fragments: &'static [&'static str],
) -> Behaviour {
    Behaviour {
        expect: Outcome::Says(fragments),
        truth: never,
        ..same(name, switch)
    }
}

const IDMELON: &[&str] = &["idmelon:immutable_id"];

pub static BEHAVIOURS: &[Behaviour] = &[
    same("friendly", |_| {}),
    // Silent.
    same("silent removal by `or`", |f| f.odd.silent_or_removal = true),
    same("replace of all members merges", |f| {
        f.odd.replace_merges_members = true
    }),
    same("removal of all members is silent", |f| {
        f.odd.silent_removal_of_all = true
    }),
    same("a PATCH is not atomic", |f| f.odd.not_atomic = true),
    same("removal by path is silent", |f| f.odd.silent_path_removal = true),
    same("removal by path is silent, by array works", |f| {
        f.odd.silent_path_removal = true;
        f.odd.array_removal = true;
    }),
    same("removal by path removes everybody", |f| {
        f.odd.path_removal_removes_all = true
    }),
    same("removal by path and by array removes everybody", |f| {
        f.odd.path_removal_removes_all = true;
        f.odd.array_removal_removes_all = true;
    }),
    Behaviour {
        without: IDMELON,
        truth: always,
        ..says(
            "an extension is dropped",
            |f| f.odd.extension_dropped = true,
            &["schema has no user attribute"],
        )
    },
    Behaviour {
        without: IDMELON,
        truth: always,
        ..says(
            "an extension is dropped, and no schema says so",
            |f| {
                f.odd.extension_dropped = true;
                f.odd.no_schemas = true;
            },
            &["immutable_id` and does not keep it"],
        )
    },
    says(
        "a sub-attribute is stored under its own key",
        |f| f.odd.literal_sub_attribute = true,
        &[
            "`name.familyName` (sub-attribute set) and does not carry it out",
            "update = \"put\"",
        ],
    ),
    same_by_put("a sub-attribute is stored under its own key; PUT named", |f| {
        f.odd.literal_sub_attribute = true
    }),
    says(
        "an extension's attribute is stored under its own key",
        |f| f.odd.literal_extension = true,
        &[
            "immutable_id` (extension attribute set) and does not carry it out",
            "update = \"put\"",
        ],
    ),
    same_by_put(
        "an extension's attribute is stored under its own key; PUT named",
        |f| f.odd.literal_extension = true,
    ),
    same("`active` is silent", |f| f.odd.silent_active = true),
    same_by_put("`active` is silent; PUT named", |f| f.odd.silent_active = true),
    says(
        "adding replaces all members",
        |f| f.odd.add_replaces_members = true,
        &[
            "replaces all members of a group where one is added",
            "update = \"put\"",
        ],
    ),
    same_by_put("adding replaces all members; PUT named", |f| {
        f.odd.add_replaces_members = true
    }),
    // Showing less than is held.
    same("members are shown as an empty list", |f| {
        f.odd.members_shown_empty = true
    }),
    same("members are not shown, and no filter tells", |f| {
        f.odd.members_omitted = true;
        f.odd.member_filter_empty = true;
    }),
    same_by_put("members are not shown; PUT named", |f| {
        f.odd.members_omitted = true
    }),
    same("members are shown only by name", |f| {
        f.odd.members_by_name_only = true
    }),
    same("members are not in listings", |f| f.odd.members_not_listed = true),
    same("three members are shown", |f| f.odd.most_members_shown = Some(3)),
    same("members are bare ids", |f| f.odd.member_shape = MemberShape::Bare),
    // Refusing.
    same("removal by path is refused, by array works", |f| {
        f.odd.path_removal_refused = true;
        f.odd.array_removal = true;
    }),
    same("removal by path is refused, by array removes everybody", |f| {
        f.odd.path_removal_refused = true;
        f.odd.array_removal_removes_all = true;
    }),
    same("removal by path and by array is refused", |f| {
        f.odd.path_removal_refused = true
    }),
    same("a filter on externalId finds nothing", |f| {
        f.odd.external_id_filter_empty = true
    }),
    Behaviour {
        without: IDMELON,
        truth: always,
        ..says(
            "an extension is refused",
            |f| f.odd.extension_refused = true,
            &["schema has no user attribute"],
        )
    },
    says(
        "an extension is refused, and no schema says so",
        |f| {
            f.odd.extension_refused = true;
            f.odd.no_schemas = true;
        },
        &["IDmelon:2.0:User is not registered"],
    ),
    same("an extension's URN in `schemas` is refused", |f| {
        f.odd.extension_urn_refused = true
    }),
    same("no schemas", |f| f.odd.no_schemas = true),
    Behaviour {
        without: &["displayName"],
        truth: always,
        ..says(
            "the schema of users lacks what that of groups has",
            |f| f.odd.schema_lacks = vec!["User:displayName".to_owned()],
            &["schema has no user attribute `displayName`"],
        )
    },
    same("the schema of groups lacks what that of users has", |f| {
        f.odd.schema_lacks = vec!["Group:displayName".to_owned()]
    }),
    same("schemas lack what nobody can be without", |f| {
        let lacks = [
            "User:userName",
            "User:active",
            "Group:displayName",
            "Group:members",
        ];
        f.odd.schema_lacks = lacks.map(str::to_owned).to_vec();
    }),
    same("booleans only as strings", |f| {
        f.odd.booleans_only_as_strings = true
    }),
    same("no PATCH without a path", |f| f.odd.pathless_refused = true),
    same("`op` only with a capital", |f| f.odd.capital_ops_only = true),
    same("application/scim+json in Accept is answered 406", |f| {
        f.odd.accept_refused = true
    }),
    same("excludedAttributes is refused", |f| {
        f.odd.excluded_attributes_refused = true
    }),
    same("members do not come with a create", |f| {
        f.odd.left_out_of_creates = vec!["members".to_owned()]
    }),
    same("a create has no body", |f| f.odd.create_without_body = true),
    same("a create is answered short", |f| {
        f.odd.create_answered_short = true
    }),
    same("application/scim+json is answered 415", |f| {
        f.odd.plain_json_only = true
    }),
    same("a manager only as a string", |f| {
        f.odd.manager_only_as_string = true
    }),
    same("whole elements are refused", |f| {
        f.odd.whole_element_refused = true
    }),
    same("only Entra's older form", |f| {
        f.odd.capital_ops_only = true;
        f.odd.booleans_only_as_strings = true;
        f.odd.manager_only_as_string = true;
        f.odd.path_removal_refused = true;
        f.odd.array_removal = true;
        f.odd.external_id_filter_empty = true;
        f.odd.extension_urn_refused = true;
    }),
    same("PATCH is answered 501, announced or not", |f| {
        f.odd.patch_unannounced = true
    }),
    same("no PATCH", |f| f.odd.no_patch = true),
    same("no filters", |f| f.odd.no_filters = true),
    same("special characters fail", |f| {
        f.odd.special_characters_fail = true
    }),
    same("a PATCH may hold no more than two members", |f| {
        f.odd.most_members_in_patch = Some(2)
    }),
    // Odd.
    Behaviour {
        users: 17,
        ..same("paging is ignored, and all fits", |f| f.odd.ignored_paging = true)
    },
    same("paging is ignored", |f| f.odd.ignored_paging = true),
    same("paging by cursor", |f| f.odd.cursor_paging = true),
    same("paging by cursor is announced and refused", |f| {
        f.odd.cursor_refused = true
    }),
    same("no Location", |f| f.odd.missing_location = true),
    same("a relative Location", |f| f.odd.relative_location = true),
    same("a member added twice is there twice", |f| {
        f.odd.duplicate_members = true
    }),
    same("filters compare with case", |f| f.odd.exact_case_filters = true),
    same("names differ by case", |f| {
        f.odd.case_sensitive_names = true;
        f.odd.exact_case_filters = true;
    }),
    same("ids are names", |f| f.odd.ids_from_names = true),
    same("ids are names, and PATCH has no body", |f| {
        f.odd.ids_from_names = true;
        f.odd.patch_without_body = true;
    }),
    same("a second DELETE is answered 500", |f| {
        f.odd.second_delete_500 = true;
        f.drop_after = Fault::always().only("DELETE");
    }),
    same("`status` is an object", |f| f.odd.status_object = true),
    same("`status` is a number", |f| f.odd.status_number = true),
    same("refusals are nested", |f| f.odd.error_shape = ErrorShape::Nested),
    same("refusals are web pages", |f| f.odd.error_shape = ErrorShape::Html),
    says(
        "refusals are in a shape of their own, and are said",
        |f| {
            f.odd.extension_refused = true;
            f.odd.no_schemas = true;
            f.odd.error_shape = ErrorShape::ByField;
        },
        &["IDmelon:2.0:User is not registered"],
    ),
    same("a create without a name is answered 201", |f| {
        f.odd.nameless_create = true
    }),
    same("group names are unique", |f| f.odd.unique_group_names = true),
    same("deleted users stay members", |f| f.odd.dangling_members = true),
    same("PATCH has no body", |f| f.odd.patch_without_body = true),
    Behaviour {
        truth: always,
        ..says(
            "401 in plain text",
            |f| {
                f.odd.unauthorized_plain = true;
                f.unauthorized = Fault::once();
            },
            &["token is wrong or expired"],
        )
    },
    Behaviour {
        truth: always,
        ..says(
            "401 without a body",
            |f| {
                f.odd.unauthorized_empty = true;
                f.unauthorized = Fault::once();
            },
            &["token is wrong or expired"],
        )
    },
];
