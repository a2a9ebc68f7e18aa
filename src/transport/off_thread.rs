//! Long parsing, where it blocks nothing else.

/// The size in bytes below which a body is parsed in place: handing it over costs as much as parsing it.
const SMALL: usize = 256 << 10;

/// Does work on a body of this size; a large one on a thread that may block, so that timers, signals and other requests
/// go on meanwhile.
pub async fn off_thread<T: Send + 'static>(size: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if size < SMALL {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and with it every waiting task.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn what_is_large_is_read_on_another_thread() {
        let here = thread::current().id();
        assert_eq!(off_thread(SMALL - 1, || thread::current().id()).await, here);
        assert_ne!(off_thread(SMALL, || thread::current().id()).await, here);
    }
}
