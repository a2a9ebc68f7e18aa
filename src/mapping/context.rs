//! The inputs of an evaluation beside the object: the time, the source of randomness, the tenant.
//!
//! The core has no clock and no randomness. A cycle has one time, and random values come from a key: the same object
//! and row get the same value in every cycle, as long as the key is kept.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::model::clock::Timestamp;

/// The inputs that every evaluation of a cycle shares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// The key that `RandomString` and `Guid` draw from: 32 random bytes, made once for a snapshot and kept in it.
    /// Anyone with the key can compute the values; the default, all zeros, is for trying expressions out.
    pub seed: Seed,
    /// The result of `Now`: the cycle's time. `None` where there is none; `Now` fails then.
    ///
    /// A row that only compares an age gives the same result all day, one that prints the time a new one in each
    /// evaluation. Objects are evaluated again when they change, and all of them once a day
    /// ([`Mapping::uses_now`](super::Mapping::uses_now)); a request is sent only where the result differs.
    pub now: Option<Timestamp>,
    /// The result of `DefaultDomain`. The tenant's default domain is read with `Organization.Read.All` or
    /// `Domain.Read.All`, which melonsync does not ask for. With `None`, `DefaultDomain` fails with advice, because
    /// null in its place would make half an address, or clear one.
    pub default_domain: Option<Arc<str>>,
}

/// A key for values that only seem random. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Seed(pub [u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Context {
    /// Sets the time.
    #[must_use]
    pub const fn at(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }
}

/// The place that a value is drawn for: the same place gives the same value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The object's id.
    pub(super) object: &'a [u8],
    /// The row's target path.
    pub(super) row: &'a str,
    /// The number of the row's draw, in the order of the text.
    pub(super) draw: u16,
}

/// Endless bytes: HMAC-SHA-256 under the seed, over the place and a counter.
pub(super) struct Stream<'a> {
    seed: Seed,
    place: Place<'a>,
    counter: u32,
    block: [u8; 32],
    used: usize,
}

impl<'a> Stream<'a> {
    pub(super) const fn new(seed: Seed, place: Place<'a>) -> Self {
        Self {
            seed,
            place,
            counter: 0,
            block: [0; 32],
            used: 32,
        }
    }

    pub(super) fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            self.block = self.next_block();
            self.used = 0;
        }
        let byte = self.block[self.used];
        self.used += 1;
        byte
    }

    /// Draws a number below `count`, all equally likely. `count` is from 1 to 256.
    pub(super) fn below(&mut self, count: usize) -> usize {
        // The last, incomplete run of numbers would make small ones likelier.
        let whole = 256 - 256 % count;
        loop {
            let drawn = usize::from(self.byte());
            if drawn < whole {
                return drawn % count;
            }
        }
    }

    fn next_block(&mut self) -> [u8; 32] {
        let mut inner = Sha256::new();
        inner.update(self.pad(0x36));
        for part in [self.place.object, self.place.row.as_bytes()] {
            // Length first: no two places may yield the same bytes.
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part);
        }
        inner.update(self.place.draw.to_be_bytes());
        inner.update(self.counter.to_be_bytes());
        self.counter += 1;
        let mut outer = Sha256::new();
        outer.update(self.pad(0x5C));
        outer.update(inner.finalize());
        outer.finalize().into()
    }

    /// Returns the key in a block of the hash, as HMAC wants it (RFC 2104).
    fn pad(&self, with: u8) -> [u8; 64] {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(self.seed.0) {
            *byte ^= key;
        }
        block
    }
}

/// The planner's knowledge beside the object's own attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// `IsSoftDeleted`: out of scope, unassigned, soft-deleted, or `accountEnabled` false
    /// (default-mappings.json, `isSoftDeleted_true_when`).
    pub soft_deleted: bool,
}
