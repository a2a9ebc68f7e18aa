//! Observe: reads the source's streams to their end, and asks for the objects that an admin named.

use std::time::Duration;

use futures::future::join_all;
use tracing::info;
use tracing::warn;

use crate::engine::error::CycleError;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::ports::DeltaPage;
use crate::ports::Durability;
use crate::ports::NextPage;
use crate::ports::PageRequest;
use crate::ports::SourceError;
use crate::ports::What;
use crate::reconcile::round::Brought;
use crate::reconcile::round::Endless;
use crate::reconcile::round::Round;
use crate::snapshot::page::AfterPage;
use crate::snapshot::page::apply_page;
use crate::snapshot::read::Reads;
use crate::snapshot::round::begin_delta;
use crate::snapshot::round::begin_full;
use crate::snapshot::round::restart_delta;
use crate::snapshot::store::Snapshot;

/// A stream that is reset this often in one cycle is not read any further in it.
const MOST_RESETS: u32 = 4;

/// While something long is read, a line is logged this often.
pub(in crate::engine) const SAID_EVERY: Duration = Duration::from_secs(60);

/// A stream that is being read.
#[derive(Default)]
struct Reading {
    /// How often it was reset.
    resets: u32,
    /// The link that was refused last.
    refused: Option<String>,
    /// Entries read so far, each page counted as one at least: a round that began is known even by its empty first page.
    read: u64,
    /// What is asked first, where that is settled already.
    first: Option<PageRequest>,
    /// The page that was asked for while the one before it was stored, with what was asked.
    ahead: Option<(PageRequest, Result<DeltaPage, SourceError>)>,
    /// What is known of the round: whether it ends at all.
    round: Option<Round>,
    /// When a line was logged last.
    logged: Option<Timestamp>,
}

/// What a page brought, once it is stored.
struct Stored {
    after: AfterPage,
    fresh: u64,
    repeats: bool,
}

fn link_of(asked: &PageRequest) -> Option<&str> {
    match asked {
        PageRequest::First { .. } => None,
        PageRequest::Follow { link, .. } => Some(link),
    }
}

/// What comes after a page that was asked for so; nothing at the end of the round.
fn following(asked: &PageRequest, next: &NextPage) -> Option<PageRequest> {
    let minimal = matches!(asked, PageRequest::Follow { minimal: true, .. });
    match next {
        NextPage::More { next_link } => Some(PageRequest::Follow {
            link: next_link.clone(),
            minimal,
        }),
        NextPage::Complete { .. } => None,
    }
}

/// Reads every managed stream to the end of its round, users first: a group's members are then known.
pub(in crate::engine) async fn pull(run: &mut Run<'_>) -> Result<(), CycleError> {
    let kinds: Vec<ObjectKind> = run.job.streams().into_iter().collect();
    let readings = begin(run, &kinds).await?;
    for (kind, mut reading) in kinds.into_iter().zip(readings) {
        while !pull_page(run, kind, &mut reading).await? {
            run.check_stop()?;
        }
    }
    Ok(())
}

/// Where all streams go on from where they were, their first pages are asked for at once: mostly there is no second.
async fn begin(run: &Run<'_>, kinds: &[ObjectKind]) -> Result<Vec<Reading>, CycleError> {
    let mut readings: Vec<Reading> = kinds.iter().map(|_| Reading::default()).collect();
    if kinds.len() < 2 || !follows(run, kinds).await? {
        return Ok(readings);
    }
    for (kind, reading) in kinds.iter().zip(&mut readings) {
        reading.first = Some(next_request(run, *kind, true).await?.0);
    }
    let asked = kinds.iter().zip(&readings);
    let pages = join_all(asked.map(|(kind, reading)| read_ahead(run, *kind, reading.first.clone()))).await;
    for (reading, page) in readings.iter_mut().zip(pages) {
        reading.ahead = page;
    }
    Ok(readings)
}

/// True where each of these streams has a round behind it that brought all that is asked for now.
async fn follows(run: &Run<'_>, kinds: &[ObjectKind]) -> Result<bool, CycleError> {
    let wanted: Vec<_> = kinds.iter().map(|kind| (*kind, run.job.select(*kind))).collect();
    run.store(move |snapshot| {
        let mut all = true;
        for (kind, select) in wanted {
            let stream = snapshot.stream(kind)?;
            all &= matches!(stream.cursor, Cursor::Following { .. })
                && snapshot.finishing(kind)?.is_none()
                && select.iter().all(|name| stream.select.contains(name));
        }
        Ok(all)
    })
    .await
}

/// One page; true when the round is whole. What is asked for is what the snapshot says comes next, whatever was
/// asked for ahead.
async fn pull_page(run: &mut Run<'_>, kind: ObjectKind, reading: &mut Reading) -> Result<bool, CycleError> {
    let (request, lacking) = match reading.first.take() {
        Some(first) => (first, Vec::new()),
        None => next_request(run, kind, reading.read == 0).await?,
    };
    if !lacking.is_empty() {
        run.order.watcher.finding(&format!(
            "mapping or scope need {} of {kind}s, which was not read before: that costs one full round, in which all {kind}s are read from the beginning",
            lacking.join(", ")
        ));
    }
    let answer = match reading.ahead.take() {
        Some((asked, answer)) if asked == request => answer,
        _ => run.job.source.page(kind, request.clone()).await,
    };
    match answer {
        Ok(page) => {
            let entries = page.objects.len() as u64;
            run.summary.read(kind, entries);
            reading.read += entries.max(1);
            run.order
                .watcher
                .progress("reading the source", reading.read, None);
            log_reading(run, kind, reading);
            let next = following(&request, &page.next);
            let (stored, ahead) =
                tokio::join!(store_page(run, kind, page), read_ahead(run, kind, next.clone()));
            let stored = stored?;
            reading.ahead = ahead;
            let brought = Brought {
                by: link_of(&request),
                next: next.as_ref().and_then(link_of),
                entries,
                fresh: stored.fresh,
                repeats: stored.repeats,
            };
            expect_an_end(run, kind, reading, &brought).await?;
            if stored.after == AfterPage::Finish {
                finish(run, kind).await?;
            }
            Ok(stored.after != AfterPage::Read)
        }
        Err(SourceError::Reset { what, location }) => {
            reading.resets += 1;
            if reading.resets > MOST_RESETS {
                return Err(CycleError::Source(SourceError::Reset { what, location }));
            }
            warn!(
                kind = kind.word(),
                "The source reset its stream of {kind}s: {what}"
            );
            reset(run, kind).await?;
            (reading.read, reading.round) = (0, None);
            Ok(false)
        }
        Err(SourceError::LinkRefused { what }) => give_up_link(run, kind, &request, what, reading).await,
        Err(error) => Err(CycleError::Source(error)),
    }
}

/// A link that was kept is refused: asked once more, and then given up, whatever the code of the answer says. Which codes
/// mean that it is too old is not for us to know.
async fn give_up_link(
    run: &Run<'_>,
    kind: ObjectKind,
    request: &PageRequest,
    what: What,
    reading: &mut Reading,
) -> Result<bool, CycleError> {
    let link = link_of(request).map(str::to_owned);
    if reading.refused != link {
        reading.refused = link;
        return Ok(false);
    }
    reading.resets += 1;
    if reading.resets > MOST_RESETS {
        return Err(CycleError::Source(SourceError::LinkRefused { what }));
    }
    warn!(
        kind = kind.word(),
        "The source refused the link to its next {kind}s twice: {what}"
    );
    run.order.watcher.finding(&format!(
        "Entra refuses the link to the next page of {kind}s that was kept from an earlier answer, asked twice ({what}): it is \
         given up, and the {kind}s are read anew; links to the target are kept"
    ));
    reset(run, kind).await?;
    (reading.read, reading.round) = (0, None);
    Ok(false)
}

/// Asks for the page after the one that is being stored; its cursor is not stored before it is stored itself.
async fn read_ahead(
    run: &Run<'_>,
    kind: ObjectKind,
    next: Option<PageRequest>,
) -> Option<(PageRequest, Result<DeltaPage, SourceError>)> {
    let request = next?;
    let answer = run.job.source.page(kind, request.clone()).await;
    Some((request, answer))
}

/// What to ask for next. Begins a full round where there is no cursor, or where the mapping needs a
/// property that the cursor's `$select` lacks; finishes one whose end was interrupted.
/// The second is what it lacks, where a cursor is given up for it.
async fn next_request(
    run: &Run<'_>,
    kind: ObjectKind,
    first: bool,
) -> Result<(PageRequest, Vec<String>), CycleError> {
    let select: Vec<String> = run.job.select(kind);
    let now = run.now;
    run.store(move |snapshot| {
        if snapshot.finishing(kind)?.is_some() {
            snapshot.finish_round(kind)?;
        }
        let stream = snapshot.stream(kind)?;
        let mut lacking: Vec<String> = select
            .iter()
            .filter(|name| !stream.select.contains(name))
            .cloned()
            .collect();
        let lacks = !lacking.is_empty();
        if stream.cursor == Cursor::Start {
            // The first round of all gives nothing up.
            lacking.clear();
        }
        let request = match stream.cursor {
            Cursor::Listing { next_link } if !lacks => PageRequest::Follow {
                link: next_link,
                minimal: false,
            },
            Cursor::Advancing { next_link, .. } if !lacks => PageRequest::Follow {
                link: next_link,
                minimal: true,
            },
            Cursor::Following { delta_link } if !lacks => {
                if first {
                    let mut tx = snapshot.tx()?;
                    begin_delta(&mut tx, kind, now)?;
                    tx.commit(Durability::Lazy)?;
                }
                PageRequest::Follow {
                    link: delta_link,
                    minimal: true,
                }
            }
            // A round that was begun and brought nothing yet keeps its generation.
            Cursor::Start if stream.select == select && stream.generation > 0 && !first => {
                PageRequest::First { select }
            }
            _ => {
                let mut tx = snapshot.tx()?;
                begin_full(&mut tx, kind, &select, now)?;
                tx.commit(Durability::Lazy)?;
                PageRequest::First { select }
            }
        };
        Ok((request, lacking))
    })
    .await
}

async fn store_page(run: &Run<'_>, kind: ObjectKind, page: DeltaPage) -> Result<Stored, CycleError> {
    let now = run.job.clock.now();
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        let outcome = apply_page(&mut tx, kind, page, now)?;
        tx.commit(Durability::Synced)?;
        Ok(Stored {
            after: outcome.next,
            fresh: outcome.fresh as u64,
            repeats: outcome.fresh == 0 && outcome.known > 0,
        })
    })
    .await
}

/// A round that will never end is an error. One that leads in a circle is begun anew by the next cycle; any other goes on
/// where it is, because only its service knows how many empty pages it sends.
async fn expect_an_end(
    run: &Run<'_>,
    kind: ObjectKind,
    reading: &mut Reading,
    brought: &Brought<'_>,
) -> Result<(), CycleError> {
    let now = run.job.clock.now();
    if reading.round.is_none() {
        let known = run.store(Snapshot::counts).await?.objects(kind);
        reading.round = Some(Round::new(known, now));
    }
    let round = reading.round.as_mut();
    let Some(Err(endless)) = round.map(|round| round.page(brought, now)) else {
        return Ok(());
    };
    if endless == Endless::Circle {
        reset(run, kind).await?;
    }
    Err(CycleError::Source(SourceError::Malformed {
        what: format!("the source's stream of {kind}s does not end: {endless}").into(),
        hint: "what was read is kept, and users whom it names as disabled or deleted are disabled; the next cycle reads on. \
               If this stays, check `graph_url` and `proxy`, and run `melonsync resync --restart`"
            .to_owned(),
    }))
}

/// A line a minute, so that a long round can be told from one that hangs.
fn log_reading(run: &Run<'_>, kind: ObjectKind, reading: &mut Reading) {
    let now = run.job.clock.now();
    let logged = *reading.logged.get_or_insert(now);
    if now.since(logged) >= SAID_EVERY {
        reading.logged = Some(now);
        info!(
            kind = kind.word(),
            read = reading.read,
            "Still reading the source: {} {kind}s so far",
            reading.read
        );
    }
}

/// The end of a full round: what it did not bring is missing, not gone.
async fn finish(run: &Run<'_>, kind: ObjectKind) -> Result<(), CycleError> {
    let outcome = run.store(move |snapshot| snapshot.finish_round(kind)).await?;
    info!(
        kind = kind.word(),
        missing = outcome.missing,
        "The source's {kind}s are read whole; {} that were known are missing in it",
        outcome.missing
    );
    Ok(())
}

/// Page tokens of a delta round may expire while its own link is still good: try that first.
async fn reset(run: &Run<'_>, kind: ObjectKind) -> Result<(), CycleError> {
    let select: Vec<String> = run.job.select(kind);
    let now = run.now;
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        if !restart_delta(&mut tx, kind)? {
            begin_full(&mut tx, kind, &select, now)?;
        }
        tx.commit(Durability::Lazy)
    })
    .await
}
