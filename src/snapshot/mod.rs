//! The snapshot: what was read of the source, what was sent to the target, and what is still to be done.
//!
//! | file | what lives there |
//! | --- | --- |
//! | [`store`] | [`store::Snapshot`]: opening, binding, counters; [`tx`] and [`work`] its write transactions |
//! | [`read`] | every question to a snapshot, or inside a transaction |
//! | [`pages`] | walks over a table, a page at a time |
//! | [`page`] | how one delta page is stored; [`round`] how rounds begin and end |
//! | [`assignments`] | which users and groups are assigned, and which objects are looked at again when that changes |
//! | [`drift`] | where the target, as last read, differs from what we left |
//! | [`escrow`] | which objects are set aside after a failure, and until when |
//! | [`history`] | the audit log: chained by hash, values beside the chain |
//! | [`query`], [`proof`] | queries of the history; its export with the chain's proof, and the check of that |
//! | [`keys`], [`record`], `coded`, [`counts`] | encodings: part of the format |
//! | [`migrate`], [`transfer`], [`export`], [`import`], [`verify`] | older formats; backup and restore; JSON Lines out and in; self-check |
//! | [`undone`] | what an undo holds |
//! | [`forget`], [`place`] | erasing a person's values; whether the folder is where it was written |
//! | [`sled`], [`redb`], [`memory`] | the engines behind [`crate::ports::SnapshotStore`]; [`embedded`] chooses |
//! | [`overlay`] | a store over one that is not to be written |
//! | `recent` | a memory of which objects are linked and which are dirty |
//! | [`blocks`] | many small entries in one value, for [`sled`] |
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
pub mod backup;
pub mod blocks;
mod coded;
pub mod copies;
pub mod counts;
pub mod drift;
pub mod embedded;
pub mod escrow;
pub mod export;
pub mod filled;
pub mod folder;
pub mod forget;
pub mod history;
pub mod import;
mod io;
pub mod kept_back;
pub mod keys;
pub mod lock;
pub mod look;
pub mod manifest;
pub mod memory;
pub mod migrate;
pub mod named;
pub mod overlay;
pub mod page;
pub mod pages;
pub mod place;
mod possible;
pub mod proof;
mod proof_check;
pub mod quarantine;
pub mod query;
pub mod read;
mod recent;
pub mod record;
pub mod redb;
pub mod refused;
pub mod retention;
pub mod round;
pub mod scope;
pub mod sled;
pub mod state;
pub mod store;
pub mod transfer;
pub mod tx;
pub mod undone;
pub mod verify;
pub mod work;

#[cfg(test)]
mod tests;
