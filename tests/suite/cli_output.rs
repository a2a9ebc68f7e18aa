//! The real program, as somebody at a terminal or a script meets it: output, exit codes, signals, bad input.

mod answers;
mod attacks;
mod bad_input;
mod check;
mod conformance;
mod copies;
mod decisions;
mod dialect;
mod drift;
mod ends;
mod entra_job;
mod files;
mod flags;
mod hints;
mod history;
mod killed;
mod listing;
mod not_kept;
mod quarantine;
mod redaction;
mod saved_plan;
mod shown_back;
mod standing;
mod state;
mod undo;
mod verbs;
pub mod world;
