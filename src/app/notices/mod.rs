//! Who is told of what: the states of each job, compared with those that people were told of.
//!
//! | file | what lives there |
//! | --- | --- |
//! | [`facts`] | the states that a job is in now |
//! | [`rules`] | what begins, gets worse, is repeated and ends; pure |
//! | [`receivers`] | the receivers of the settings, ready to be sent to |
//! | [`sample`] | `notify test` |
//!
//! The states that people know of are kept in the job's snapshot: a restart of the daemon tells nobody twice.

pub mod facts;
pub mod receivers;
pub mod rules;
pub mod sample;
