//! What one result leaves of a group's memberships: who is in it at the target by what we sent.

use std::collections::BTreeSet;

use crate::engine::record::part::Done;
use crate::model::id::SourceId;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::ports::StoreError;
use crate::snapshot::read::Reads;
use crate::snapshot::tx::Tx;

impl Done {
    /// Writes the memberships that were added and removed.
    pub(super) fn record_members(&self, tx: &mut Tx<'_>, group: &SourceId) -> Result<(), StoreError> {
        let (removed, added) = (&self.work.removed, &self.work.added);
        let members: Vec<SourceId> = removed.iter().chain(added).map(|(member, _)| *member).collect();
        let known = tx.edges_of(group, &members)?;
        for (member, target) in removed {
            match known.get(member) {
                Some(edge) if edge.sent.as_ref() == Some(target) && !edge.present => {
                    tx.delete_edge(group, member)?
                }
                Some(edge) if edge.sent.as_ref() == Some(target) => {
                    tx.replace_edge(
                        true,
                        group,
                        member,
                        &Membership {
                            sent: None,
                            ..edge.clone()
                        },
                    );
                }
                _ => {}
            }
        }
        let there = self.work.run.iter().filter(|operation| operation.takes_over());
        let there: BTreeSet<SourceId> = there
            .flat_map(|operation| &operation.members)
            .map(|member| member.source)
            .chain(self.work.earlier.iter().copied())
            .collect();
        for (member, target) in added {
            let edge = known.get(member).cloned().unwrap_or(Membership {
                kind: MemberKind::User,
                generation: 0,
                present: false,
                sent: None,
                found: false,
            });
            let (sent, found) = (Some(target.clone()), there.contains(member));
            tx.replace_edge(
                known.contains_key(member),
                group,
                member,
                &Membership { sent, found, ..edge },
            );
        }
        Ok(())
    }
}
