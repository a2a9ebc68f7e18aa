//! The engines below the snapshot: keys and values in tables, committed whole or not at all.
//!
//! | file | what lives there |
//! | --- | --- |
//! | [`sled`], [`redb`], [`memory`] | the engines behind [`crate::ports::SnapshotStore`]; [`embedded`] chooses |
//! | [`overlay`] | a store over one that is not to be written |
//! | [`moment`] | a store as it was, while others write to it |
//! | [`blocks`] | many small entries in one value, for [`sled`] |

pub mod blocks;
pub mod embedded;
pub mod memory;
pub mod moment;
pub mod overlay;
pub mod redb;
pub mod sled;
