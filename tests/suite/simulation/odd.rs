//! Services that are odd in one way or two, as some in the field are: a fifth of all worlds has one, by a stream of chance of its
//! own, so that the other seeds tell the stories that they always told.

use melonsync::model::id::ObjectKind;
use melonsync::model::value::Value;
use melonsync::ports::Patch;
use melonsync::ports::RefusedPart;
use melonsync::ports::TargetError;
use serde_json::Value as Json;

use super::dice::Dice;
use super::service::Resource;

/// Worlds with an odd service: this one of so many.
const ONE_OF: u64 = 5;
const WHICH: u64 = 1;

/// What a service does that others do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Odd {
    /// A change of a title is answered 2xx and not carried out.
    pub frozen_titles: bool,
    /// Groups are created without their members.
    pub creates_empty: bool,
    /// Users are created without their title and their manager.
    pub creates_bare: bool,
    /// A create is answered with the names alone.
    pub answers_short: bool,
    /// A create meets a resource whose name is the same but for signs, where that is nobody's: it takes the values, and is the answer.
    pub meets: bool,
    /// Two groups cannot have one name.
    pub unique_groups: bool,
    /// Display name and title are one: the one that is written last tells.
    pub twins: bool,
    /// Listings show some resources twice.
    pub repeats: bool,
    /// A listing never ends: behind the last page comes the last page.
    pub endless: bool,
}

type Switch = fn(&mut Odd) -> &mut bool;

const ALL: [(&str, Switch); 8] = [
    ("frozen_titles", |odd| &mut odd.frozen_titles),
    ("creates_empty", |odd| &mut odd.creates_empty),
    ("creates_bare", |odd| &mut odd.creates_bare),
    ("answers_short", |odd| &mut odd.answers_short),
    ("meets", |odd| &mut odd.meets),
    ("unique_groups", |odd| &mut odd.unique_groups),
    ("repeats", |odd| &mut odd.repeats),
    ("endless", |odd| &mut odd.endless),
];

/// Played only where `ODD` asks for it: it came later, and the other seeds tell the stories that they always told.
const ASKED_FOR: [(&str, Switch); 1] = [("twins", |odd| &mut odd.twins)];

impl Odd {
    /// The service of a seed. `ODD=name` makes that of every world so.
    pub fn of(seed: u64) -> (Self, Dice) {
        let mut dice = Dice::new(seed.rotate_left(29) ^ 0x0DD5_E47C_0DD5_E47C);
        let mut odd = Self::default();
        if let Ok(wanted) = std::env::var("ODD") {
            for (name, switch) in ALL.into_iter().chain(ASKED_FOR) {
                *switch(&mut odd) |= name == wanted;
            }
        } else if seed % ONE_OF == WHICH {
            for _ in 0..dice.between(1, 2) {
                let (_, switch) = ALL[dice.below(ALL.len())];
                *switch(&mut odd) = true;
            }
        }
        (odd, dice)
    }

    /// True where values stay as they are although a change of them was answered 2xx.
    pub const fn loses_values(&self) -> bool {
        self.frozen_titles || self.twins
    }

    /// Then its numbers are right: of two things that are wrong at once nobody can tell the end of a listing.
    pub const fn lists_oddly(&self) -> bool {
        self.repeats || self.endless
    }

    /// What a created resource does not get.
    pub fn leave_out(&self, resource: &mut Resource) {
        if self.creates_empty {
            resource.members.clear();
        }
        if self.creates_bare {
            resource.title.clear();
            resource.manager.clear();
        }
        if self.twins && resource.kind == ObjectKind::User {
            if resource.title.is_empty() {
                resource.title.clone_from(&resource.display);
            } else {
                resource.display.clone_from(&resource.title);
            }
        }
    }

    /// True for a change that is answered and not done.
    pub fn swallows(&self, path: &str, value: &Value) -> bool {
        let clears = value.as_str().unwrap_or_default().is_empty();
        (self.frozen_titles && path == "title") || (self.twins && clears && is_twin(path))
    }

    /// After a change of one of two attributes that are one.
    pub fn spread(&self, resource: &mut Resource, path: &str) {
        if !self.twins || resource.kind != ObjectKind::User {
            return;
        }
        match path {
            "title" => resource.display.clone_from(&resource.title),
            "displayName" => resource.title.clone_from(&resource.display),
            _ => {}
        }
    }

    /// The answer to a change, where the client finds that the resource is not as it was asked for.
    pub fn not_kept(&self, patch: &Patch, resource: &melonsync::ports::Resource) -> Option<TargetError> {
        let held = |path: &str| Value::from(resource.body[path].as_str().unwrap_or_default());
        let is_lost = |path: &str, value: &Value| {
            let ours = (self.frozen_titles && path == "title") || (self.twins && is_twin(path));
            ours && held(path).as_str().unwrap_or_default() != value.as_str().unwrap_or_default()
        };
        let part = |path: &melonsync::model::name::Name| RefusedPart {
            attribute: path.clone(),
            error: TargetError::Refused {
                what: format!("`{path}` was answered 200 and not kept").into(),
                status: 200,
                hint: "look whether it is locked".to_owned(),
            },
            holds: Some(held(path)),
        };
        let lost = patch
            .changes
            .iter()
            .filter(|change| is_lost(&change.attribute, &change.after));
        let refused: Vec<RefusedPart> = lost.map(|change| part(&change.attribute)).collect();
        (!refused.is_empty()).then(|| TargetError::Partly {
            what: "not all was kept".to_owned().into(),
            refused,
            members: Vec::new(),
            rest: Some(Box::new(resource.clone())),
        })
    }

    /// The answer to a create, as far as this service shows it.
    pub fn show_created(&self, body: &mut Json) {
        if self.answers_short
            && let Some(map) = body.as_object_mut()
        {
            map.retain(|name, _| matches!(name.as_str(), "id" | "externalId" | "userName" | "displayName"));
        }
    }

    /// A listing, as this service counts it.
    pub fn listed<T: Clone>(&self, all: Vec<T>) -> Vec<T> {
        if !self.repeats {
            return all;
        }
        let mut listed = Vec::new();
        for (at, one) in all.iter().enumerate() {
            listed.push(one.clone());
            if at % 3 == 1 {
                listed.push(all[at - 1].clone());
            }
        }
        listed
    }

    /// Where a page begins that is asked for from here.
    pub fn page_at(&self, start: usize, all: usize, size: usize) -> usize {
        if self.endless && start > all {
            all.saturating_sub(size) + 1
        } else {
            start
        }
    }
}

fn is_twin(path: &str) -> bool {
    matches!(path, "title" | "displayName")
}

/// A name without its signs, in lower case: what some services take for the name.
pub fn letters(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .filter(|char| char.is_alphanumeric())
        .collect()
}
