//! The mappings that come with melonsync. Each is a file of `config/mappings/`, so that what users read and copy is the
//! preset itself.

use super::rows::Mapping;

/// Name, version, text; of one name the newest version last.
const PRESETS: &[(&str, u32, &str)] = &[
    ("idmelon", 1, include_str!("../../config/mappings/idmelon.toml")),
    ("scim", 1, include_str!("../../config/mappings/scim.toml")),
];

/// Returns the names of the presets, without versions.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, ..)| *name)
}

impl Mapping {
    /// Returns the preset of that name; without a version, its newest.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        preset(name)
    }
}

/// Returns the file of the preset of that name; without a version, of its newest.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    found(name).map(|(_, _, text)| text)
}

fn found(wanted: &str) -> Option<(&'static str, u32, &'static str)> {
    let (wanted, version) = match wanted.split_once('@') {
        Some((name, version)) => (name, Some(version.parse::<u32>().ok()?)),
        None => (wanted, None),
    };
    PRESETS
        .iter()
        .rev()
        .find(|(name, known, _)| *name == wanted && version.is_none_or(|version| version == *known))
        .copied()
}

fn preset(wanted: &str) -> Option<Mapping> {
    let (name, version, text) = found(wanted)?;
    let mapping = Mapping::from_toml(&format!("{name}@{version}"), text);
    // A preset is part of the program, and a test parses each of them.
    Some(mapping.expect("an embedded preset is a valid mapping"))
}
