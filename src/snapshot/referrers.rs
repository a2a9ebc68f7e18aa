//! Who refers to many objects at once.

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::snapshot::keys;
use crate::snapshot::pages::PAGE;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;

/// The rough number of objects that refer to one object: a group or two, and for some of them ten reports.
const REFERRERS_EACH: usize = 4;

/// As few objects are asked for one by one.
const FEW: usize = 4;

/// Questions for whoever refers to several objects.
pub trait ReferrerReads: Reads {
    /// Returns the objects that refer to any of these objects, some more than once. They are read together for as long
    /// as they lie close: an initial cycle looks up every object, in order.
    fn referrers_of(&self, referred: &[SourceId]) -> Result<Vec<(ObjectKind, SourceId)>, StoreError> {
        let mut ids = referred.to_vec();
        ids.sort_unstable();
        let (mut found, mut rest) = (Vec::new(), ids.as_slice());
        while rest.len() > FEW {
            let limit = (rest.len() * REFERRERS_EACH).min(PAGE);
            let page = self.raw_scan(Table::Referrers, &[], Some(rest[0].as_bytes()), limit)?;
            let read = page
                .iter()
                .map(|(key, _)| keys::parse_referrer(key).ok_or_else(|| self.bad_key(Table::Referrers)));
            let read: Vec<(SourceId, ObjectKind, SourceId)> = read.collect::<Result<_, _>>()?;
            // More referrers of the last object that was met may follow.
            let met = match read.last() {
                Some((last, ..)) if read.len() == limit => rest.partition_point(|id| id < last),
                _ => rest.len(),
            };
            let whole;
            (whole, rest) = rest.split_at(met);
            let wanted = read
                .into_iter()
                .filter(|(id, ..)| whole.binary_search(id).is_ok());
            found.extend(wanted.map(|(_, kind, by)| (kind, by)));
            // Most of what was read belongs to objects that were not asked for, or all of it to one object with very
            // many referrers.
            if met * REFERRERS_EACH < limit / 4 {
                break;
            }
        }
        for id in rest {
            found.extend(self.all_referrers(id)?);
        }
        Ok(found)
    }

    /// Returns all objects that refer to one object.
    fn all_referrers(&self, referred: &SourceId) -> Result<Vec<(ObjectKind, SourceId)>, StoreError> {
        let mut all = Vec::new();
        let mut pages = Pages::fixed(|one: &(ObjectKind, SourceId)| *one);
        while let Some(page) =
            pages.next_page(|after, limit| self.referrers(referred, after.copied(), limit))?
        {
            all.extend(page);
        }
        Ok(all)
    }
}

impl<T: Reads> ReferrerReads for T {}
