//! The groups of one user on both sides, and the way that leads into a group: pure, from facts to sentences.

use serde_json::Value as Json;
use serde_json::json;

use crate::model::id::SourceId;

/// A group on the way from a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its object id.
    pub id: SourceId,
    /// The name that people know it by.
    pub name: String,
}

impl Named {
    fn to_json(&self) -> Json {
        json!({"object": self.id.to_string(), "name": self.name})
    }
}

/// What is known of one group and one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts, each of its own")]
pub struct Facts {
    /// The user is a member of the group itself at the source.
    pub direct: bool,
    /// The target's group holds the user, as far as was sent.
    pub sent: bool,
    /// The group has a resource.
    pub group_linked: bool,
    /// The group is out of scope.
    pub group_out: bool,
    /// The group is deleted in Entra.
    pub group_gone: bool,
    /// Entra hides the members of the group from the application.
    pub hidden: bool,
    /// The user has a resource.
    pub user_linked: bool,
    /// The user is out of scope.
    pub user_out: bool,
    /// Members of nested groups count at the target.
    pub flattens: bool,
    /// Groups are managed by the job.
    pub managed: bool,
}

/// One group and the user, on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InGroup {
    /// The group.
    pub group: Named,
    /// The groups between the user and it, the nearest first; empty for a direct member and for none.
    pub through: Vec<Named>,
    /// What is known.
    pub facts: Facts,
}

impl InGroup {
    /// `direct`, `nested`, `hidden` or `no`.
    #[must_use]
    pub fn source(&self) -> &'static str {
        if self.facts.direct {
            "direct"
        } else if !self.through.is_empty() {
            "nested"
        } else if self.facts.hidden {
            "hidden"
        } else {
            "no"
        }
    }

    /// `in`, `not_in` or `no_group`.
    #[must_use]
    pub const fn target(&self) -> &'static str {
        if self.facts.sent {
            "in"
        } else if self.facts.group_linked {
            "not_in"
        } else {
            "no_group"
        }
    }

    /// Where the user stands at the source, in words.
    #[must_use]
    pub fn at_source(&self) -> String {
        match self.source() {
            "direct" => "a member in Entra".to_owned(),
            "nested" => format!("a member in Entra through {}", way(&self.through)),
            "hidden" => {
                "not known in Entra, which hides the members of this group from the application".to_owned()
            }
            _ => "no member in Entra".to_owned(),
        }
    }

    /// Where the user stands at the target, and why not elsewhere.
    #[must_use]
    pub fn at_target(&self) -> String {
        let facts = &self.facts;
        let (member, nested) = (self.source() == "direct", self.source() == "nested");
        if facts.sent {
            let still = if member || (nested && facts.flattens) {
                ""
            } else {
                " still"
            };
            return format!("in it{still} at the target");
        }
        let why = if !facts.managed {
            "this job manages no groups"
        } else if facts.group_gone {
            "the group is deleted in Entra"
        } else if facts.group_out {
            "the group is out of scope"
        } else if !facts.group_linked {
            "the group is not there yet"
        } else if nested && !facts.flattens {
            "members of nested groups count only with nested_groups = \"flatten\""
        } else if !(member || nested) {
            return "not in it at the target".to_owned();
        } else if facts.user_out {
            "the user is out of scope"
        } else if !facts.user_linked {
            "the user is not there"
        } else {
            "the next cycle adds it, unless `Next cycle` below says what keeps it back"
        };
        format!("not in it at the target: {why}")
    }

    /// The first sentence of an explanation that asks for one group.
    #[must_use]
    pub fn verdict(&self, user: &str) -> String {
        let (source, target) = (self.source() != "no", self.facts.sent);
        let group = &self.group.name;
        match (source && self.source() != "hidden", target) {
            (true, true) => format!(
                "{user} is in group `{group}` on both sides: {}.",
                self.at_source()
            ),
            (false, false) if self.source() == "no" => {
                format!("{user} is in group `{group}` on neither side: no member in Entra.")
            }
            _ => format!(
                "{user} and group `{group}`: {}; {}.",
                self.at_source(),
                self.at_target()
            ),
        }
    }

    /// As one JSON document.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "group": self.group.id.to_string(),
            "name": self.group.name,
            "source": self.source(),
            "target": self.target(),
            "through": self.through.iter().map(Named::to_json).collect::<Vec<_>>(),
            "because": format!("{}; {}", self.at_source(), self.at_target()),
        })
    }
}

/// The way that leads from a user into the scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The groups on it, the nearest first; the last one is the one that counts.
    pub groups: Vec<Named>,
    /// What the last one is: `assigned`, or a group that the filter asks for.
    pub by: &'static str,
    /// False where nested groups do not count, and it leads through one.
    pub counts: bool,
}

impl Way {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let last = match self.by {
            "assigned" => "which is assigned to the enterprise application",
            _ => "which the filter asks for",
        };
        let counts = if self.counts {
            ""
        } else {
            "; it does not count, because it is nested and nested_groups leaves that out"
        };
        format!("{}, {last}{counts}", way(&self.groups))
    }

    /// As one JSON document.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "groups": self.groups.iter().map(Named::to_json).collect::<Vec<_>>(), "by": self.by, "counts": self.counts,
        })
    }
}

fn way(groups: &[Named]) -> String {
    let names: Vec<String> = groups.iter().map(|group| format!("`{}`", group.name)).collect();
    names.join(" in ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(n: u8, name: &str) -> Named {
        Named {
            id: SourceId::from_bytes([n; 16]),
            name: name.to_owned(),
        }
    }

    fn there() -> Facts {
        Facts {
            group_linked: true,
            user_linked: true,
            managed: true,
            ..Facts::default()
        }
    }

    #[test]
    fn a_group_is_explained_on_both_sides() {
        let nested = vec![named(2, "Team")];
        for (facts, through, expected) in [
            (
                Facts {
                    direct: true,
                    sent: true,
                    ..there()
                },
                vec![],
                "ada is in group `Staff` on both sides: a member in Entra.",
            ),
            (
                there(),
                vec![],
                "ada is in group `Staff` on neither side: no member in Entra.",
            ),
            (
                Facts {
                    direct: true,
                    user_linked: false,
                    ..there()
                },
                vec![],
                "ada and group `Staff`: a member in Entra; not in it at the target: the user is not there.",
            ),
            (
                Facts {
                    direct: true,
                    group_out: true,
                    group_linked: false,
                    ..there()
                },
                vec![],
                "ada and group `Staff`: a member in Entra; not in it at the target: the group is out of scope.",
            ),
            (
                there(),
                nested.clone(),
                "ada and group `Staff`: a member in Entra through `Team`; not in it at the target: members of nested groups count only with nested_groups = \"flatten\".",
            ),
            (
                Facts {
                    sent: true,
                    flattens: true,
                    ..there()
                },
                nested,
                "ada is in group `Staff` on both sides: a member in Entra through `Team`.",
            ),
            (
                Facts {
                    sent: true,
                    ..there()
                },
                vec![],
                "ada and group `Staff`: no member in Entra; in it still at the target.",
            ),
            (
                Facts {
                    hidden: true,
                    ..there()
                },
                vec![],
                "ada and group `Staff`: not known in Entra, which hides the members of this group from the application; not in it at the target.",
            ),
        ] {
            let group = InGroup {
                group: named(1, "Staff"),
                through,
                facts,
            };
            assert_eq!(group.verdict("ada"), expected);
        }
    }

    #[test]
    fn a_way_says_what_counts() {
        let way = Way {
            groups: vec![named(1, "Team"), named(2, "Staff")],
            by: "assigned",
            counts: false,
        };
        assert_eq!(
            way.words(),
            "`Team` in `Staff`, which is assigned to the enterprise application; it does not count, because it is nested and nested_groups leaves that out"
        );
    }
}
