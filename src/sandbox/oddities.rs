//! How servers in the field differ from the RFCs, switch by switch: what was seen at products in use, and at the two
//! open servers that the project is tried against. In a faults file they are under `[scim.odd]`; all are off by
//! default.

use serde::Deserialize;

use super::workspace::LegacyRemoval;
use super::workspace::LocationForm;
use super::workspace::Numbers;
use super::workspace::UnauthorizedBody;
use super::workspace::UnknownExtension;
use super::workspace::WorkspaceOptions;

/// Odd behaviours of the workspace. "Silent" means: answered with 2xx and not done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oddities {
    // ---- silent
    /// Silent: a PATCH of `name.familyName` is stored under that very key.
    pub literal_sub_attribute: bool,
    /// Silent: a PATCH of an extension's attribute is stored under a key of its own, after which a PUT of what is read
    /// back is refused.
    pub literal_extension: bool,
    /// Silent: `remove members[value eq "A" or value eq "B"]`.
    pub silent_or_removal: bool,
    /// Silent: `replace members` adds and removes no member.
    pub replace_merges_members: bool,
    /// Silent: `remove members` without a value.
    pub silent_removal_of_all: bool,
    /// A PATCH with a bad operation keeps those before it, and answers 200.
    pub not_atomic: bool,
    /// Silent: `remove members[value eq "x"]`.
    pub silent_path_removal: bool,
    /// Silent and worse: `remove members[value eq "x"]` removes all members.
    pub path_removal_removes_all: bool,
    /// Silent and worse: `add members` replaces all members.
    pub add_replaces_members: bool,
    /// Silent: an extension that is not registered is dropped.
    pub extension_dropped: bool,
    /// Silent: a change of `active` by PATCH.
    pub silent_active: bool,
    /// Silent: a PATCH of a path that begins with one of these, such as `name.givenName`.
    pub silent_by_patch: Vec<String>,
    /// Silent: any change of these, such as `title`.
    pub frozen: Vec<String>,
    /// Silent: these are left out of what is created; `active` is then true.
    pub left_out_of_creates: Vec<String>,
    /// Two attributes that are one, such as `displayName` and `name.formatted`: where both are written, the second
    /// counts.
    pub twins: Option<(String, String)>,
    // ---- refusing
    /// `remove members[value eq "x"]` is answered 501.
    pub path_removal_refused: bool,
    /// `remove members` with a value array removes those that are listed.
    pub array_removal: bool,
    /// `remove members` with a value array removes all members, as the RFC defines it.
    pub array_removal_removes_all: bool,
    /// A filter on externalId finds nothing.
    pub external_id_filter_empty: bool,
    /// IDmelon's extension is not registered: 400.
    pub extension_refused: bool,
    /// An extension of our own in `schemas` is answered 400; its attributes are welcome without.
    pub extension_urn_refused: bool,
    /// Attributes that `/Schemas` does not name, such as `User:displayName`; they are accepted all the same.
    pub schema_lacks: Vec<String>,
    /// Paths that a PATCH may not change: 400 `mutability`. Whole core attributes among them are announced as
    /// immutable.
    pub immutable_attributes: Vec<String>,
    /// Core attributes that `/Schemas` calls required; they may be left out all the same.
    pub required_attributes: Vec<String>,
    /// Core attributes that `/Schemas` calls never returned; they are shown all the same.
    pub hidden_attributes: Vec<String>,
    /// A refusal of such a path does not name it.
    pub unnamed_refusals: bool,
    /// A request that accepts `application/scim+json` is answered 406.
    pub accept_refused: bool,
    /// A request with `excludedAttributes` is answered 400.
    pub excluded_attributes_refused: bool,
    /// Any write of the user or group with one of these names is answered 500.
    pub broken_records: Vec<String>,
    /// A PATCH of a path that begins with one of these is answered 500.
    pub patch_breaks: Vec<String>,
    /// `remove` of anything but members is answered 400.
    pub remove_refused: bool,
    /// `replace` with null is answered 400.
    pub null_refused: bool,
    /// Attributes that a create may not have: 400, and the refusal names them.
    pub refused_in_create: Vec<String>,
    /// `/Schemas` is answered 404.
    pub no_schemas: bool,
    /// Booleans are taken as the texts `True` and `False` only.
    pub booleans_only_as_strings: bool,
    /// A PATCH without a path is answered 400.
    pub pathless_refused: bool,
    /// `op` is taken with a capital only.
    pub capital_ops_only: bool,
    /// A body of type `application/scim+json` is answered 415.
    pub plain_json_only: bool,
    /// A body of type `application/json` is answered 415.
    pub scim_json_only: bool,
    /// A manager is taken as the bare id only.
    pub manager_only_as_string: bool,
    /// `add phoneNumbers [{…}]` is answered 400; a path into the new element creates it.
    pub whole_element_refused: bool,
    /// PATCH is answered 501, and ServiceProviderConfig does not announce that.
    pub patch_unannounced: bool,
    /// PATCH is answered 501.
    pub no_patch: bool,
    /// Filters are answered 501.
    pub no_filters: bool,
    /// A filter with `or` is answered 400.
    pub or_filters_refused: bool,
    /// Silent: of a filter with `or`, only the resources of the first term are shown.
    pub or_filters_see_the_first: bool,
    /// Silent: an answer to a filter holds at most so many resources, and its `totalResults` counts those.
    pub most_results_of_a_filter: Option<usize>,
    /// Silent: filters are ignored, all resources are shown.
    pub filters_ignored: bool,
    /// A filter value with other characters than letters, digits and `@._- ` is answered 400.
    pub special_characters_fail: bool,
    /// More members in one PATCH are answered 413.
    pub most_members_in_patch: Option<usize>,
    /// No group accepts the users with these names.
    pub refused_members: Vec<String>,
    /// No group removes the users with these names.
    pub kept_members: Vec<String>,
    /// The status, in place of 400; for a refused create of a group, too.
    pub members_refused_with: Option<u16>,
    // ---- showing less than is held
    /// A GET of the users with these names finds nothing: its replica is behind.
    pub unseen_users: Vec<String>,
    /// The status, in place of 404.
    pub unseen_with: Option<u16>,
    /// Groups are shown with an empty list of members, whatever they hold.
    pub members_shown_empty: bool,
    /// Groups are shown without members, whatever they hold.
    pub members_omitted: bool,
    /// Members are shown only where `attributes` names them.
    pub members_by_name_only: bool,
    /// Members are shown by a GET of the group, and not in listings.
    pub members_not_listed: bool,
    /// No more members of a group are shown.
    pub most_members_shown: Option<usize>,
    /// A filter on members finds nothing.
    pub member_filter_empty: bool,
    // ---- odd
    /// The shape in which members are shown, and may be sent back.
    pub member_shape: MemberShape,
    /// `startIndex` and `count` are ignored: every GET shows the first 20.
    pub ignored_paging: bool,
    /// Paging by cursor (RFC 9865), announced; `startIndex` beyond 1 is answered 400.
    pub cursor_paging: bool,
    /// Paging by cursor is announced, and answered 501.
    pub cursor_refused: bool,
    /// The cursor of the last page leads to the first one.
    pub cursor_loops: bool,
    /// The content of `totalResults` and `itemsPerPage`.
    pub numbers: Numbers,
    /// A page shows at most so many, whatever `count` asks for.
    pub most_shown: Option<usize>,
    /// Pages are short in the middle.
    pub short_pages: bool,
    /// `Resources` is left out where there are none.
    pub no_empty_resources: bool,
    /// A listing is the bare array of its resources.
    pub bare_listings: bool,
    /// A larger `count` is answered with this status.
    pub count_refused: Option<(u64, u16)>,
    /// An index behind the last resource is answered with this status.
    pub behind_the_end_refused: Option<u16>,
    /// A create is answered without a body.
    pub create_without_body: bool,
    /// A create is answered with the names of the resource, and nothing else.
    pub create_answered_short: bool,
    /// A created resource has no `Location`.
    pub missing_location: bool,
    /// `Location` is a path.
    pub relative_location: bool,
    /// Adding a member twice stores it twice.
    pub duplicate_members: bool,
    /// Filters compare with case.
    pub exact_case_filters: bool,
    /// A create with another case of an existing userName is answered 201.
    pub case_sensitive_names: bool,
    /// The id of a user is the url-encoded userName, so that a rename moves the resource.
    pub ids_from_names: bool,
    /// Deleting what is gone is answered 500.
    pub second_delete_500: bool,
    /// The shape of the body of a refusal.
    pub error_shape: ErrorShape,
    /// `status` of an error is an object.
    pub status_object: bool,
    /// `status` of an error is a number.
    pub status_number: bool,
    /// A create without userName is answered 201 without an id, and stores nothing.
    pub nameless_create: bool,
    /// The body of a 401 is a line of text.
    pub unauthorized_plain: bool,
    /// The body of a 401 is empty.
    pub unauthorized_empty: bool,
    /// Two groups cannot have one displayName.
    pub unique_group_names: bool,
    /// A deleted user stays a member.
    pub dangling_members: bool,
    /// PATCH answers 204 without a body.
    pub patch_without_body: bool,
    /// A create of a name that is in use but for signs and case is answered 200 with the resource that has it, which
    /// takes over the values and the members and keeps its name.
    pub create_meets: bool,
    /// A created user gets the id `..`, which a URL takes for a step up.
    pub ids_of_dots: bool,
    /// Resources are shown with the token of the request, as a forgotten debug output does.
    pub token_in_answers: bool,
}

/// How the text of a refusal is wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorShape {
    /// As in RFC 7644 section 3.12.
    #[default]
    Scim,
    /// `{"error": {"code": 400, "message": "…"}}`.
    Nested,
    /// `{"errors": [{"message": "…"}]}`.
    Listed,
    /// `{"Errors": {"request": ["…"]}}`.
    ByField,
    /// `["…"]`.
    Array,
    /// A line of text.
    Plain,
    /// A web page.
    Html,
}

/// How a member of a group is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberShape {
    /// `{"value": "id"}`.
    #[default]
    Value,
    /// `"id"`.
    Bare,
    /// `{"id": "id"}`.
    Id,
    /// `{"$ref": "…/Users/id"}`.
    Reference,
    /// `{"value": "id"}`, each of them twice.
    Twice,
}

impl Oddities {
    /// Returns the options with these switches applied.
    pub(super) fn over(&self, base: &WorkspaceOptions) -> WorkspaceOptions {
        let mut options = base.clone();
        options.odd = self.clone();
        options.paging &= !self.ignored_paging;
        options.filters &= !self.no_filters;
        options.patch_supported &= !(self.no_patch || self.patch_unannounced);
        options.path_filter_removal &= !self.path_removal_refused;
        options.patch_answers_body &= !self.patch_without_body;
        options.idmelon_extension &= !(self.extension_dropped || self.extension_refused);
        options.case_sensitive_filters |= self.exact_case_filters;
        options.external_id_filter_is_empty |= self.external_id_filter_empty;
        options.unique_group_names |= self.unique_group_names;
        options.dangling_members |= self.dangling_members;
        options.duplicate_members |= self.duplicate_members;
        if self.extension_dropped {
            options.unknown_extension = UnknownExtension::Drop;
        }
        if self.array_removal {
            options.legacy_removal = LegacyRemoval::Honour;
        }
        if self.array_removal_removes_all {
            options.legacy_removal = LegacyRemoval::RemovesAll;
        }
        if self.missing_location {
            options.location = LocationForm::Missing;
        }
        if self.relative_location {
            options.location = LocationForm::Relative;
        }
        if self.unauthorized_plain {
            options.unauthorized_body = UnauthorizedBody::Plain;
        }
        if self.unauthorized_empty {
            options.unauthorized_body = UnauthorizedBody::Empty;
        }
        options
    }
}
