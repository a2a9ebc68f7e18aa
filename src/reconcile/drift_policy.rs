//! What is done about drift: reported, or healed, by class and by attribute.

use std::collections::BTreeMap;

use crate::mapping::Drift as OnDrift;
use crate::mapping::TargetPath;

/// The drift policy of a job (`drift`). A mapping row's own word goes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftPolicy {
    /// Where nothing more exact is said: report.
    pub default: OnDrift,
    /// Linked resources that are gone at the target: healed, they are created again.
    pub missing: Option<OnDrift>,
    /// Attributes that hold another value, where no attribute of that name is said.
    pub modified: Option<OnDrift>,
    /// Members that groups lack or hold in excess.
    pub membership: Option<OnDrift>,
    /// By attribute, in lower case: a whole path as the mapping writes it, or the attribute's name alone.
    pub attributes: BTreeMap<String, OnDrift>,
    /// Heal whatever was found, whatever is said elsewhere: somebody asked for it (`drift --heal`).
    pub everything: bool,
}

impl Default for DriftPolicy {
    fn default() -> Self {
        Self {
            default: OnDrift::Report,
            missing: None,
            modified: None,
            membership: None,
            attributes: BTreeMap::new(),
            everything: false,
        }
    }
}

impl DriftPolicy {
    /// The same word for all of it.
    #[must_use]
    pub fn all(word: OnDrift) -> Self {
        Self {
            default: word,
            ..Self::default()
        }
    }

    /// Heals whatever is found.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// True when an attribute's drift is healed. `own` is the word of its mapping row.
    #[must_use]
    pub fn heals(&self, target: &TargetPath, own: Option<OnDrift>) -> bool {
        let named = |name: &str| self.attributes.get(&name.to_lowercase()).copied();
        let word = own
            .or_else(|| named(target.as_str()))
            .or_else(|| named(target.attribute()))
            .or(self.modified);
        self.word(word)
    }

    /// True when memberships are healed. `own` is the word of the mapping's row of members.
    #[must_use]
    pub fn heals_members(&self, own: Option<OnDrift>) -> bool {
        self.word(own.or(self.membership))
    }

    /// True when a resource that is gone at the target is created again.
    #[must_use]
    pub fn heals_missing(&self) -> bool {
        self.word(self.missing)
    }

    fn word(&self, exact: Option<OnDrift>) -> bool {
        self.everything || exact.unwrap_or(self.default) == OnDrift::Heal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_exact_word_counts() {
        use OnDrift::{Heal, Report};
        let work = "emails[type eq \"work\"].value";
        for (name, policy, path, own, expected) in [
            ("nothing said", DriftPolicy::default(), "title", None, false),
            ("all of it", DriftPolicy::all(Heal), "title", None, true),
            (
                "the row's own word",
                DriftPolicy::default(),
                "title",
                Some(Heal),
                true,
            ),
            (
                "the row's own word against it",
                DriftPolicy::all(Heal),
                "title",
                Some(Report),
                false,
            ),
            (
                "somebody asked",
                DriftPolicy::everything(),
                "title",
                Some(Report),
                true,
            ),
            (
                "by class",
                DriftPolicy {
                    modified: Some(Heal),
                    ..DriftPolicy::default()
                },
                "title",
                None,
                true,
            ),
            (
                "by class, not all",
                DriftPolicy {
                    modified: Some(Report),
                    ..DriftPolicy::all(Heal)
                },
                "title",
                None,
                false,
            ),
            ("by attribute", by(&[("emails", Heal)]), work, None, true),
            ("by path", by(&[(work, Heal)]), work, None, true),
            (
                "the path before the attribute",
                by(&[("emails", Heal), (work, Report)]),
                work,
                None,
                false,
            ),
            ("another attribute", by(&[("active", Heal)]), "title", None, false),
            ("in any case", by(&[("active", Heal)]), "Active", None, true),
        ] {
            let target: TargetPath = path.parse().unwrap();
            assert_eq!(policy.heals(&target, own), expected, "{name}");
        }
    }

    fn by(words: &[(&str, OnDrift)]) -> DriftPolicy {
        DriftPolicy {
            attributes: words
                .iter()
                .map(|(name, word)| ((*name).to_owned(), *word))
                .collect(),
            ..DriftPolicy::default()
        }
    }

    #[test]
    fn missing_and_members_have_their_own_words() {
        let policy = DriftPolicy {
            membership: Some(OnDrift::Heal),
            ..DriftPolicy::default()
        };
        assert!(policy.heals_members(None) && !policy.heals_members(Some(OnDrift::Report)));
        assert!(!policy.heals_missing());
        assert!(
            DriftPolicy {
                missing: Some(OnDrift::Heal),
                ..DriftPolicy::default()
            }
            .heals_missing()
        );
        assert!(DriftPolicy::all(OnDrift::Heal).heals_missing());
    }
}
