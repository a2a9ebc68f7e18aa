//! Words that more than one surface shows.

pub mod count;
pub mod summary;
