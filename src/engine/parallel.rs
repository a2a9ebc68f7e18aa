//! Work on many objects that do not depend on each other, on every processor.

use std::sync::OnceLock;

use crate::model::id::SourceId;
use crate::ports::StoreError;

/// Fewer than so many objects are not worth a thread.
const FEW: usize = 64;

/// Shares ids out among the processors; the results in the order of the ids. Without `spread` this thread does all of
/// it: a cycle that sends waits for the target anyway, and each thread would keep memory of its own.
pub(super) fn in_parallel<T: Send>(
    ids: &[SourceId],
    spread: bool,
    work: impl Fn(&[SourceId]) -> Result<T, StoreError> + Sync,
) -> Result<Vec<T>, StoreError> {
    if !spread || ids.len() <= FEW {
        return Ok(vec![work(ids)?]);
    }
    let share = ids.len().div_ceil(processors()).max(FEW);
    if ids.len() <= share {
        return Ok(vec![work(ids)?]);
    }
    std::thread::scope(|scope| {
        let work = &work;
        let parts: Vec<_> = ids
            .chunks(share)
            .map(|part| scope.spawn(move || work(part)))
            .collect();
        let joined = parts.into_iter().map(|part| match part.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    })
}

/// How many processors there are: asked once, because the answer is read out of the files of the control group.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}
