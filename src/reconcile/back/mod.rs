//! The way back, decided: which values of the target go to Entra, and who is kept a member of the enrolled group
//! (docs/design/write-back.md).
//!
//! Pure and synchronous, as the planner is: what both sides were read to hold comes in, what is to be done comes out, and
//! time is a parameter. A value that was not read is no value: nothing is derived from it.

pub mod brake;
pub mod canonical;
pub mod cell;
pub mod decide;
pub mod echo;
pub mod enrolled;
pub mod finding;
pub mod group;
mod held;
pub mod keys;
pub mod life;
pub mod loops;
pub mod outcome;
pub mod passkeys;
pub mod standing;

#[cfg(test)]
mod laws;
