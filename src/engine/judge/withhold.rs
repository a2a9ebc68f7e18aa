//! Reads what people keep back or let through, and keeps what the guard withheld (docs/design/cycle.md, "The guard").

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::error::CycleError;
use crate::engine::job::Extent;
use crate::engine::judge::Judge;
use crate::engine::judge::kept_back::KeptBack;
use crate::engine::judge::kept_back::Met;
use crate::engine::judge::kept_back::paused;
use crate::engine::run::Run;
use crate::engine::standing::Fact;
use crate::engine::standing::Key;
use crate::engine::work::Removal;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::side::Side;
use crate::model::verb::Act;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::guard::named::MOST_NAMED_USERS;
use crate::reconcile::guard::named::let_through;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::kept_back::WithheldKey;
use crate::snapshot::read::Reads;
use crate::snapshot::state::NAMED;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

impl Judge {
    /// Reads holds, releases and the pause; holds that ended by themselves go.
    pub(in crate::engine) async fn read_kept_back(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        let (now, keeps) = (run.now, run.order.apply);
        let (holds, released, pause) = run
            .store(move |snapshot| {
                let mut holds: HashMap<_, Vec<Hold>> = HashMap::new();
                let mut tx = snapshot.tx()?;
                for (kind, id, hold) in snapshot.holds()? {
                    if hold.holds_at(now) {
                        holds.entry((kind, id)).or_default().push(hold);
                    } else if keeps {
                        tx.delete_hold(kind, &id, hold.attribute.as_deref());
                    }
                }
                tx.commit(Durability::Lazy)?;
                let mut released = HashMap::new();
                snapshot.each_withheld(|key, entry| {
                    if entry.released_by.is_some() {
                        released.insert(key, entry);
                    }
                    Ok(())
                })?;
                Ok((holds, released, snapshot.pause_at(now)?))
            })
            .await?;
        run.paused = pause.as_ref().is_some_and(|pause| !pause.removals_only);
        self.kept_back = KeptBack {
            holds: Arc::new(holds),
            released: Arc::new(released),
            pause,
            named: BTreeSet::new(),
        };
        Ok(())
    }

    /// Says that the job is paused, where that keeps anything back.
    pub(in crate::engine) fn tell_pause(&self, run: &Run<'_>) {
        let removals = run.summary.withheld.count > 0;
        if let Some(pause) = &self.kept_back.pause
            && (removals || (!pause.removals_only && run.summary.has_changes()))
        {
            run.order.watcher.finding(&paused(pause));
        }
    }

    /// The pause of the job, in words.
    pub(in crate::engine) fn pause_in_words(&self) -> Option<String> {
        self.kept_back.pause.as_ref().map(paused)
    }

    /// Notes whom an admin named, where they are few: they may be disabled although the guard is closed.
    pub(in crate::engine) fn note_named(&mut self, run: &Run<'_>, focus: Option<&BTreeSet<Key>>) {
        let Extent::Objects { users, .. } = &run.order.extent else {
            return;
        };
        if users.len() <= MOST_NAMED_USERS {
            let chosen = focus.into_iter().flatten();
            let users = chosen.filter(|(kind, _)| *kind == ObjectKind::User);
            self.chosen = users.map(|(_, id)| *id).collect();
        }
    }

    /// Lets users whom an admin named through a closed guard, as many as the hour allows. They are counted before anything of theirs
    /// is sent.
    pub(in crate::engine) async fn let_named(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let is_closed = self.approval(ObjectKind::User).withheld().is_some();
        if self.chosen.is_empty() || !is_closed || self.kept_back.removals_paused() {
            return Ok(());
        }
        let (chosen, now) = (self.chosen.clone(), run.now);
        let (before, named) = run
            .store(move |snapshot| {
                let mut due = BTreeSet::new();
                for id in chosen {
                    let removal = snapshot.removal::<Removal>(ObjectKind::User, &id)?;
                    due.extend(
                        removal
                            .filter(|removal| removal.verb.act() == Act::Disable)
                            .map(|_| id),
                    );
                }
                let before = snapshot.state(&NAMED)?.unwrap_or_default();
                let named = let_through(&due, &before, now);
                Ok((before, named))
            })
            .await?;
        // Of whom no disable was seen here, none is counted: one that comes up later in this cycle is withheld as any other.
        let counted = named.counted.iter().map(|one| one.user);
        self.kept_back.named = counted.filter(|user| self.chosen.contains(user)).collect();
        self.over = named.why().map(|why| (named.over, why));
        if named.counted == before {
            return Ok(());
        }
        run.keep(move |snapshot| {
            let mut tx = snapshot.tx()?;
            tx.put_state(&NAMED, &named.counted);
            tx.commit(Durability::Synced)
        })
        .await
    }

    /// Keeps what this batch met of withheld operations.
    pub(in crate::engine) async fn keep_withheld(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let met = std::mem::take(&mut self.met);
        if met.is_empty() {
            return Ok(());
        }
        let cycle = run.order.id;
        run.keep(move |snapshot| keep(snapshot, met, cycle)).await
    }
}

/// At the end of a cycle: what it did not meet is not asked for any more.
pub(in crate::engine) async fn forget_unasked(
    run: &Run<'_>,
    focus: Option<BTreeSet<Key>>,
    stopped: &BTreeSet<ObjectKind>,
) -> Result<(), CycleError> {
    let cycle = run.order.id;
    let planned: BTreeSet<ObjectKind> = run.job.managed.difference(stopped).copied().collect();
    let standing = run.standing.clone();
    run.keep(move |snapshot| {
        let mut stale = Vec::new();
        snapshot.each_withheld(|key, entry| {
            let mine = planned.contains(&key.0)
                // Of what goes to the source, the way back knows whether it is asked for.
                && entry.verb.side() == Side::Target
                && !standing.is((key.0, key.1), Fact::Late)
                && focus.as_ref().is_none_or(|focus| focus.contains(&(key.0, key.1)));
            // A release waits with its object: in escrow, behind an open create, for a value.
            let waits = entry.released_by.is_some() && snapshot.dirty_cause(key.0, &key.1)?.is_some();
            if mine && entry.cycle != cycle && !waits {
                stale.push(key);
            }
            Ok(())
        })?;
        let mut tx = snapshot.tx()?;
        for key in &stale {
            tx.delete_withheld(key);
        }
        tx.commit(Durability::Lazy)
    })
    .await
}

fn is_same(before: &Withheld, now: &Withheld) -> bool {
    before.is_about(now.verb, now.alike.as_ref())
}

fn keep(snapshot: &Snapshot, met: Vec<(WithheldKey, Met)>, cycle: CycleId) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    for (key, met) in met {
        let before = tx.withheld(&key)?;
        let entry = match (before, met) {
            // A release that could not be sent stays; what is asked for beyond it is entered by the next cycle.
            (Some(before), Met::Released) => Some(Withheld { cycle, ..before }),
            (Some(before), Met::Withheld(now)) if before.released_by.is_some() && is_same(&before, &now) => {
                Some(Withheld { cycle, ..before })
            }
            (Some(before), Met::Withheld(now)) if is_same(&before, &now) => Some(Withheld {
                since: before.since,
                ..*now
            }),
            (_, Met::Withheld(now)) => Some(*now),
            (None, Met::Released) => None,
        };
        if let Some(entry) = entry {
            tx.put_withheld(&key, &entry);
        }
    }
    tx.commit(Durability::Lazy)
}
