//! Delta rounds: `GET /users/delta` and `GET /groups/delta` (delta-query-overview.md, user-delta.md, group-delta.md).
//!
//! A round begins with a `$select` or a `$deltatoken`, lists its entries at once, and is served page by page from tokens
//! that name the round and the position. Asking for the same page again gives the same page, so a client may resume.
//! The deltaLink names the directory's sequence number at the round's beginning: what changes meanwhile comes next time.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::directory::Kind;
use super::directory::Life;
use super::graph::READ_GROUPS;
use super::graph::READ_USERS;
use super::page;
use super::read;
use crate::sandbox::faults::FormerManager;
use crate::sandbox::faults::ResetForm;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

mod round;

/// Rounds whose pages can still be asked for; older page tokens have expired.
const OPEN_ROUNDS: usize = 64;

/// One thing that a round brings.
#[derive(Clone)]
pub(super) struct Entry {
    pub at: usize,
    /// Member changes of this slice: member, removed. None where memberships are not part of the round.
    pub members: Option<Vec<(usize, bool)>>,
    /// Served with an outdated displayName (fault `stale_first`).
    pub stale: bool,
    /// An `@removed` entry of an id that nobody ever saw (fault `removed_in_initial`).
    pub unknown: bool,
}

pub(super) struct Round {
    pub id: u64,
    pub kind: Kind,
    pub select: Vec<String>,
    /// The round begins with everything there is, not with what changed.
    pub first: bool,
    pub since: u64,
    /// Where the next round begins.
    pub until: u64,
    pub entries: Vec<Entry>,
}

pub(super) struct Rounds {
    /// Changes when all tokens are forgotten, and with every process.
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

/// What a token says; opaque to clients.
#[derive(Serialize, Deserialize)]
enum Token {
    /// The page at `from` of a round; `after_empty`: the page before it was an empty one.
    Skip {
        epoch: String,
        round: u64,
        from: usize,
        after_empty: bool,
    },
    /// What changed after `since`; `before` is where the finished round began, for replays.
    Delta {
        epoch: String,
        groups: bool,
        select: Vec<String>,
        since: u64,
        before: u64,
    },
}

impl Token {
    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn parse(text: &str) -> Option<Token> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

pub(super) fn answer(core: &mut Core, call: &Call, kind: Kind) -> Answer {
    if !core.auth.may(if kind == Kind::Group {
        READ_GROUPS
    } else {
        READ_USERS
    }) {
        return page::denied();
    }
    for refused in ["expand", "top", "orderby", "search", "count"] {
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

/// `id eq 'a' or id eq 'b'`, at most 50.
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

/// An expired token, in the form that was asked for.
fn reset(core: &Core, call: &Call, kind: Kind) -> Answer {
    let code = core.faults.reset_code.as_deref().unwrap_or("syncStateNotFound");
    let message = "The sync state generation is not found; start again without a token.";
    let mut error = json!({"code": code, "message": message});
    for _ in 0..core.faults.reset_depth {
        error = json!({"code": "UnknownError", "message": "", "innerError": error});
    }
    let status = match core.faults.reset_form {
        ResetForm::Gone | ResetForm::GoneWithoutLocation => 410,
        ResetForm::BadRequest => 400,
        ResetForm::NotFound => 404,
    };
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
        .map(|entry| shown(core, round, entry, minimal && !round.first))
        .collect();
    let mut body = Map::new();
    body.insert(
        "@odata.context".into(),
        format!("{}/v1.0/$metadata#{}(id)", call.origin(), plural(round.kind)).into(),
    );
    body.insert("value".into(), value.into());
    let last = to >= round.entries.len() && !empty;
    put_links(core, call, round, &mut body, (to, empty), last);
    if core.faults.no_value.strikes() {
        body.remove("value");
    }
    let mut answer = page::ok(&Value::Object(body));
    if core.faults.truncated.strikes() {
        answer.body.truncate(answer.body.len() / 2);
    }
    answer
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

/// A page is full, or would show two slices of one group.
fn end_of_page(core: &Core, round: &Round, from: usize) -> usize {
    let size = if round.kind == Kind::Group {
        core.options.groups_per_page
    } else {
        core.options.users_per_page
    };
    let mut to = from;
    while to < round.entries.len() && to - from < size.max(1) {
        if to > from
            && round.entries[to].at == round.entries[to - 1].at
            && round.entries[to].members.is_some()
        {
            break;
        }
        to += 1;
    }
    to
}

fn shown(core: &Core, round: &Round, entry: &Entry, minimal: bool) -> Value {
    let directory = &core.directory;
    let object = &directory.objects[entry.at];
    if entry.unknown {
        let id = crate::sandbox::sample::object_id(u64::MAX - 1, entry.at as u64);
        return json!({"id": id, "@removed": {"reason": "deleted"}});
    }
    match object.life {
        Life::Soft => return json!({"id": object.id, "@removed": {"reason": "changed"}}),
        Life::Hard => return json!({"id": object.id, "@removed": {"reason": "deleted"}}),
        Life::Live => {}
    }
    let mut out = Map::new();
    out.insert("id".into(), object.id.clone().into());
    for name in round
        .select
        .iter()
        .filter(|name| !page::is_relation(name) && *name != "id")
    {
        if let Some(value) = object
            .props
            .get(name)
            .filter(|_| !minimal || object.property_seq(name) > round.since)
        {
            out.insert(name.clone(), value.clone());
        }
    }
    if entry.stale && out.contains_key("displayName") {
        out.insert("displayName".into(), "An outdated name".into());
    }
    if round.select.iter().any(|name| name == "manager") {
        let changes = manager_delta(core, round, entry.at);
        if !changes.is_empty() {
            out.insert("manager@delta".into(), changes.into());
        }
    }
    if let Some(members) = entry.members.as_ref().filter(|members| !members.is_empty()) {
        let list = members
            .iter()
            .map(|(member, removed)| page::reference(directory, *member, *removed));
        out.insert("members@delta".into(), list.collect());
    }
    Value::Object(out)
}

fn manager_delta(core: &Core, round: &Round, at: usize) -> Vec<Value> {
    let (directory, object) = (&core.directory, &core.directory.objects[at]);
    if object.manager_seq <= round.since && object.born <= round.since {
        return Vec::new();
    }
    let current = directory.effective_manager(at);
    let gone = object
        .former_managers
        .iter()
        .filter(|(former, seq)| *seq > round.since && Some(*former) != current);
    let gone = gone.map(|(former, _)| page::reference(directory, *former, true));
    let new = current.map(|manager| page::reference(directory, manager, false));
    let style = if round.first {
        FormerManager::Omitted
    } else {
        core.faults.former_manager
    };
    match (new, style) {
        (None, _) if round.first => Vec::new(),
        (None, _) => gone.collect(),
        (Some(new), FormerManager::Omitted) => vec![new],
        (Some(new), FormerManager::Before) => gone.chain([new]).collect(),
        (Some(new), FormerManager::After) => [new].into_iter().chain(gone).collect(),
    }
}

pub(super) fn hides_members(core: &Core, at: usize) -> bool {
    read::hides_members(core, at)
}
