//! The entries of a round: chosen at its beginning, in the order in which they will be served.

use super::Entry;
use crate::sandbox::tenant::Core;
use crate::sandbox::tenant::directory::Kind;
use crate::sandbox::tenant::directory::Life;
use crate::sandbox::tenant::read::hides_members;

/// Returns everything that is live, and with the fault `removed_in_initial` what is gone too.
pub(super) fn initial(core: &mut Core, kind: Kind, select: &[String]) -> Vec<Entry> {
    let with_gone = core.faults.removed_in_initial.strikes();
    let mut entries = Vec::new();
    let objects: Vec<usize> = core.directory.all(kind).collect();
    for at in objects {
        if core.directory.is_live(at) {
            slices(core, at, select, 0, with_gone, &mut entries);
        } else if with_gone {
            entries.push(plain(at));
        }
    }
    if with_gone && let Some(first) = entries.first().cloned() {
        entries.insert(
            0,
            Entry {
                unknown: true,
                members: None,
                ..first
            },
        );
    }
    quirks(core, entries)
}

/// Returns what changed after `since`, up to `until`, in a selected property, a selected relation, or its existence.
pub(super) fn following(
    core: &mut Core,
    kind: Kind,
    select: &[String],
    since: u64,
    until: u64,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for at in core.directory.changed_between(kind, since, until) {
        let object = &core.directory.objects[at];
        if object.life != Life::Live {
            if object.life_seq > since {
                entries.push(plain(at));
            }
            continue;
        }
        let property = select
            .iter()
            .any(|name| object.props.contains_key(name) && object.property_seq(name) > since);
        let manager = object.manager_seq > since && select.iter().any(|name| name == "manager");
        let edges = select.iter().any(|name| name == "members")
            && object.members.values().any(|edge| edge.seq > since)
            && !hides_members(core, at);
        if object.born > since || property || manager || edges {
            slices(core, at, select, since, true, &mut entries);
        }
    }
    quirks(core, entries)
}

fn plain(at: usize) -> Entry {
    Entry {
        at,
        members: None,
        stale: false,
        unknown: false,
    }
}

/// Adds the object with its member changes, in as many entries as the slice size requires.
fn slices(
    core: &Core,
    at: usize,
    select: &[String],
    since: u64,
    with_removed: bool,
    entries: &mut Vec<Entry>,
) {
    if !select.iter().any(|name| name == "members") || hides_members(core, at) {
        entries.push(plain(at));
        return;
    }
    let directory = &core.directory;
    let changed = directory.objects[at]
        .members
        .iter()
        .filter(|(_, edge)| edge.seq > since);
    let changes: Vec<(usize, bool)> = changed
        .map(|(member, edge)| (*member, !(edge.present && directory.is_live(*member))))
        .filter(|(_, removed)| with_removed || !removed)
        .collect();
    if changes.is_empty() {
        entries.push(plain(at));
        return;
    }
    for slice in changes.chunks(
        core.faults
            .members_per_slice
            .unwrap_or(core.options.members_per_slice)
            .max(1),
    ) {
        entries.push(Entry {
            members: Some(slice.to_vec()),
            ..plain(at)
        });
    }
}

/// Adds repeats, outdated first occurrences, and slices that come late.
fn quirks(core: &mut Core, mut entries: Vec<Entry>) -> Vec<Entry> {
    let faults = &mut core.faults;
    if faults.scatter_slices.strikes() {
        let mut late = Vec::new();
        let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            let again = kept
                .last()
                .is_some_and(|before| before.at == entry.at && entry.members.is_some());
            if again { late.push(entry) } else { kept.push(entry) }
        }
        kept.append(&mut late);
        entries = kept;
    }
    let mut repeats = Vec::new();
    if faults.repeat_objects.is_armed() || faults.stale_first.is_armed() {
        for entry in &mut entries {
            let stale = faults.stale_first.strikes();
            if faults.repeat_objects.strikes() || stale {
                repeats.push(entry.clone());
            }
            entry.stale = stale;
        }
    }
    entries.append(&mut repeats);
    entries
}
