//! Delta rounds: `GET /users/delta` and `GET /groups/delta` (delta-query-overview.md, user-delta.md, group-delta.md).
//!
//! A round begins with a `$select` or a `$deltatoken`, lists its entries at once, and is served page by page from
//! tokens that name the round and the position. Asking for the same page again returns the same page, so a client may
//! resume. The deltaLink names the directory's sequence number at the round's beginning: what changes meanwhile comes
//! next time.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::directory::Kind;
use super::graph::READ_GROUPS;
use super::graph::READ_USERS;
use super::page;
use crate::sandbox::faults::ResetForm;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

mod round;
mod shape;
mod token;

use token::Token;

/// The rounds whose pages can still be asked for; older page tokens have expired.
const OPEN_ROUNDS: usize = 64;

/// One entry of a round.
#[derive(Clone)]
pub(super) struct Entry {
    pub at: usize,
    /// The member changes of this slice: member, removed. `None` where memberships are not part of the round.
    pub members: Option<Vec<(usize, bool)>>,
    /// True if it is served with an outdated displayName (fault `stale_first`).
    pub stale: bool,
    /// True for an `@removed` entry of an id that was never seen (fault `removed_in_initial`).
    pub unknown: bool,
}

pub(super) struct Round {
    pub id: u64,
    pub kind: Kind,
    pub select: Vec<String>,
    /// True if the round begins with everything that exists, not with what changed.
    pub first: bool,
    pub since: u64,
    /// The number at which the next round begins.
    pub until: u64,
    pub entries: Vec<Entry>,
}

pub(super) struct Rounds {
    /// Changes when all tokens are dropped, and with every process.
    epoch: String,
    next: u64,
    open: VecDeque<Arc<Round>>,
    /// How far the last round of users and of groups saw (fault `replication_delay`).
    seen: [u64; 2],
}

impl Rounds {
    pub fn new() -> Self {
        Rounds {
            epoch: uuid::Uuid::new_v4().to_string(),
            next: 1,
            open: VecDeque::new(),
            seen: [0; 2],
        }
    }

    pub fn forget(&mut self) {
        self.epoch = uuid::Uuid::new_v4().to_string();
        self.open.clear();
    }

    fn keep(&mut self, mut round: Round) -> Arc<Round> {
        round.id = self.next;
        self.next += 1;
        let round = Arc::new(round);
        self.open.push_back(round.clone());
        if self.open.len() > OPEN_ROUNDS {
            self.open.pop_front();
        }
        round
    }
}

pub(super) fn answer(core: &mut Core, call: &Call, kind: Kind) -> Answer {
    if !core.may(if kind == Kind::Group {
        READ_GROUPS
    } else {
        READ_USERS
    }) {
        return page::denied();
    }
    // `$top` is left out here: the service accepts it and returns pages of its own size.
    for refused in ["expand", "orderby", "search", "count"] {
        if call.option(refused).is_some() {
            let text = format!("${refused} is not supported on delta queries.");
            return page::error(400, "Request_UnsupportedQuery", &text);
        }
    }
    if let Some(token) = call.option("skiptoken") {
        return next_page(core, call, kind, &token);
    }
    match call.option("deltatoken") {
        Some(token) if !token.is_empty() && token != "latest" => following(core, call, kind, &token),
        token => initial(core, call, kind, token.as_deref() == Some("latest")),
    }
}

fn initial(core: &mut Core, call: &Call, kind: Kind, latest: bool) -> Answer {
    let select = match call.option("select") {
        None => page::default_select(kind),
        Some(text) => match page::parse_select(&text) {
            Ok(select) => select,
            Err(refusal) => return refusal,
        },
    };
    let only = match call.option("filter").map(|text| ids_of_filter(&text)) {
        None => None,
        Some(Some(ids)) => Some(ids),
        Some(None) => {
            return page::error(
                400,
                "Request_UnsupportedQuery",
                "Only filters on id are supported on delta queries.",
            );
        }
    };
    let until = core.directory.seq;
    core.rounds.seen[usize::from(kind == Kind::Group)] = until;
    let mut entries = if latest {
        Vec::new()
    } else {
        round::initial(core, kind, &select)
    };
    if let Some(ids) = only {
        entries.retain(|entry| ids.contains(&core.directory.objects[entry.at].id));
    }
    let round = core.rounds.keep(Round {
        id: 0,
        kind,
        select,
        first: true,
        since: 0,
        until,
        entries,
    });
    serve(core, call, &round, 0, false)
}

/// Reads `id eq 'a' or id eq 'b'`, at most 50 ids.
fn ids_of_filter(text: &str) -> Option<Vec<String>> {
    let ids: Option<Vec<String>> = text
        .split(" or ")
        .map(|part| {
            let value = part.trim().strip_prefix("id eq ")?.trim();
            Some(value.strip_prefix('\'')?.strip_suffix('\'')?.to_owned())
        })
        .collect();
    ids.filter(|ids| ids.len() <= 50)
}

fn following(core: &mut Core, call: &Call, kind: Kind, token: &str) -> Answer {
    if core.faults.expire_delta_token.strikes() {
        return reset(core, call, kind);
    }
    let Some(Token::Delta {
        epoch,
        groups,
        select,
        since,
        before,
    }) = Token::parse(token)
    else {
        return page::error(400, "BadRequest", "Badly formed token.");
    };
    if epoch != core.rounds.epoch {
        return reset(core, call, kind);
    }
    if groups != (kind == Kind::Group) || call.option("select").is_some() || call.option("filter").is_some() {
        return page::error(400, "BadRequest", "The token belongs to another query.");
    }
    let now = core.directory.seq;
    let seen = std::mem::replace(&mut core.rounds.seen[usize::from(groups)], now);
    let delayed = core.faults.replication_delay.strikes();
    let horizon = if delayed { seen.clamp(since, now) } else { now };
    let from = if core.faults.replay_rounds.strikes() {
        before
    } else {
        since
    };
    let entries = round::following(core, kind, &select, from, horizon);
    // After a delayed round the next one begins at the same place: what was seen comes again, and nothing is lost.
    let until = if delayed { since } else { now };
    let round = core.rounds.keep(Round {
        id: 0,
        kind,
        select,
        first: false,
        since: from,
        until,
        entries,
    });
    serve(core, call, &round, 0, false)
}

fn next_page(core: &mut Core, call: &Call, kind: Kind, token: &str) -> Answer {
    if core.faults.expire_page_token.strikes() {
        return reset(core, call, kind);
    }
    let Some(Token::Skip {
        epoch,
        round,
        from,
        after_empty,
    }) = Token::parse(token)
    else {
        return page::error(400, "BadRequest", "Badly formed token.");
    };
    let open = core
        .rounds
        .open
        .iter()
        .find(|open| open.id == round && open.kind == kind)
        .cloned();
    match open.filter(|_| epoch == core.rounds.epoch) {
        Some(round) => serve(core, call, &round, from, after_empty),
        None => reset(core, call, kind),
    }
}

/// Answers for an expired token, in the form that is set.
fn reset(core: &Core, call: &Call, kind: Kind) -> Answer {
    let code = core.faults.reset_code.as_deref().unwrap_or("syncStateNotFound");
    let message = core.faults.reset_message.as_deref();
    let message = message.unwrap_or("The sync state generation is not found; start again without a token.");
    let mut error = json!({"code": code, "message": message});
    for _ in 0..core.faults.reset_depth {
        error = json!({"code": "UnknownError", "message": "", "innerError": error});
    }
    let status = core.faults.reset_status.unwrap_or(match core.faults.reset_form {
        ResetForm::Gone | ResetForm::GoneWithoutLocation => 410,
        ResetForm::BadRequest => 400,
        ResetForm::NotFound => 404,
    });
    let answer = Answer::json(status, "application/json", &json!({"error": error}));
    match core.faults.reset_form {
        ResetForm::Gone => answer.with(
            "location",
            format!("{}/v1.0/{}/delta?$deltatoken=", call.origin(), plural(kind)),
        ),
        _ => answer,
    }
}

fn plural(kind: Kind) -> &'static str {
    if kind == Kind::Group { "groups" } else { "users" }
}

fn serve(core: &mut Core, call: &Call, round: &Round, from: usize, after_empty: bool) -> Answer {
    let minimal = call
        .header("prefer")
        .is_some_and(|prefer| prefer.to_ascii_lowercase().contains("return=minimal"));
    let empty = !after_empty && core.faults.empty_pages.strikes();
    let to = if empty {
        from
    } else {
        end_of_page(core, round, from)
    };
    let value: Vec<Value> = round.entries[from.min(to)..to]
        .iter()
        .map(|entry| shape::shown(core, round, entry, minimal && !round.first))
        .collect();
    let mut body = Map::new();
    body.insert(
        "@odata.context".into(),
        format!("{}/v1.0/$metadata#{}(id)", call.origin(), plural(round.kind)).into(),
    );
    body.insert("value".into(), value.into());
    let last = to >= round.entries.len() && !empty;
    let again = last && core.faults.endless.strikes();
    let back = !last && core.faults.circle.strikes();
    let next = match (again, back) {
        (true, _) => (from, empty),
        (false, true) => (0, false),
        (false, false) => (to, empty),
    };
    put_links(core, call, round, &mut body, next, last && !again);
    if again && let Some(Value::String(link)) = body.get_mut("@odata.nextLink") {
        core.rounds.next += 1;
        *link = format!("{link}&again={}", core.rounds.next);
    }
    if core.faults.no_value.strikes() {
        body.remove("value");
    }
    let mut answer = page::ok(&Value::Object(body));
    if core.faults.truncated.strikes() {
        answer.body.truncate(answer.body.len() / 2);
    }
    if minimal {
        answer.with("preference-applied", "return=minimal")
    } else {
        answer
    }
}

fn put_links(
    core: &mut Core,
    call: &Call,
    round: &Round,
    body: &mut Map<String, Value>,
    next: (usize, bool),
    last: bool,
) {
    let verb = if core.faults.long_links.strikes() {
        "microsoft.graph.delta"
    } else {
        "delta"
    };
    let host = if !last && core.faults.foreign_link.strikes() {
        "http://graph.elsewhere.example".into()
    } else {
        call.origin()
    };
    let base = format!("{host}/v1.0/{}/{verb}", plural(round.kind));
    let epoch = core.rounds.epoch.clone();
    let skip = Token::Skip {
        epoch: epoch.clone(),
        round: round.id,
        from: next.0,
        after_empty: next.1,
    };
    let groups = round.kind == Kind::Group;
    let delta = Token::Delta {
        epoch,
        groups,
        select: round.select.clone(),
        since: round.until,
        before: round.since,
    };
    let both = core.faults.both_links.strikes();
    if core.faults.no_links.strikes() {
        return;
    }
    if !last || both {
        body.insert(
            "@odata.nextLink".into(),
            format!("{base}?$skiptoken={}", skip.text()).into(),
        );
    }
    if last || both {
        body.insert(
            "@odata.deltaLink".into(),
            format!("{base}?$deltatoken={}", delta.text()).into(),
        );
    }
}

/// Returns where a page that begins at `from` ends: before the entry that it has no room for, and before a second slice
/// of one group. A first entry always has room, however many links it has.
fn end_of_page(core: &Core, round: &Round, from: usize) -> usize {
    let size = if round.kind == Kind::Group {
        core.options.groups_per_page
    } else {
        core.options.users_per_page
    };
    let size = core.faults.page_size.unwrap_or(size);
    let links_of = |at: usize| round.entries[at].members.as_ref().map_or(0, Vec::len);
    let (mut to, mut links) = (from, 0);
    while to < round.entries.len() && to - from < size.max(1) {
        links += links_of(to);
        let same = |before: usize| round.entries[to].at == round.entries[before].at;
        let slice = round.entries[to].members.is_some();
        if to > from && (links > core.options.links_per_page || (slice && same(to - 1))) {
            break;
        }
        to += 1;
    }
    to
}
