//! Tests of the snapshot: one conformance suite over all engines, laws of storing pages, crash points, damage.

mod assignments;
mod benchmark;
mod conformance;
mod crash;
mod files;
mod history;
mod laws;
mod pages;
mod proof;
mod scope;
mod transactions;
mod world;
