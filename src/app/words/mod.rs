//! Views and decisions as people read them: the lines that a command prints, and the API gives to who asks for plain text.
//!
//! Values from the directory are shown with [`crate::model::shown::shown`]: no line of theirs begins one of ours.

mod check;
mod contrast;
mod decisions;
pub mod drift;
mod entra_job;
mod entra_verdict;
mod escrow;
pub mod history;
mod holds;
mod mapping;
pub mod objects;
pub mod state;
mod status;
mod timeline;
mod withheld;

use super::views::cycles::Cycles;
use super::views::explain::Explained;
use super::views::history::HistoryPage;

/// Something that people read.
pub trait Words {
    /// It in words: one line or more.
    fn words(&self) -> String;
}

impl Words for Explained {
    fn words(&self) -> String {
        Self::words(self)
    }
}

impl Words for Cycles {
    fn words(&self) -> String {
        history::cycles(self)
    }
}

impl Words for HistoryPage {
    fn words(&self) -> String {
        self.entries.iter().map(history::entry).collect()
    }
}
