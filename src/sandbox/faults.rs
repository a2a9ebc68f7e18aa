//! The sandbox's faults, switch by switch: for tests, and for `melonsync sandbox --faults FILE`.
//!
//! A fault is deterministic: the same requests in the same order meet the same faults. In a file it is written as `true`
//! (always), a whole number (that many times), a fraction (that share of the chances), or a table
//! `{ times = 3, after = 10, rate = 0.5, only = "POST" }`.

use serde::Deserialize;
use serde::Deserializer;

use super::oddities::Oddities;

/// When one kind of fault occurs. The default is never.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    on: bool,
    times: Option<u64>,
    after: u64,
    rate: Option<f64>,
    only: Option<String>,
    chances: u64,
}

impl Fault {
    /// Never occurs.
    pub fn never() -> Self {
        Fault::default()
    }

    /// Occurs at every chance.
    pub fn always() -> Self {
        Fault {
            on: true,
            ..Fault::default()
        }
    }

    /// Occurs at the next `count` chances.
    pub fn times(count: u64) -> Self {
        Fault {
            on: true,
            times: Some(count),
            ..Fault::default()
        }
    }

    /// Occurs at the next chance only.
    pub fn once() -> Self {
        Fault::times(1)
    }

    /// Occurs at this share of the chances, 0.0 to 1.0, picked by a fixed sequence.
    pub fn rate(share: f64) -> Self {
        Fault {
            on: true,
            rate: Some(share),
            ..Fault::default()
        }
    }

    /// Lets `count` chances pass first: `Fault::once().after(4)` occurs at the fifth.
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Counts only requests with this method as chances.
    pub fn only(mut self, method: &str) -> Self {
        self.only = Some(method.to_owned());
        self
    }

    /// Returns whether it can still occur.
    pub fn is_armed(&self) -> bool {
        self.on && self.times != Some(0)
    }

    /// Returns whether it occurs now; call once a chance.
    pub(super) fn strikes(&mut self) -> bool {
        if !self.is_armed() {
            return false;
        }
        self.chances += 1;
        if self.chances <= self.after {
            return false;
        }
        if let Some(share) = self.rate {
            let dice = mix(self.chances) as f64 / u64::MAX as f64;
            if dice >= share {
                return false;
            }
        }
        if let Some(left) = &mut self.times {
            *left -= 1;
        }
        true
    }

    /// Returns [`Fault::strikes`] for a request: one with another method is not a chance.
    pub(super) fn strikes_on(&mut self, method: &str) -> bool {
        let mine = self
            .only
            .as_deref()
            .is_none_or(|only| only.eq_ignore_ascii_case(method));
        mine && self.strikes()
    }
}

/// Computes splitmix64: enough for faults and sample people, and the same on every platform.
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected true, a number of times, a share such as 0.1, or { times, after, rate, only }"
)]
enum Written {
    Switch(bool),
    Times(u64),
    Rate(f64),
    Table(Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    times: Option<u64>,
    #[serde(default)]
    after: u64,
    rate: Option<f64>,
    only: Option<String>,
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(input)? {
            Written::Switch(on) => Fault {
                on,
                ..Fault::default()
            },
            Written::Times(count) => Fault::times(count),
            Written::Rate(share) => Fault::rate(share),
            Written::Table(t) => Fault {
                on: true,
                times: t.times,
                after: t.after,
                rate: t.rate,
                only: t.only,
                chances: 0,
            },
        })
    }
}

/// The form in which Graph refuses an expired token (docs/design/graph.md, "Token life and resync").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetForm {
    /// 410 Gone with a `Location` whose `$deltatoken` is empty.
    #[default]
    Gone,
    /// 410 Gone without a `Location`.
    GoneWithoutLocation,
    /// 400 with the reset code.
    BadRequest,
    /// 404 with the reset code.
    NotFound,
}

/// Whether a change of manager also carries an `@removed` entry for the former one; Graph documents neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormerManager {
    /// Only the new manager.
    #[default]
    Omitted,
    /// The former one first, with `@removed`.
    Before,
    /// The former one last, with `@removed`.
    After,
}

/// Faults of the tenant. Chances: a request, unless the field says otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraphFaults {
    /// A delta page is preceded by an empty one with a nextLink.
    pub empty_pages: Fault,
    /// An object (chance: each object of a round) comes again at the end of the round.
    pub repeat_objects: Fault,
    /// As `repeat_objects`, and the first occurrence carries an outdated displayName: the last one wins.
    pub stale_first: Fault,
    /// A delta round (chance: each round) replays the changes of the round before.
    pub replay_rounds: Fault,
    /// Later slices of a large group come at the end of the round, not on the next pages.
    pub scatter_slices: Fault,
    /// The initial round (chance: each) reports deleted objects, former members and an unknown id with `@removed`.
    pub removed_in_initial: Fault,
    /// How a change of manager looks.
    pub former_manager: FormerManager,
    /// Links in answers spell `/microsoft.graph.delta`.
    pub long_links: Fault,
    /// A request with a `$skiptoken` finds its token expired.
    pub expire_page_token: Fault,
    /// A request with a `$deltatoken` finds its token expired.
    pub expire_delta_token: Fault,
    /// The form of the answer to an expired token.
    pub reset_form: ResetForm,
    /// The code in that answer; default `syncStateNotFound`.
    pub reset_code: Option<String>,
    /// The status of the answer, in place of that of its form.
    pub reset_status: Option<u16>,
    /// The message in that answer, in place of the usual one.
    pub reset_message: Option<String>,
    /// The number of `innerError`s in which the code is wrapped.
    pub reset_depth: usize,
    /// 401 although the access token is good.
    pub unauthorized: Fault,
    /// 429.
    pub throttle: Fault,
    /// 503.
    pub unavailable: Fault,
    /// `Retry-After` of 429 and 503: seconds, also fractional, or `date:SECONDS`; absent: no header.
    pub retry_after: Option<String>,
    /// An HTML error page.
    pub server_error: Fault,
    /// Its status; default 502.
    pub server_error_status: Option<u16>,
    /// A delta page with neither nextLink nor deltaLink.
    pub no_links: Fault,
    /// A delta page with both links.
    pub both_links: Fault,
    /// A delta page without `value`.
    pub no_value: Fault,
    /// A nextLink to another host.
    pub foreign_link: Fault,
    /// A delta page's nextLink leads back to the first page of its round.
    pub circle: Fault,
    /// The last page of a delta round (chance: each time it is asked for) is not marked as the last: it leads to itself
    /// under a link that was never seen.
    pub endless: Fault,
    /// A delta page cut in the middle of its JSON.
    pub truncated: Fault,
    /// The connection breaks before the answer.
    pub dropped: Fault,
    /// The answer comes late, by `slow_ms`.
    pub slow: Fault,
    /// Milliseconds of `slow`; default 1000.
    pub slow_ms: Option<u64>,
    /// A delta round (chance: each) does not yet see the changes made since the round before.
    pub replication_delay: Fault,
    /// 429 inside a `$batch` (chance: each inner request), with `retry_after`.
    pub batch_throttle: Fault,
    /// An inner request of a `$batch` (chance: each) is answered by a replica that has not yet seen the last deletion or
    /// restoration of the object (since June 2026 such reads are usual for a while).
    pub batch_behind: Fault,
    /// 403 inside a `$batch` (chance: each inner request), which does not show whether the object exists.
    pub batch_denied: Fault,
    /// A write is answered 204 and not kept (chance: each write that is allowed).
    pub writes_lost: Fault,
    /// A write (chance: each that is allowed) reaches a replica that lacks the user, or the group: 404.
    pub writes_not_found: Fault,
    /// A member who is added (chance: each) is so new that a replica lacks it: 400.
    pub fresh_objects: Fault,
    /// The token endpoint answers 503.
    pub token_unavailable: Fault,
    /// A page of the assignment list (chance: each, and so for the other `assignment_` faults) is answered 503.
    pub assignment_error: Fault,
    /// It is answered 429, with `retry_after`.
    pub assignment_throttle: Fault,
    /// A page after the first begins with the last entry of the page before: the list changed while it was read.
    pub assignment_torn: Fault,
    /// Its nextLink leads to the page itself, under a link that was never seen.
    pub assignment_endless: Fault,
    /// It has no `value`.
    pub assignment_no_value: Fault,
    /// Its nextLink leads to another host.
    pub assignment_foreign_link: Fault,
    /// It is cut in the middle of its JSON.
    pub assignment_truncated: Fault,
    /// Members in one slice of a group, in place of the tenant's own option.
    pub members_per_slice: Option<usize>,
    /// Objects on a delta page, in place of the tenant's own options.
    pub page_size: Option<usize>,
    /// Object ids of groups whose members need `Member.Read.Hidden`.
    pub hidden_groups: Vec<String>,
    /// Application permissions that do not count although they were granted: 403.
    pub missing_permissions: Vec<String>,
}

/// Faults of the workspace. Chances: a request, unless the field says otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScimFaults {
    /// A write is carried out, and the connection breaks before the answer (chance: each write; `only` picks a method).
    pub drop_after: Fault,
    /// A request is not carried out, and the connection breaks.
    pub drop_before: Fault,
    /// A write is carried out, and the answer comes `slow_ms` late: longer than the client waits.
    pub slow_after: Fault,
    /// Any answer comes `slow_ms` late.
    pub slow: Fault,
    /// Milliseconds of `slow` and `slow_after`; default 1000.
    pub slow_ms: Option<u64>,
    /// 429, not carried out.
    pub throttle: Fault,
    /// 503, not carried out.
    pub unavailable: Fault,
    /// `Retry-After` of 429 and 503: seconds, also fractional, or `date:SECONDS`; absent: no header.
    pub retry_after: Option<String>,
    /// 500 with a SCIM error, not carried out.
    pub server_error: Fault,
    /// 500 with a SCIM error although the write was carried out.
    pub server_error_after: Fault,
    /// 502 with an HTML page, not carried out.
    pub html_error: Fault,
    /// 200 with an HTML page, not carried out: a log-in page in front of the service.
    pub html_success: Fault,
    /// A create is carried out and answered 201 without an id.
    pub create_without_id: Fault,
    /// A create is carried out and answered with the id of the one before it, of the same collection.
    pub create_repeats_id: Fault,
    /// A write is answered 2xx and not carried out.
    pub ignore_write: Fault,
    /// A proxy mixes answers up: the request is carried out, and answered with the good answer to the request before it
    /// of the same method and collection.
    pub mixed_up: Fault,
    /// 401 although the token is good.
    pub unauthorized: Fault,
    /// 403, not carried out.
    pub forbidden: Fault,
    /// A write is refused with 400, and the refusal quotes everything that was sent.
    pub refuse_quoting: Fault,
    /// userNames (compared without case) whose create or update is answered 400.
    pub refuse_user_names: Vec<String>,
    /// Writes a minute; more are answered 429 with the wait in `Retry-After`. Absent: as fast as it can.
    pub writes_per_minute: Option<u32>,
    /// How many writes may come at once before the rate counts; default 10.
    pub burst: Option<u32>,
    /// A page of security keys after the first (chance: each) comes from a list that moved by one row.
    pub keys_shift: Fault,
    /// A page of security keys (chance: each) lacks its last row.
    pub keys_omitted: Fault,
    /// Listings of security keys have no `total`.
    pub keys_without_total: bool,
    /// Behaviours of servers in the field, one switch each.
    pub odd: Oddities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct FaultsFile {
    graph: GraphFaults,
    scim: ScimFaults,
}

/// The error for a faults file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// The text is not TOML, or names a fault that does not exist; the cause names line and key.
    #[error(
        "cannot read the faults: only the tables [graph] and [scim] with the fields of the sandbox's faults are allowed"
    )]
    Invalid(#[source] toml::de::Error),
}

/// Reads a faults file: the fields of [`GraphFaults`] under `[graph]`, those of [`ScimFaults`] under `[scim]`, and those of
/// [`Oddities`] under `[scim.odd]`.
pub fn load_faults(text: &str) -> Result<(GraphFaults, ScimFaults), FaultsError> {
    let file: FaultsFile = toml::from_str(text).map_err(FaultsError::Invalid)?;
    Ok((file.graph, file.scim))
}

/// Returns the value of a `Retry-After` header for a setting such as `"2"`, `"0.5"` or `"date:3"`.
pub(super) fn retry_after_value(setting: &str) -> String {
    match setting
        .strip_prefix("date:")
        .and_then(|seconds| seconds.parse().ok())
    {
        Some(seconds) => super::clock::http_date(seconds),
        None => setting.to_owned(),
    }
}
