//! Graph's quotas that a polite app keeps by itself, shared by every client of one app in this process: the service counts by app, not
//! by job. The app of the writer and that of the reader have quotas of their own.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// Writes of one app in one tenant: so many within so long.
const WRITES_OF_TENANT: (u32, Duration) = (3_000, Duration::from_secs(150));
/// Writes of one app over all tenants.
const WRITES_OF_APP: (u32, Duration) = (35_000, Duration::from_secs(300));
/// Reads of reports and authentication methods by one app in one tenant.
const REPORTS_OF_TENANT: (u32, Duration) = (5, Duration::from_secs(10));
/// The same over all tenants.
const REPORTS_OF_APP: (u32, Duration) = (122, Duration::from_secs(10));

/// What was sent within a time.
#[derive(Debug)]
struct Window {
    most: u32,
    within: Duration,
    sent: VecDeque<(Instant, u32)>,
}

impl Window {
    const fn new((most, within): (u32, Duration)) -> Self {
        Self {
            most,
            within,
            sent: VecDeque::new(),
        }
    }

    /// Returns how long to wait before `count` more are sent.
    fn wait(&mut self, now: Instant, count: u32) -> Duration {
        let within = self.within;
        self.sent.retain(|(at, _)| now.duration_since(*at) < within);
        let mut left: u32 = self.sent.iter().map(|(_, count)| count).sum();
        let mut wait = Duration::ZERO;
        for (at, sent) in &self.sent {
            if left + count <= self.most {
                break;
            }
            left -= sent;
            wait = within.saturating_sub(now.duration_since(*at));
        }
        wait
    }
}

type Shared = Arc<Mutex<Window>>;

/// The windows that a client counts in.
#[derive(Debug, Clone)]
pub(super) struct Quota {
    windows: [Shared; 2],
}

/// The windows of this process, by app and tenant, and by app.
static WINDOWS: LazyLock<Mutex<BTreeMap<String, Shared>>> = LazyLock::new(Mutex::default);

impl Quota {
    /// Returns the quota of an app's writes in a tenant.
    pub(super) fn of_writes(client_id: &str, tenant_id: &str) -> Self {
        Self::of(
            "writes",
            (client_id, WRITES_OF_APP),
            (tenant_id, WRITES_OF_TENANT),
        )
    }

    /// Returns the quota of an app's reads of reports and authentication methods in a tenant.
    pub(super) fn of_reports(client_id: &str, tenant_id: &str) -> Self {
        Self::of(
            "reports",
            (client_id, REPORTS_OF_APP),
            (tenant_id, REPORTS_OF_TENANT),
        )
    }

    fn of(what: &str, app: (&str, (u32, Duration)), tenant: (&str, (u32, Duration))) -> Self {
        let mut windows = WINDOWS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut window = |name: String, most| {
            let window = windows
                .entry(name)
                .or_insert_with(|| Arc::new(Mutex::new(Window::new(most))));
            Arc::clone(window)
        };
        Self {
            windows: [
                window(format!("{what} {} {}", app.0, tenant.0), tenant.1),
                window(format!("{what} {}", app.0), app.1),
            ],
        }
    }

    /// Waits until `count` requests may be sent, and counts them.
    pub(super) async fn admit(&self, count: u32) {
        loop {
            let now = Instant::now();
            let mut longest = Duration::ZERO;
            for window in &self.windows {
                let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
                longest = longest.max(window.wait(now, count));
            }
            if longest.is_zero() {
                for window in &self.windows {
                    let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
                    window.sent.push_back((now, count));
                }
                return;
            }
            tokio::time::sleep(longest).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn writers_of_one_app_share_its_quota() {
        let began = Instant::now();
        let (one, two) = (
            Quota::of_writes("an app", "a tenant"),
            Quota::of_writes("an app", "a tenant"),
        );
        for _ in 0..75 {
            one.admit(20).await;
            two.admit(20).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "as many as the window has");
        two.admit(1).await;
        assert_eq!(began.elapsed(), Duration::from_secs(150));
        let elsewhere = Quota::of_writes("an app", "another tenant");
        let now = Instant::now();
        elsewhere.admit(20).await;
        assert_eq!(now.elapsed(), Duration::ZERO, "tenants have windows of their own");
        let reports = Quota::of_reports("an app", "a tenant");
        for _ in 0..6 {
            reports.admit(1).await;
        }
        assert_eq!(
            now.elapsed(),
            Duration::from_secs(10),
            "five reports in ten seconds"
        );
    }
}
