//! Paging: by what was returned, until nothing new comes (RFC 7644 section 3.4.2.4, RFC 9865).
//!
//! Servers ignore `count`, ignore `startIndex` and answer the first page for ever, or leave out `totalResults`. A
//! listing therefore ends where a page begins with a resource that an earlier page began with. Whether it was complete
//! is for the caller to judge, by distinct ids against the total.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::resource::Listing;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::ListPage;
use crate::ports::ListPosition;

/// The page that is asked for where the service names no limit: large enough to be quick, small enough to answer soon.
pub const PAGE: u64 = 500;

/// With which resource each page of the listing under way began, for users and groups.
#[derive(Debug, Default)]
pub struct Progress {
    users: Mutex<HashSet<TargetId>>,
    groups: Mutex<HashSet<TargetId>>,
}

impl Progress {
    /// Turns an answer into a page, and says where the listing goes on.
    pub fn page(
        &self,
        kind: ObjectKind,
        from: Option<&ListPosition>,
        listing: Listing,
        by_cursor: bool,
    ) -> ListPage {
        let fresh = self.is_fresh(kind, from.is_none(), &listing);
        let next = if fresh {
            next(from, &listing, by_cursor)
        } else {
            None
        };
        ListPage {
            resources: listing.resources,
            total: listing.total,
            next,
        }
    }

    fn is_fresh(&self, kind: ObjectKind, first_page: bool, listing: &Listing) -> bool {
        let begun = match kind {
            ObjectKind::User => &self.users,
            ObjectKind::Group => &self.groups,
        };
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        if first_page {
            begun.clear();
        }
        listing
            .resources
            .first()
            .is_none_or(|first| begun.insert(first.id.clone()))
    }
}

/// Where a listing goes on after this answer.
fn next(from: Option<&ListPosition>, listing: &Listing, by_cursor: bool) -> Option<ListPosition> {
    if by_cursor && let Some(cursor) = &listing.next_cursor {
        let repeated = matches!(from, Some(ListPosition::Cursor(old)) if old == cursor);
        return (!repeated).then(|| ListPosition::Cursor(cursor.clone()));
    }
    let start = match from {
        None => 1,
        Some(ListPosition::Index(start)) => *start,
        // The last page of a listing by cursor has no next one.
        Some(ListPosition::Cursor(_)) => return None,
    };
    let after = start + listing.entries;
    let all = listing.total.is_some_and(|total| after > total);
    (listing.entries > 0 && !all).then_some(ListPosition::Index(after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listing(ids: &[&str], total: Option<u64>, cursor: Option<&str>) -> Listing {
        let items: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
        let mut listing = Listing::from_json(json!(items)).unwrap();
        listing.total = total;
        listing.next_cursor = cursor.map(str::to_owned);
        listing
    }

    #[test]
    fn pages_go_on_by_what_was_returned() {
        let progress = Progress::default();
        let page = |from: Option<ListPosition>, listing| {
            progress
                .page(ObjectKind::User, from.as_ref(), listing, false)
                .next
        };
        assert_eq!(
            page(None, listing(&["a", "b"], Some(3), None)),
            Some(ListPosition::Index(3))
        );
        assert_eq!(
            page(Some(ListPosition::Index(3)), listing(&["c"], Some(3), None)),
            None
        );
        assert_eq!(
            page(None, listing(&["a"], None, None)),
            Some(ListPosition::Index(2)),
            "no total: ask on"
        );
        assert_eq!(
            page(Some(ListPosition::Index(2)), listing(&[], None, None)),
            None,
            "until a page is empty"
        );
    }

    #[test]
    fn the_first_page_again_and_again_ends_the_listing() {
        let progress = Progress::default();
        let page = |kind, from: Option<ListPosition>| {
            progress.page(kind, from.as_ref(), listing(&["a", "b"], Some(9), None), false)
        };
        assert_eq!(page(ObjectKind::User, None).next, Some(ListPosition::Index(3)));
        assert!(
            page(ObjectKind::Group, None).next.is_some(),
            "users and groups are apart"
        );
        assert_eq!(page(ObjectKind::User, Some(ListPosition::Index(3))).next, None);
        assert!(
            page(ObjectKind::User, None).next.is_some(),
            "a new listing begins anew"
        );
    }

    #[test]
    fn cursors_are_followed_only_where_they_are_in_use() {
        let progress = Progress::default();
        let with = |by| {
            progress
                .page(ObjectKind::User, None, listing(&["a"], Some(2), Some("c1")), by)
                .next
        };
        assert_eq!(with(true), Some(ListPosition::Cursor("c1".to_owned())));
        assert_eq!(with(false), Some(ListPosition::Index(2)));
        let at = ListPosition::Cursor("c1".to_owned());
        let last = progress.page(ObjectKind::User, Some(&at), listing(&["b"], Some(2), None), true);
        assert_eq!(last.next, None);
    }
}
