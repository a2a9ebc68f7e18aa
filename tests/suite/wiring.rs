//! Wiring: each key of the settings does something that can be seen from outside.
//!
//! The keys are asked of the settings themselves: a key that is not known is refused with the names of those that are. A key without a
//! row here fails [`every_key_has_a_row`]; a row's test sets its key by the variable that overrides it, and looks at what the real
//! program then does to the sample tenant and workspace. Where the default is not the other half of the comparison by itself, the row
//! looks at both.

mod admin;
mod daemon;
mod dialect;
mod drift;
mod groups;
mod keys;
mod notify;
mod provisioning;
mod removals;
mod source;
pub mod stage;
mod state;
mod target;
mod thresholds;
mod writeback;

/// Makes a test of each row, and the list of all keys that have one.
macro_rules! rows {
    ($($($key:literal),+ => $check:ident;)+) => {
        pub const KEYS: &[&str] = &[$($($key),+),+];
        mod effect {
            $(#[test]
            fn $check() {
                super::$check();
            })+
        }
    };
}
use rows;

#[test]
fn every_key_has_a_row() {
    let tables = [
        admin::KEYS,
        daemon::KEYS,
        dialect::KEYS,
        drift::KEYS,
        groups::KEYS,
        notify::KEYS,
        provisioning::KEYS,
        removals::KEYS,
        source::KEYS,
        state::KEYS,
        target::KEYS,
        thresholds::KEYS,
        writeback::KEYS,
    ];
    let rows: Vec<&str> = tables.concat();
    let known = keys::known();
    assert!(known.len() > 60, "{known:#?}");
    let without: Vec<_> = known.iter().filter(|key| !rows.contains(&key.as_str())).collect();
    assert!(without.is_empty(), "no row says what these keys do: {without:#?}");
    let unknown: Vec<_> = rows
        .iter()
        .filter(|row| !known.iter().any(|key| key == *row))
        .collect();
    assert!(
        unknown.is_empty(),
        "rows of keys that are not there: {unknown:#?}"
    );
}
