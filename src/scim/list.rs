//! Listings: one page at a time, by index or by cursor (RFC 7644 section 3.4.2.4, RFC 9865).
//!
//! Whether a listing was whole is not decided here; this decides how a page is asked for, and in what other way where
//! the first one is refused. Some services refuse a cursor that they announce, or a `count` that they find too large
//! (with 400, 422, or 500): the next listing begins with what worked, once three have agreed.

use std::sync::atomic::Ordering;

use super::client::ScimTarget;
use super::dialect::Aspect;
use super::dialect::PageSize;
use super::dialect::Paging;
use super::fault::Asked;
use super::learning::Failing;
use super::learning::Witness;
use super::resource::Listing;
use super::urls::collection;
use crate::model::id::ObjectKind;
use crate::ports::ListPage;
use crate::ports::ListPosition;
use crate::ports::Paged;
use crate::ports::TargetError;

/// The page size where the service names no limit: large enough to be quick, small enough to be answered soon.
pub const PAGE: u64 = 500;

/// The page size where that one is refused.
const SMALL_PAGE: u64 = 100;

impl ScimTarget {
    /// Reads one page.
    pub(super) async fn page(
        &self,
        kind: ObjectKind,
        from: Option<ListPosition>,
    ) -> Result<ListPage, TargetError> {
        match from {
            None => self.first_page(kind).await,
            Some(ListPosition::Cursor(cursor)) => {
                let size = self.listing.of(kind).load(Ordering::Relaxed);
                let listing = self.page_at(kind, ("cursor", &cursor), size).await?;
                let next = listing.next_cursor.clone();
                Ok(page_of(listing, Paged::Cursor(next)))
            }
            Some(ListPosition::Index(start)) => {
                let size = self.listing.of(kind).load(Ordering::Relaxed);
                self.page_by_index(kind, start, size).await
            }
            Some(ListPosition::Uncounted(start)) => {
                self.page_by_index(kind, start, PageSize::None as usize).await
            }
        }
    }

    /// Reads the first page: by cursor where that is announced, and with a smaller `count`, then without, where it is
    /// refused.
    async fn first_page(&self, kind: ObjectKind) -> Result<ListPage, TargetError> {
        let advertised = self.advertised().await?;
        if advertised.cursor && self.experience.dialect().paging == Paging::AsAnnounced {
            match self.sized(kind, ("cursor", "")).await {
                Ok(listing) => return Ok(first_by_cursor(listing)),
                // Announced and refused: paging by index is left.
                Err(TargetError::Refused { status, .. }) => {
                    let index = Paging::Index as usize;
                    self.listing_helped(kind, Aspect::Paging, Paging::AsAnnounced as usize, index, status)
                        .await;
                }
                Err(error) => return Err(error),
            }
        }
        let listing = self.sized(kind, ("startIndex", "1")).await?;
        Ok(page_of(listing, Paged::Index(1)))
    }

    /// Reads a first page in the size in force, else in a smaller one. The error is that of the first try: where the
    /// size was not to blame, it names the cause.
    async fn sized(&self, kind: ObjectKind, from: (&str, &str)) -> Result<Listing, TargetError> {
        let first = self.experience.dialect().page_size as usize;
        let mut refusal = None;
        for size in first..Aspect::PageSize.forms().len() {
            match (self.page_at(kind, from, size).await, refusal) {
                (Ok(listing), None) => {
                    self.listing.of(kind).store(size, Ordering::Relaxed);
                    return Ok(listing);
                }
                (Ok(listing), Some((_, status))) => {
                    self.listing.of(kind).store(size, Ordering::Relaxed);
                    self.listing_helped(kind, Aspect::PageSize, first, size, status)
                        .await;
                    return Ok(listing);
                }
                (Err(error), None) => match may_be_its_count(&error) {
                    Some(status) => refusal = Some((error, status)),
                    None => return Err(error),
                },
                (Err(_), Some(earlier)) => refusal = Some(earlier),
            }
        }
        Err(refusal.map_or_else(|| unreachable!("there is a size to try"), |(error, _)| error))
    }

    async fn page_by_index(
        &self,
        kind: ObjectKind,
        start: u64,
        size: usize,
    ) -> Result<ListPage, TargetError> {
        let listing = self
            .page_at(kind, ("startIndex", &start.to_string()), size)
            .await?;
        Ok(page_of(listing, Paged::Index(start)))
    }

    async fn page_at(
        &self,
        kind: ObjectKind,
        (by, from): (&str, &str),
        size: usize,
    ) -> Result<Listing, TargetError> {
        let asked = Asked {
            method: "GET",
            path: format!("/{}?{by}", collection(kind)),
            one_resource: false,
        };
        let count = self.count(size).await?.map(|count| count.to_string());
        let mut query = vec![(by, from)];
        query.extend(count.as_deref().map(|count| ("count", count)));
        let later = by == "startIndex" && from != "1";
        self.find_page(kind, &asked, &query, later).await
    }

    /// Returns `count` in this form; the smaller one is smaller than the first whatever the service announces.
    async fn count(&self, size: usize) -> Result<Option<u64>, TargetError> {
        let most = self.advertised().await?.max_results.unwrap_or(PAGE).min(PAGE);
        Ok(match size {
            size if size == PageSize::None as usize => None,
            size if size == PageSize::Small as usize => Some(SMALL_PAGE.min(most.div_ceil(2))),
            _ => Some(most),
        })
    }

    /// Notes that another form of listing helped. A listing can be read in either form, so there is nothing to read
    /// back; after three, the question is spared.
    async fn listing_helped(
        &self,
        kind: ObjectKind,
        aspect: Aspect,
        refused: usize,
        helped: usize,
        status: u16,
    ) {
        let now = self.experience.now();
        let witness = Witness::named(&format!("listing of {}s, {now}", kind.word()));
        self.experience
            .add(|learned| learned.failed(aspect, refused, &witness, Failing::Refused(status)));
        self.helped(&[(aspect, helped)], &witness);
        self.experience.keep().await;
    }
}

/// Returns the status, where a listing may have been refused for its `count`.
const fn may_be_its_count(error: &TargetError) -> Option<u16> {
    match error {
        TargetError::Refused {
            status: status @ (400 | 413 | 416 | 422 | 501),
            ..
        }
        | TargetError::Unavailable {
            status: status @ 500, ..
        } => Some(*status),
        TargetError::Conflict { .. }
        | TargetError::NotFound { .. }
        | TargetError::Partly { .. }
        | TargetError::Refused { .. }
        | TargetError::Unauthorized { .. }
        | TargetError::Unavailable { .. }
        | TargetError::Malformed { .. } => None,
    }
}

/// Judges a first page that was asked for by cursor. It may be answered by index all the same: the answer names its
/// index, or announces more than it holds and no cursor.
fn first_by_cursor(listing: Listing) -> ListPage {
    let more = listing.total.is_some_and(|total| total > listing.entries);
    let by_index = listing.next_cursor.is_none() && (listing.start.is_some() || more);
    let paged = if by_index {
        Paged::Index(1)
    } else {
        Paged::Cursor(listing.next_cursor.clone())
    };
    page_of(listing, paged)
}

fn page_of(listing: Listing, paged: Paged) -> ListPage {
    ListPage {
        resources: listing.resources,
        entries: listing.entries,
        total: listing.total,
        paged,
    }
}
