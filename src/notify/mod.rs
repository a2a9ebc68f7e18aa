//! Notifications: a state of a job that needs somebody is sent to receivers outside, by HTTP or to a program.
//!
//! | file | what lives there |
//! | --- | --- |
//! | [`message`] | what is sent, in its three forms; pure |
//! | [`receiver`] | one delivery: POST or program, with its limits and tries |
//! | [`queue`] | a queue for each receiver, which nobody waits for, and what became of what it took |
//!
//! Guarantees: a message names jobs, states and numbers, never a person or a value. No receiver is waited for: a queue
//! that is full drops the message and counts that. A 2xx means that the receiver took it, and no more.
//! The rules: docs/operations/notifications.md.

pub mod message;
pub mod queue;
pub mod receiver;
