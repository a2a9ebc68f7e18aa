//! The snapshot: what was read of the source, what was sent to the target, and what is still to be done.
//!
//! | file | what lives there |
//! | --- | --- |
//! | [`store`] | [`store::Snapshot`]: opening, binding, counters; [`tx`] and [`work`] its write transactions |
//! | [`read`] | every question to a snapshot, or inside a transaction |
//! | [`pages`] | walks over a table, a page at a time |
//! | [`page`] | how one delta page is stored; [`round`] how rounds begin and end; [`existence`] what asking for one object proves |
//! | [`assignments`] | which users and groups are assigned, and which objects are looked at again when that changes |
//! | [`cycles`] | the cycles that are kept, in short |
//! | [`drift`] | where the target, as last read, differs from what we left |
//! | [`escrow`] | which objects are set aside after a failure, and until when |
//! | [`history`] | the audit log: chained by hash, values beside the chain |
//! | [`query`] | queries of the history |
//! | [`keys`], [`record`], `coded`, [`counts`] | encodings: part of the format |
//! | [`undone`] | what an undo holds |
//! | [`kv`] | the engines behind [`crate::ports::SnapshotStore`], and a store over one that is not to be written |
//! | [`maintenance`] | older formats, backup and restore, export and import, self-check, forgetting, the history's proof |
//! | [`called`] | a memory of what objects are called, for searches |
//! | `recent` | a memory of which objects are linked and which are dirty |
//! | [`lock`], [`folder`] | one process a state folder; the layout of that folder |
//!
//! Guarantee: a commit is whole or absent, whatever crashes when, and what [`crate::ports::Durability::Synced`]
//! promised survives a power cut. After a crash the snapshot may be older than the target, never newer: an open
//! create-intent records where, and is resolved before anything else happens to its object.
//!
//! Errors: every read returns [`crate::ports::StoreError::Damaged`] where a record does not decode, and every read or
//! write returns whatever the engine below reports. A function documents its errors only where it has others.

pub mod again;
pub mod assignments;
pub mod called;
pub mod cells;
mod coded;
pub mod counts;
pub mod cycles;
pub mod drift;
pub mod enrolments;
pub mod escrow;
pub mod existence;
pub mod filled;
pub mod folder;
pub mod history;
mod io;
pub mod kept_back;
pub mod keys;
pub mod kv;
pub mod lock;
pub mod look;
pub mod maintenance;
mod moved;
pub mod named;
pub mod observed;
pub mod page;
pub mod pages;
mod possible;
pub mod quarantine;
pub mod query;
pub mod read;
mod recent;
pub mod record;
mod referrers;
pub mod refused;
pub mod round;
pub mod scope;
pub mod state;
pub mod store;
pub mod tx;
pub mod undone;
pub mod work;

#[cfg(test)]
mod tests;
