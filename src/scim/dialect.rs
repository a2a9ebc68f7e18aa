//! The forms of requests that this target wants: the RFC's, unless the configuration or experience names others.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::path::TargetPath;
use crate::model::id::ObjectKind;
use crate::ports::Patch;
use crate::reconcile::operation::Change;

pub use crate::model::dialect::Booleans;
pub use crate::model::dialect::ManagerForm;
pub use crate::model::dialect::MediaType;
pub use crate::model::dialect::MemberRemoval;
pub use crate::model::dialect::NewElement;
pub use crate::model::dialect::OpCase;
pub use crate::model::dialect::PageSize;
pub use crate::model::dialect::Paging;
pub use crate::model::dialect::PinnedDialect;
pub use crate::model::dialect::Update;

/// The forms that one target is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Case of `op`.
    pub op_case: OpCase,
    /// The form of booleans.
    pub booleans: Booleans,
    /// The form of member removal.
    pub member_removal: MemberRemoval,
    /// The form of a manager.
    pub manager: ManagerForm,
    /// True if `schemas` lists the URN of each extension in use (RFC 7643 section 3); Entra leaves its own out.
    pub extension_urn_in_schemas: bool,
    /// The form of a multi-valued element that is not there yet.
    pub new_element: NewElement,
    /// PATCH or PUT.
    pub update: Update,
    /// The media type of bodies.
    pub media_type: MediaType,
    /// The form of paging.
    pub paging: Paging,
    /// True if groups show their members when they are read.
    pub members_shown: bool,
    /// True if groups are created with their members.
    pub members_in_create: bool,
    /// How many resources a page of a listing is asked for.
    pub page_size: PageSize,
    /// The most membership changes in one PATCH. Services limit the size of a body; 1000 ids are some 50 kB.
    pub members_per_patch: usize,
    /// How an attribute is cleared, by its path, where it is not by removal.
    pub clearings: BTreeMap<String, Clearing>,
    /// Attributes that are written by PUT, with their kind.
    pub puts: BTreeSet<String>,
}

/// A way of clearing an attribute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clearing {
    /// `remove`, as the RFC has it.
    #[default]
    Remove,
    /// `replace` with null.
    Null,
    /// `replace` with an empty text, or an empty list.
    Empty,
    /// A PUT without the attribute.
    Put,
}

impl Clearing {
    /// All ways, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::Remove, Self::Null, Self::Empty, Self::Put];

    /// Returns the text for display, after "by".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Remove => "its removal",
            Self::Null => "a null in its place",
            Self::Empty => "an empty value in its place",
            Self::Put => "a PUT without it",
        }
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            op_case: OpCase::default(),
            booleans: Booleans::default(),
            member_removal: MemberRemoval::default(),
            manager: ManagerForm::default(),
            extension_urn_in_schemas: true,
            new_element: NewElement::default(),
            update: Update::default(),
            media_type: MediaType::default(),
            paging: Paging::default(),
            members_shown: true,
            members_in_create: true,
            page_size: PageSize::default(),
            members_per_patch: 1000,
            clearings: BTreeMap::new(),
            puts: BTreeSet::new(),
        }
    }
}

/// An aspect of a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Case of `op`.
    OpCase,
    /// The form of booleans.
    Booleans,
    /// The form of member removal.
    MemberRemoval,
    /// The form of a manager.
    Manager,
    /// Extension URNs in `schemas`.
    ExtensionUrnInSchemas,
    /// The form of a multi-valued element that is not there yet.
    NewElement,
    /// PATCH or PUT.
    Update,
    /// The media type of bodies.
    MediaType,
    /// The form of paging.
    Paging,
    /// Whether groups show their members.
    MembersShown,
    /// Whether groups are created with their members.
    MembersInCreate,
    /// How many resources a page of a listing is asked for.
    PageSize,
}

impl Aspect {
    /// All aspects, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::OpCase,
        Self::Booleans,
        Self::MemberRemoval,
        Self::Manager,
        Self::ExtensionUrnInSchemas,
        Self::NewElement,
        Self::Update,
        Self::MediaType,
        Self::Paging,
        Self::MembersShown,
        Self::MembersInCreate,
        Self::PageSize,
    ];

    /// Returns its name, which is the key of the configuration where there is one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpCase => "op_case",
            Self::Booleans => "booleans",
            Self::MemberRemoval => "member_removal",
            Self::Manager => "manager",
            Self::ExtensionUrnInSchemas => "extension_urn_in_schemas",
            Self::NewElement => "new_element",
            Self::Update => "update",
            Self::MediaType => "media_type",
            Self::Paging => "paging",
            Self::MembersShown => "members_shown",
            Self::MembersInCreate => "members_in_create",
            Self::PageSize => "page_size",
        }
    }

    /// Returns its forms by number, the first one the default, as the configuration spells them.
    #[must_use]
    pub const fn forms(self) -> &'static [&'static str] {
        match self {
            Self::OpCase => &["lower", "capital"],
            Self::Booleans => &["json", "string"],
            Self::MemberRemoval => &["path", "value_array", "put"],
            Self::Manager => &["object", "string"],
            Self::ExtensionUrnInSchemas => &["true", "false"],
            Self::NewElement => &["whole", "path"],
            Self::Update => &["patch", "put"],
            Self::MediaType => &["scim", "json"],
            Self::Paging => &["as_announced", "index"],
            Self::MembersShown | Self::MembersInCreate => &["true", "false"],
            Self::PageSize => &["as_announced", "small", "none"],
        }
    }

    /// Returns what shows that a form is right.
    #[must_use]
    pub const fn proof(self) -> &'static str {
        match self {
            Self::OpCase
            | Self::Booleans
            | Self::MemberRemoval
            | Self::Manager
            | Self::ExtensionUrnInSchemas
            | Self::NewElement
            | Self::Update
            | Self::MembersShown
            | Self::MembersInCreate => "was read back as right",
            // The answer itself shows it.
            Self::MediaType | Self::Paging | Self::PageSize => "was taken",
        }
    }

    /// Returns the form that the configuration names.
    #[must_use]
    pub fn pinned(self, pinned: &PinnedDialect) -> Option<usize> {
        match self {
            Self::OpCase => pinned.op_case.map(|form| form as usize),
            Self::Booleans => pinned.booleans.map(|form| form as usize),
            Self::MemberRemoval => pinned.member_removal.map(|form| form as usize),
            Self::Manager => pinned.manager.map(|form| form as usize),
            Self::ExtensionUrnInSchemas => pinned.extension_urn_in_schemas.map(|listed| usize::from(!listed)),
            Self::Update => pinned.update.map(|form| form as usize),
            Self::MediaType => pinned.media_type.map(|form| form as usize),
            Self::MembersShown => pinned.members_shown.map(|shown| usize::from(!shown)),
            Self::MembersInCreate => pinned.members_in_create.map(|ride| usize::from(!ride)),
            Self::NewElement | Self::Paging | Self::PageSize => None,
        }
    }
}

impl Dialect {
    /// Returns how an attribute is cleared.
    #[must_use]
    pub fn clearing(&self, path: &TargetPath) -> Clearing {
        if self.clearings.is_empty() {
            return Clearing::Remove;
        }
        self.clearings.get(&path.wire()).copied().unwrap_or_default()
    }

    /// Returns true for a patch of attributes that are cleared, or written, by PUT.
    #[must_use]
    pub fn goes_by_put(&self, kind: ObjectKind, patch: &Patch) -> bool {
        let by_put = |path: TargetPath| self.clearing(&path) == Clearing::Put;
        let mut cleared = patch.changes.iter().filter(|change| change.after.is_unassigned());
        let clears = !self.clearings.is_empty()
            && cleared.any(|change| TargetPath::parse(&change.attribute).is_ok_and(by_put));
        let is_put = |change: &Change| self.puts.contains(&attribute_key(kind, &change.attribute));
        clears || (!self.puts.is_empty() && patch.changes.iter().any(is_put))
    }

    /// Returns the form of one aspect, by number.
    #[must_use]
    pub const fn form(&self, aspect: Aspect) -> usize {
        match aspect {
            Aspect::OpCase => self.op_case as usize,
            Aspect::Booleans => self.booleans as usize,
            Aspect::MemberRemoval => self.member_removal as usize,
            Aspect::Manager => self.manager as usize,
            Aspect::ExtensionUrnInSchemas => !self.extension_urn_in_schemas as usize,
            Aspect::NewElement => self.new_element as usize,
            Aspect::Update => self.update as usize,
            Aspect::MediaType => self.media_type as usize,
            Aspect::Paging => self.paging as usize,
            Aspect::MembersShown => !self.members_shown as usize,
            Aspect::MembersInCreate => !self.members_in_create as usize,
            Aspect::PageSize => self.page_size as usize,
        }
    }

    /// Sets the form of one aspect; a number without a form sets the default.
    #[must_use]
    pub fn with(mut self, aspect: Aspect, form: usize) -> Self {
        match aspect {
            Aspect::OpCase => self.op_case = pick(&[OpCase::Lower, OpCase::Capital], form),
            Aspect::Booleans => self.booleans = pick(&[Booleans::Json, Booleans::String], form),
            Aspect::MemberRemoval => {
                let forms = [MemberRemoval::Path, MemberRemoval::ValueArray, MemberRemoval::Put];
                self.member_removal = pick(&forms, form);
            }
            Aspect::Manager => self.manager = pick(&[ManagerForm::Object, ManagerForm::String], form),
            Aspect::ExtensionUrnInSchemas => self.extension_urn_in_schemas = form == 0,
            Aspect::NewElement => self.new_element = pick(&[NewElement::Whole, NewElement::Path], form),
            Aspect::Update => self.update = pick(&[Update::Patch, Update::Put], form),
            Aspect::MembersShown => self.members_shown = form == 0,
            Aspect::MembersInCreate => self.members_in_create = form == 0,
            Aspect::MediaType => self.media_type = pick(&[MediaType::Scim, MediaType::Json], form),
            Aspect::Paging => self.paging = pick(&[Paging::AsAnnounced, Paging::Index], form),
            Aspect::PageSize => {
                let forms = [PageSize::AsAnnounced, PageSize::Small, PageSize::None];
                self.page_size = pick(&forms, form);
            }
        }
        self
    }
}

fn pick<T: Copy>(forms: &[T], form: usize) -> T {
    forms.get(form).copied().unwrap_or(forms[0])
}

/// Returns the key of an attribute of one kind.
pub(super) fn attribute_key(kind: ObjectKind, path: &str) -> String {
    format!("{} {path}", kind.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_a_word_and_a_place() {
        for aspect in Aspect::ALL {
            let made: Vec<Dialect> = (0..aspect.forms().len())
                .map(|form| Dialect::default().with(aspect, form))
                .collect();
            assert_eq!(
                made[0],
                Dialect::default(),
                "{}: the first is the default",
                aspect.name()
            );
            for (at, one) in made.iter().enumerate() {
                assert_eq!(one.form(aspect), at);
                assert!(
                    !made[..at].contains(one),
                    "{}: form {at} is none of its own",
                    aspect.name()
                );
            }
        }
        let pinned = PinnedDialect {
            op_case: Some(OpCase::Capital),
            booleans: Some(Booleans::String),
            member_removal: Some(MemberRemoval::Put),
            manager: Some(ManagerForm::String),
            extension_urn_in_schemas: Some(false),
            update: Some(Update::Put),
            media_type: Some(MediaType::Json),
            members_shown: Some(false),
            members_in_create: Some(false),
        };
        for aspect in Aspect::ALL {
            let word = aspect.pinned(&pinned).map(|form| aspect.forms()[form]);
            let expected = match aspect {
                Aspect::OpCase => Some("capital"),
                Aspect::Booleans | Aspect::Manager => Some("string"),
                Aspect::MemberRemoval | Aspect::Update => Some("put"),
                Aspect::MediaType => Some("json"),
                Aspect::ExtensionUrnInSchemas | Aspect::MembersShown | Aspect::MembersInCreate => {
                    Some("false")
                }
                Aspect::NewElement | Aspect::Paging | Aspect::PageSize => None,
            };
            assert_eq!(word, expected, "{}", aspect.name());
        }
    }
}
