//! The resources of members whom the target refused to put into a group: perhaps they are gone there.

use crate::engine::error::CycleError;
use crate::engine::readings::Readings;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::snapshot::read::Reads;

impl Readings {
    /// Reads the resources of refused members, each once in a cycle. One that is gone is gone for every other that wants it
    /// there, too. The request that was refused is our own: the source wants this user there, so that this is no drift, and
    /// the link goes whatever `drift.missing` and `create` say, as after a request about the user itself that is answered
    /// 404 ([`Self::note_missing`]). Without `create` the user waits for a resource to adopt. A target that does not answer
    /// leaves the question to the member's next try.
    pub(in crate::engine) async fn look_after_members(
        &mut self,
        run: &Run<'_>,
        doubted: Vec<(SourceId, TargetId)>,
    ) -> Result<(), CycleError> {
        let (kind, now) = (ObjectKind::User, run.now);
        for (id, target) in doubted {
            if !self.drift.doubted.insert(target.clone()) {
                continue;
            }
            let record = run.store(move |snapshot| snapshot.record(kind, &id)).await?;
            let link = record.and_then(|record| record.link);
            if !link.is_some_and(|link| may_be_gone(&link, &target, now)) {
                continue;
            }
            run.check_stop()?;
            match run.job.target.read(kind, &target).await {
                Ok(Some(_)) => {}
                Ok(None) => self.lose(run, kind, id).await?,
                Err(_) => break,
            }
        }
        Ok(())
    }
}

/// True where not finding the resource of a refused member says that it is gone. Of one that was linked in this cycle it may
/// say only that a part of the target does not know it yet.
fn may_be_gone(link: &Link, doubted: &TargetId, now: Timestamp) -> bool {
    link.target == *doubted && link.since != now
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::link::LinkOrigin;
    use crate::model::value::Attributes;

    #[test]
    fn only_the_resource_of_an_earlier_link_may_be_gone() {
        let id = |text| TargetId::new(text).unwrap();
        let (now, earlier) = (Timestamp(2000), Timestamp(1000));
        for (target, since, expected) in [
            ("a", earlier, true),
            ("b", earlier, false),
            ("a", now, false),
            // The clock went back: still not of this cycle.
            ("a", Timestamp(3000), true),
        ] {
            let link = Link {
                target: id(target),
                origin: LinkOrigin::Created,
                since,
                sent: Attributes::new(),
                kept: BTreeMap::new(),
            };
            assert_eq!(may_be_gone(&link, &id("a"), now), expected, "{target} {since:?}");
        }
    }
}
