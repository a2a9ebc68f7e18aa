//! The values beside the chain: the personal values of the entries, each with its salt. They can be erased without
//! breaking the chain.
//!
//! Attribute names are numbers here, as in an object's record: as texts they made up more than half of all values.
//! Format 3 and older wrote texts; both are read, and both digests hold.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::operation::Change;

use super::Hash;
use crate::snapshot::coded::{CodedChanges, DecodedChanges};
use crate::snapshot::read::Reads;
use crate::snapshot::record::{self, Undecodable};

/// The version of values whose names are numbers.
const CODED: u8 = 2;

/// The erasable values of an entry, and texts of others that may contain some.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Values {
    /// Values before and after, by attribute.
    pub changes: Vec<Change>,
    /// The message of a failure.
    pub detail: Option<String>,
}

impl Values {
    /// Encodes the values as they are written and digested.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(CODED);
        record::encode_onto(bytes, &(CodedChanges(&self.changes), &self.detail))
    }

    /// Returns true when the digest is that of these values with this salt.
    pub(in crate::snapshot) fn are_those_of(&self, digest: &Hash, salt: &[u8; 16]) -> bool {
        digest_of(salt, &self.encode()) == *digest || digest_of(salt, &record::encode(self)) == *digest
    }
}

/// Computes the digest of encoded values.
pub(super) fn digest_of(salt: &[u8; 16], values: &[u8]) -> Hash {
    Sha256::new()
        .chain_update(salt)
        .chain_update(values)
        .finalize()
        .into()
}

/// The values beside a record of the chain, entry by entry; `None` for an erased entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::snapshot) struct BatchValues(pub(in crate::snapshot) Vec<Option<([u8; 16], Values)>>);

impl BatchValues {
    /// Encodes the value.
    pub(in crate::snapshot) fn encode(&self) -> Vec<u8> {
        let mut written = Written::default();
        for held in &self.0 {
            match held {
                Some((salt, values)) => written.add(salt, &values.encode()),
                None => written.add_erased(),
            }
        }
        written.end()
    }

    /// Decodes the value.
    pub(in crate::snapshot) fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        type Plain = Vec<Option<([u8; 16], Values)>>;
        type Coded = Vec<Option<([u8; 16], (DecodedChanges, Option<String>))>>;
        let Some((&CODED, body)) = bytes.split_first() else {
            return record::decode::<Plain>(bytes).map(Self);
        };
        let coded: Coded = record::take_all(body)?;
        let values = |(changes, detail): (DecodedChanges, _)| Values {
            changes: changes.into(),
            detail,
        };
        let held = coded
            .into_iter()
            .map(|held| held.map(|(salt, coded)| (salt, values(coded))));
        Ok(Self(held.collect()))
    }

    /// Reads the values beside the record with this key; empty where all of them were erased.
    pub(in crate::snapshot) fn beside(snapshot: &impl Reads, key: &[u8]) -> Result<Self, StoreError> {
        let Some(bytes) = snapshot.raw(Table::HistoryValues, key)? else {
            return Ok(Self::default());
        };
        Self::decode(&bytes)
            .map_err(|error| snapshot.damaged(format_args!("{error}, in table {:?}", Table::HistoryValues)))
    }
}

/// A [`BatchValues`] being built, of values that are encoded once, for their digest and for the record alike.
#[derive(Default)]
pub(super) struct Written {
    count: usize,
    items: Vec<u8>,
}

impl Written {
    pub(super) fn add(&mut self, salt: &[u8; 16], values: &[u8]) {
        self.count += 1;
        self.items.push(1);
        self.items.extend_from_slice(salt);
        self.items.extend_from_slice(&values[1..]); // without its version: that of the record counts
    }

    fn add_erased(&mut self) {
        self.count += 1;
        self.items.push(0);
    }

    pub(super) fn end(&self) -> Vec<u8> {
        let mut bytes = record::encode_onto(vec![CODED], &self.count);
        bytes.extend_from_slice(&self.items);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;

    fn values() -> Values {
        let change = |attribute: &str, after: Value| Change {
            attribute: attribute.into(),
            before: Value::Null,
            after,
        };
        Values {
            changes: vec![
                change("accountEnabled", Value::Bool(true)),
                change(r#"phoneNumbers[type eq "work"].value"#, Value::text("1")),
                change("urn:none:of:ours:colour", Value::text("blue")),
            ],
            detail: Some("detail".to_owned()),
        }
    }

    const SALT: [u8; 16] = [7; 16];

    #[test]
    fn what_is_beside_a_record_is_read_back_erased_entries_included() {
        let all = BatchValues(vec![
            Some((SALT, values())),
            None,
            Some((SALT, Values::default())),
        ]);
        assert_eq!(BatchValues::decode(&all.encode()).unwrap(), all);
        assert_eq!(
            BatchValues::decode(&BatchValues::default().encode()).unwrap(),
            BatchValues::default()
        );
        let mut longer = all.encode();
        longer.push(0);
        for spoilt in [&longer[..], &all.encode()[..40], &[], &[9, 0]] {
            assert!(BatchValues::decode(spoilt).is_err(), "{spoilt:?}");
        }
    }

    #[test]
    fn what_formats_before_wrote_is_read_and_proven() {
        let plain = vec![Some((SALT, values())), None];
        let read = BatchValues::decode(&record::encode(&plain)).unwrap();
        assert_eq!(read, BatchValues(plain));
        let digest = digest_of(&SALT, &record::encode(&values()));
        assert!(values().are_those_of(&digest, &SALT));
        assert!(!values().are_those_of(&digest, &[8; 16]));
        assert!(!Values::default().are_those_of(&digest, &SALT));
    }

    /// Checks the first and the last name that is written as a number, and one that is not. A stored digest is compared
    /// with one computed from what this writes: if this test fails, every existing history would count as altered.
    #[test]
    fn what_is_digested_never_changes() {
        let written: String = values()
            .encode()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let expected = "0203010001014d00030131001775726e3a6e6f6e653a6f663a6f7572733a636f6c6f7572000304626c7565010664657461696c";
        assert_eq!(written, expected);
        assert!(values().are_those_of(&digest_of(&SALT, &values().encode()), &SALT));
    }
}
