//! How a user who is explained stands with the enrolled group.

use crate::engine::error::CycleError;
use crate::engine::run::Run;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::explain::enrolled::InEnrolled;
use crate::reconcile::explain::enrolled::Remembered;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::guard::Class;
use crate::snapshot::enrolments::Enrolled;
use crate::snapshot::enrolments::EnrolmentReads;
use crate::snapshot::kept_back::KeptBackReads;

/// What is known of a user and the enrolled group. `asked`: the group that is asked about.
pub(super) async fn in_enrolled(
    run: &Run<'_>,
    view: &ObjectView,
    asked: Option<SourceId>,
) -> Result<Option<InEnrolled>, CycleError> {
    let rules = run.job.back.as_ref().and_then(|back| back.enrolled.as_ref());
    let (Some(enrolled), ObjectKind::User) = (rules, view.object.kind) else {
        return Ok(None);
    };
    let (group, id) = (enrolled.rules.group, view.object.id);
    let (kept, known, withheld) = run
        .store(move |snapshot| {
            let mut withheld = None;
            for class in [Class::Join, Class::Leave] {
                let entry = snapshot.withheld(&(ObjectKind::User, id, class))?;
                withheld = withheld.or(entry.filter(|entry| entry.released_by.is_none()));
            }
            Ok((snapshot.enrolled(&id)?, snapshot.enrolled_group()?, withheld))
        })
        .await?;
    // Of another group than that of the settings nothing is known.
    let known = known.filter(|known| known.group == Some(group));
    Ok(Some(InEnrolled {
        group,
        asked: asked == Some(group),
        remembered: kept.filter(|_| known.is_some()).map(|kept| remembered(&kept)),
        proven_at: known.and_then(|known| known.proven_at),
        never: enrolled.rules.never.contains(&id),
        linked: view.link.is_some(),
        enabled: view.object.account_enabled(),
        withheld: withheld.map(|entry| (entry.since, entry.why)),
    }))
}

fn remembered(kept: &Enrolled) -> Remembered {
    Remembered {
        enrolment: kept.enrolment,
        standing: kept.standing,
        since: kept.since,
        passkey: kept.passkey,
        refused: kept.refused.map(|refused| (refused.status, refused.at)),
    }
}
