//! Passkeys in Entra as evidence. A key at IDmelon is not a passkey in Entra: the workflow that registers it there can fail, and an
//! admin can reset it.

use super::enrolled::Passkey;
use crate::model::id::SourceId;

/// What the report of registered methods says of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// The user.
    pub user: SourceId,
    /// True where a passkey of any kind is registered.
    pub passkey: bool,
    /// True where the user holds an administrator's role.
    pub admin: bool,
}

/// The names under which `methodsRegistered` lists passkeys. Windows Hello for Business is none: it is of one device.
const METHODS: [&str; 5] = [
    "fido2SecurityKey",
    "passKeyDeviceBound",
    "passKeyDeviceBoundAuthenticator",
    "passKeyDeviceBoundWindowsHello",
    "passKeySynced",
];

/// Returns true for a registered method that is a passkey.
#[must_use]
pub fn is_passkey(method: &str) -> bool {
    METHODS.iter().any(|name| name.eq_ignore_ascii_case(method))
}

/// Returns what the passkeys of one user come to. `models`: the AAGUIDs that count; all where there is none.
#[must_use]
pub fn of_models(held: &[String], models: &[String]) -> Passkey {
    let counts =
        |held: &String| models.is_empty() || models.iter().any(|model| model.eq_ignore_ascii_case(held));
    if held.iter().any(counts) {
        Passkey::Yes
    } else {
        Passkey::NotSeen
    }
}

/// Combines pieces of evidence: one that was seen is enough.
#[must_use]
pub fn combined(evidence: impl IntoIterator<Item = Passkey>) -> Passkey {
    let better = |known, more| match (known, more) {
        (Passkey::Yes, _) | (_, Passkey::Yes) => Passkey::Yes,
        (Passkey::NotSeen, _) | (_, Passkey::NotSeen) => Passkey::NotSeen,
        (Passkey::Unknown, Passkey::Unknown) => Passkey::Unknown,
    };
    evidence.into_iter().fold(Passkey::Unknown, better)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passkey_that_was_seen_is_enough() {
        use Passkey::{NotSeen, Unknown, Yes};
        for (evidence, expected) in [
            (vec![], Unknown),
            (vec![Unknown, NotSeen], NotSeen),
            (vec![NotSeen, Yes], Yes),
            (vec![Yes, Unknown], Yes),
        ] {
            assert_eq!(combined(evidence.iter().copied()), expected, "{evidence:?}");
        }
    }

    #[test]
    fn a_passkey_counts_by_its_model_where_models_are_named() {
        let of = |held: &[&str], models: &[&str]| {
            let own =
                |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
            of_models(&own(held), &own(models))
        };
        assert_eq!(of(&["A"], &[]), Passkey::Yes);
        assert_eq!(of(&["A"], &["a", "b"]), Passkey::Yes);
        assert_eq!(of(&["c"], &["a", "b"]), Passkey::NotSeen);
        assert_eq!(of(&[], &[]), Passkey::NotSeen);
        assert!(is_passkey("fido2securitykey") && !is_passkey("windowsHelloForBusiness"));
    }
}
