//! Words that more than one surface shows.

pub mod summary;
