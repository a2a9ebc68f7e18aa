//! What is read for the enrolled group: the keys, the members, and who has a passkey. Nothing is derived from what was not read whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::back::Enrolled;
use crate::engine::back::Requires;
use crate::engine::back::findings::Findings;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::ports::SourceError;
use crate::reconcile::back::enrolled::Passkey;
use crate::reconcile::back::group::unfit;
use crate::reconcile::back::keys::NoEvidence;
use crate::reconcile::back::keys::SecurityKey;
use crate::reconcile::back::keys::judge;
use crate::reconcile::back::passkeys::of_models;
use crate::snapshot::enrolments::Group;

/// The report of registered methods is hours behind, and takes minutes to read: it is read so seldom.
const REPORT_AFTER: Duration = Duration::from_secs(60 * 60);
/// The most users whose passkeys are asked for one by one in a cycle: Graph answers five such requests in ten seconds.
const ASKED_ALONE: usize = 50;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// The keys, where their listing is evidence.
    pub(super) keys: Option<Vec<SecurityKey>>,
    /// Who is in the group, where that was read whole.
    pub(super) members: Option<BTreeSet<SourceId>>,
    /// Who has a passkey by the report, where it was read.
    pub(super) report: Option<BTreeMap<SourceId, bool>>,
}

/// Reads what is needed. `None` where the group cannot be the enrolled group, or nobody knows.
pub(super) async fn read(
    run: &Run<'_>,
    enrolled: &Enrolled,
    known: &Group,
    findings: &mut Findings,
) -> Option<Evidence> {
    let group = enrolled.rules.group;
    match enrolled.evidence.group_facts(group).await {
        Ok(facts) => {
            let reasons = unfit(&facts);
            if !reasons.is_empty() {
                findings.unfit(group, &reasons);
                return None;
            }
        }
        Err(error) => {
            findings.failed("cannot read the enrolled group", &error);
            return None;
        }
    }
    let mut read = Evidence {
        keys: read_keys(run, enrolled, known, findings).await,
        ..Evidence::default()
    };
    match enrolled.evidence.group_members(group).await {
        Ok(members) => read.members = Some(members),
        Err(error) => findings.failed("cannot read the members of the enrolled group", &error),
    }
    if enrolled.rules.requires == Requires::KeyAndPasskey && is_due(known.reported_at, run.now) {
        // Without the right, or the licence, each newcomer is asked for alone.
        read.report = match enrolled.evidence.registrations().await {
            Ok(rows) => Some(rows.into_iter().map(|row| (row.user, row.passkey)).collect()),
            Err(SourceError::Forbidden { .. }) => None,
            Err(error) => {
                findings.failed("cannot read who has a passkey", &error);
                None
            }
        };
    }
    Some(read)
}

fn is_due(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now < last || now.since(last) >= REPORT_AFTER)
}

async fn read_keys(
    run: &Run<'_>,
    enrolled: &Enrolled,
    known: &Group,
    findings: &mut Findings,
) -> Option<Vec<SecurityKey>> {
    let listed = match enrolled.keys.keys().await {
        Ok(listed) => listed,
        Err(error) => {
            findings.failed("cannot read the security keys", &error);
            return None;
        }
    };
    match judge(listed.listing, known.keys) {
        Ok(()) => Some(listed.keys),
        // A person who lets removals through has looked at them.
        Err(NoEvidence::Shrunk) if run.order.allow_deletions.is_some() => Some(listed.keys),
        Err(why) => {
            findings.no_evidence(why, (listed.listing.distinct, known.keys));
            None
        }
    }
}

/// Asks for the passkeys of users one by one, as many as a cycle may. `by_report`: the report is read too. Returns what was answered.
pub(super) async fn ask_alone(
    enrolled: &Enrolled,
    users: &[SourceId],
    by_report: bool,
    findings: &mut Findings,
) -> BTreeMap<SourceId, Passkey> {
    let mut answers = BTreeMap::new();
    for user in users.iter().take(ASKED_ALONE) {
        match enrolled.evidence.passkeys(*user).await {
            Ok(held) => {
                answers.insert(*user, of_models(&held, &[]));
            }
            // The report alone is evidence too, only later.
            Err(SourceError::Forbidden { .. }) if by_report => break,
            Err(error) => {
                findings.failed("cannot read the passkeys of a user", &error);
                break;
            }
        }
    }
    answers
}
