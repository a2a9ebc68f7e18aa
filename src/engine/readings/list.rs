//! Listing a type of the target, page by page into the store, so that memory stays bounded.

use tracing::info;
use tracing::warn;

use crate::engine::error::CycleError;
use crate::engine::readings::Readings;
use crate::engine::readings::questions::keep_size;
use crate::engine::readings::stored::keep_readings;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::ports::ListPage;
use crate::ports::ListPosition;
use crate::ports::Paged;
use crate::ports::TargetError;
use crate::reconcile::forward::view::Absence;
use crate::reconcile::listing::Listing;
use crate::reconcile::listing::Page;
use crate::reconcile::listing::Step;
use crate::reconcile::listing::Way;

impl Readings {
    /// Lists a type, and says what that proves of what it did not bring.
    pub(in crate::engine) async fn list(
        &mut self,
        run: &Run<'_>,
        kind: ObjectKind,
    ) -> Result<Absence, CycleError> {
        if let Some(absence) = self.absence.get(&kind).filter(|_| self.listed.contains(&kind)) {
            return Ok(absence.clone());
        }
        // Only what this listing brings counts, not what single questions brought before.
        run.store(move |snapshot| snapshot.clear_readings(kind)).await?;
        let known = run.store(|snapshot| snapshot.counts()).await?.alive(kind);
        let mut listing = Listing::new(kind, known);
        let mut said = run.job.clock.now();
        let (mut from, mut pages): (Option<ListPosition>, u64) = (None, 0);
        let absence = loop {
            run.check_stop()?;
            let answer = run.job.target.list(kind, from.clone()).await;
            let step = match (answer, &from) {
                (Ok(page), _) => {
                    pages += u64::from(!page.resources.is_empty());
                    take_page(run, kind, &mut listing, page).await?
                }
                (Err(error), Some(at)) if refuses(&error) => listing.refused(way(at), &error.to_string()),
                (Err(error), _) => return Err(CycleError::Target(error)),
            };
            run.order
                .watcher
                .progress("reading the target", listing.distinct, listing.total);
            said = say_listing(run, kind, &listing, said);
            from = match step {
                Step::Index(start) => Some(ListPosition::Index(start)),
                Step::LookAgain(start) => Some(ListPosition::Uncounted(start)),
                Step::Cursor(cursor) => Some(ListPosition::Cursor(cursor)),
                Step::Whole => {
                    let distinct = listing.distinct;
                    break Absence::Proven(format!(
                        "a complete listing of {distinct} {kind}s has none that matches"
                    ));
                }
                Step::Unproven(why) => {
                    let text = format!("Not all {kind}s of the target are known: {why}");
                    if run.warnings.is_news(&text) {
                        warn!(listed = listing.distinct, "{text}");
                    }
                    break Absence::Unproven(why);
                }
            };
        };
        // Of a whole listing the size is known, whatever it announces.
        let announced = listing.total.filter(|_| !matches!(absence, Absence::Proven(_)));
        keep_size(run, kind, announced.unwrap_or(0).max(listing.distinct), pages).await?;
        self.listed.insert(kind);
        self.absence.insert(kind, absence.clone());
        Ok(absence)
    }
}

/// Stores a page, and decides what comes next.
async fn take_page(
    run: &Run<'_>,
    kind: ObjectKind,
    listing: &mut Listing,
    page: ListPage,
) -> Result<Step, CycleError> {
    let (paths, shown) = (run.key_paths(kind), page.distinct());
    let ListPage {
        resources,
        entries,
        total,
        paged,
    } = page;
    let unread = entries.saturating_sub(resources.len() as u64);
    let fresh = run
        .store(move |snapshot| keep_readings(snapshot, kind, &resources, &paths))
        .await?;
    let way = match &paged {
        Paged::Index(start) => Way::Index(*start),
        Paged::Cursor(next) => Way::Cursor(next.as_deref()),
    };
    Ok(listing.page(&Page {
        way,
        entries,
        unread,
        fresh,
        known: shown.saturating_sub(fresh),
        total,
    }))
}

/// A line a minute, so that a long listing can be told from one that hangs.
fn say_listing(run: &Run<'_>, kind: ObjectKind, listing: &Listing, said: Timestamp) -> Timestamp {
    let now = run.job.clock.now();
    if now.since(said) < crate::engine::intake::stream::SAID_EVERY {
        return said;
    }
    info!(
        listed = listing.distinct,
        total = listing.total,
        "Still reading the target: {} {kind}s so far",
        listing.distinct
    );
    now
}

const fn way(at: &ListPosition) -> Way<'_> {
    match at {
        ListPosition::Index(start) | ListPosition::Uncounted(start) => Way::Index(*start),
        ListPosition::Cursor(_) => Way::Cursor(None),
    }
}

/// Whether a page was refused, as some services do behind the last one (some of them with 500).
const fn refuses(error: &TargetError) -> bool {
    match error {
        TargetError::Refused { status, .. } => *status != 403,
        TargetError::Unavailable { status, .. } => *status == 500,
        TargetError::Conflict { .. }
        | TargetError::NotFound { .. }
        | TargetError::Partly { .. }
        | TargetError::Unauthorized { .. }
        | TargetError::Malformed { .. } => false,
    }
}
