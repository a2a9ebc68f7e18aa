//! Sessions of the dashboard: who logged in with a token, until they log out, do nothing for a while, or the token goes.
//!
//! Guarantee: neither an id nor a token is kept, only digests. A session has no rights of its own: each question finds the
//! holder of its token in the settings in force, so a token that was removed ends its sessions, and a role that changed holds
//! at once. They live in memory: a restart ends all.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use sha2::Digest as _;
use sha2::Sha256;

use super::Access;
use super::Holder;
use super::tokens::Digest;
use crate::model::clock::Stopwatch;

/// As long as nobody may use a session.
pub const IDLE_END: Duration = Duration::from_secs(8 * 3600);

/// As long as a session may last, used or not.
pub const ABSOLUTE_END: Duration = Duration::from_secs(24 * 3600);

/// As long as a link that logs in once is good.
const INVITED_FOR: Duration = Duration::from_secs(3600);

/// As many sessions as there are at a time: one more ends the one that was used longest ago.
const MOST_SESSIONS: usize = 1000;

/// The proof that somebody showed a token: good for as long as the settings have it.
#[derive(Clone, Copy)]
pub struct Proof(pub(super) Digest);

/// What a person is told on the next page: how what they asked for ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// True where it was done.
    pub good: bool,
    /// What happened.
    pub text: String,
    /// What to do, where there is something.
    pub advice: Option<String>,
}

struct Session {
    proof: Proof,
    began: Duration,
    used: Duration,
    notice: Option<Notice>,
}

/// A digest of an id, or of a code of a link.
type Key = [u8; 32];

#[derive(Default)]
struct Kept {
    sessions: BTreeMap<Key, Session>,
    invitations: BTreeMap<Key, (Proof, Duration)>,
}

/// The sessions, and the links that begin one.
pub struct Sessions {
    kept: Mutex<Kept>,
    clock: Stopwatch,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            clock: Stopwatch::start(),
        }
    }
}

impl Sessions {
    /// Begins a session for whoever showed the token. Returns its id, which only its cookie holds.
    #[must_use]
    pub fn begin(&self, proof: Proof) -> String {
        self.begin_at(proof, self.clock.elapsed())
    }

    /// Finds who is behind a session, and counts it as used.
    #[must_use]
    pub fn holder(&self, id: &str, access: &Access) -> Option<Holder> {
        self.holder_at(id, access, self.clock.elapsed())
    }

    /// Ends a session.
    pub fn end(&self, id: &str) {
        self.kept().sessions.remove(&key(id));
    }

    /// Leaves a notice for the next page of a session.
    pub fn leave(&self, id: &str, notice: Notice) {
        if let Some(session) = self.kept().sessions.get_mut(&key(id)) {
            session.notice = Some(notice);
        }
    }

    /// Takes the notice that was left.
    #[must_use]
    pub fn take(&self, id: &str) -> Option<Notice> {
        self.kept().sessions.get_mut(&key(id))?.notice.take()
    }

    /// Makes the code of a link that logs in once.
    #[must_use]
    pub fn invite(&self, proof: Proof) -> String {
        let code = secret();
        let now = self.clock.elapsed();
        self.kept().invitations.insert(key(&code), (proof, now));
        code
    }

    /// Takes the code of such a link: the second one who shows it gets nothing.
    #[must_use]
    pub fn accept(&self, code: &str) -> Option<Proof> {
        let (proof, made) = self.kept().invitations.remove(&key(code))?;
        (self.clock.elapsed().saturating_sub(made) < INVITED_FOR).then_some(proof)
    }

    fn begin_at(&self, proof: Proof, now: Duration) -> String {
        let id = secret();
        let mut kept = self.kept();
        kept.sessions.retain(|_, session| session.lasts(now));
        if kept.sessions.len() >= MOST_SESSIONS {
            let oldest = kept.sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                kept.sessions.remove(&oldest);
            }
        }
        let session = Session {
            proof,
            began: now,
            used: now,
            notice: None,
        };
        kept.sessions.insert(key(&id), session);
        id
    }

    fn holder_at(&self, id: &str, access: &Access, now: Duration) -> Option<Holder> {
        let mut kept = self.kept();
        let key = key(id);
        let session = kept.sessions.get_mut(&key)?;
        let holder = access.still(session.proof).filter(|_| session.lasts(now));
        if holder.is_some() {
            session.used = now;
        } else {
            kept.sessions.remove(&key);
        }
        holder
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn lasts(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) < IDLE_END && now.saturating_sub(self.began) < ABSOLUTE_END
    }
}

fn key(id: &str) -> Key {
    Sha256::digest(id.as_bytes()).into()
}

/// 256 random bits in hexadecimal.
fn secret() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
