//! What is done to a snapshot as a whole, outside a cycle: moved, checked, cleaned, proven.
//!
//! | file | what lives there |
//! | --- | --- |
//! | [`migrate`] | older formats, brought to today's |
//! | [`transfer`], [`backup`], [`manifest`] | backup and restore, and what a backup says of itself |
//! | [`export`], [`import`] | JSON Lines out and in |
//! | [`verify`] | the self-check |
//! | [`proof`], `proof_check` | the history's export with the chain's proof, and the check of that |
//! | [`forget`], [`retention`], [`copies`] | erasing a person's values, old entries of the history, and where copies still hold them |
//! | [`place`] | whether the folder is where it was written |

pub mod backup;
pub mod copies;
pub mod export;
pub mod forget;
pub mod import;
pub mod manifest;
pub mod migrate;
pub mod place;
pub mod proof;
pub(super) mod proof_check;
pub mod retention;
pub mod transfer;
pub mod verify;
