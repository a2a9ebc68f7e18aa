//! The mapping that a job names, in the version that it was first used in.

use std::path::Path;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::files;
use crate::mapping::Mapping;
use crate::mapping::presets;
use crate::ports::Durability;
use crate::settings;
use crate::snapshot::state::{PRESET_PIN, StateReads};
use crate::snapshot::store::Snapshot;

/// The mapping that a job names: a preset, or a file ([`settings::mapping_place`]).
pub fn mapping(config: &Path, name: &str) -> Result<Mapping, AppError> {
    if let Some(preset) = Mapping::preset(name) {
        return Ok(preset);
    }
    let (file, text) = text(config, name)?;
    parsed(&file, &text)
}

/// The file of the mapping that a job names, to be read and copied: a preset's own, or the one that is named.
pub fn mapping_file(config: &Path, name: &str) -> Result<String, AppError> {
    match presets::text(name) {
        Some(text) => Ok(text.to_owned()),
        None => text(config, name).map(|(_, text)| text),
    }
}

/// The name and the text of the file that a job's mapping is in.
pub fn text(config: &Path, name: &str) -> Result<(String, String), AppError> {
    let path = settings::mapping_place(config, name);
    let text = files::read_text(&path, settings::LARGEST_FILE).map_err(|cause| {
        let shown = ErrorText {
            what: format!("cannot read the mapping `{name}`"),
            causes: vec![cause.to_string()],
            ..ErrorText::default()
        };
        let presets = presets::names().collect::<Vec<_>>().join(", ");
        let advice = format!(
            "`provisioning.mapping` names a preset ({presets}) or a file such as config/mappings/acme.toml"
        );
        AppError::new(
            ErrorKind::Usage,
            shown
                .at(format!("{}: jobs.*.provisioning.mapping", config.display()))
                .advise(advice),
        )
    })?;
    Ok((path.display().to_string(), text))
}

/// The mapping that a text holds. `file`: where it is from, for messages.
pub fn parsed(file: &str, text: &str) -> Result<Mapping, AppError> {
    Mapping::from_toml(file, text).map_err(|problems| {
        let shown = ErrorText {
            what: problems.to_string(),
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Usage,
            shown.advise("correct the mapping file; nothing was read or written"),
        )
    })
}

/// The mapping that a job names, a preset's bare name in the version of its first use in this snapshot: a new release of
/// melonsync must not change what a tenant sends. A version that is named outright is the pin from then on.
pub fn pinned_mapping(config: &Path, name: &str, snapshot: &Snapshot) -> Result<Mapping, AppError> {
    if Mapping::preset(name).is_none() {
        return mapping(config, name);
    }
    let found = preset_in_force(name, snapshot)?;
    let preset = bare(name);
    if snapshot.state_under(&PRESET_PIN, preset)?.as_deref() != Some(found.name.as_str()) {
        let mut tx = snapshot.tx()?;
        tx.put_state_under(&PRESET_PIN, preset, &found.name);
        tx.commit(Durability::Synced)?;
    }
    Ok(found)
}

fn bare(preset: &str) -> &str {
    preset.split_once('@').map_or(preset, |(preset, _)| preset)
}

/// A preset in the version that this snapshot is pinned to. Nothing is pinned by looking.
pub fn preset_in_force(name: &str, snapshot: &Snapshot) -> Result<Mapping, AppError> {
    let preset = bare(name);
    let pin = snapshot.state_under(&PRESET_PIN, preset)?;
    let wanted = pin.filter(|_| preset == name).unwrap_or_else(|| name.to_owned());
    Mapping::preset(&wanted).ok_or_else(|| {
        AppError::usage(
            format!("the mapping `{name}` was pinned to `{wanted}` at its first use, and this melonsync does not have that"),
            format!(
                "install a melonsync that has it, or name a version that this one has: mapping = \"{}\"",
                Mapping::preset(name).map_or_else(String::new, |newest| newest.name)
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::snapshot::kv::memory::MemoryStore;

    #[test]
    fn a_presets_bare_name_is_pinned_at_its_first_use() {
        let store = Arc::new(MemoryStore::new());
        let snapshot = Snapshot::open(store, Path::new("memory")).unwrap();
        let mapping = |name: &str| pinned_mapping(Path::new("melonsync.toml"), name, &snapshot);
        let pin = || snapshot.state_under(&PRESET_PIN, "idmelon").unwrap();
        let set = |pin: &str| {
            let mut tx = snapshot.tx().unwrap();
            tx.put_state_under(&PRESET_PIN, "idmelon", &pin.to_owned());
            tx.commit(Durability::Synced).unwrap();
        };
        assert_eq!(mapping("idmelon").unwrap().name, "idmelon@1");
        assert_eq!(pin().as_deref(), Some("idmelon@1"));
        // Another preset has a pin of its own.
        assert_eq!(mapping("scim").unwrap().name, "scim@1");
        // What a later melonsync pinned is not silently replaced by what this one has.
        set("idmelon@99");
        let refused = mapping("idmelon").unwrap_err().errors.remove(0);
        assert!(refused.what.contains("pinned to `idmelon@99`"), "{refused:?}");
        let advice = refused.advice.unwrap_or_default();
        assert!(advice.contains("mapping = \"idmelon@1\""), "{advice}");
        // A version that is named outright is the pin from then on.
        assert_eq!(mapping("idmelon@1").unwrap().name, "idmelon@1");
        assert_eq!(pin().as_deref(), Some("idmelon@1"));
        assert_eq!(mapping("idmelon").unwrap().name, "idmelon@1");
    }
}
