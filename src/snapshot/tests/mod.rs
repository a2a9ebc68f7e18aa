//! Tests of the snapshot: one conformance suite over all engines, laws of storing pages, crash points, damage.

mod assignments;
mod benchmark;
mod cells;
mod concurrent;
mod conformance;
mod crash;
mod disk;
mod engines;
mod files;
mod forget;
mod history;
mod journal;
mod laws;
mod marks;
mod named;
mod pages;
mod power_cut;
mod proof;
mod restore;
mod scope;
mod state;
mod strace;
mod transactions;
mod world;
