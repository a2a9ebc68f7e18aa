//! An independent model of Graph's delta query (docs/design/graph.md: pages, slices of members, replays, changes that come a
//! round later, links that expire), over the directory and its versions.
//!
//! A round that began at change number `token` shows each object as it was at any later moment. Whatever was touched
//! after `token` comes again in the next round, so what a round showed too early or too late is put right there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use melonsync::model::assignment::AppRole;
use melonsync::model::assignment::AssignmentList;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::object::DeltaObject;
use melonsync::model::object::Existence;
use melonsync::model::object::MemberKind;
use melonsync::model::object::ReferenceChange;
use melonsync::model::object::Removed;
use melonsync::model::value::Attributes;
use melonsync::model::value::Value;
use melonsync::ports::DeltaPage;
use melonsync::ports::NextPage;
use melonsync::ports::PageRequest;
use melonsync::ports::SourceDirectory;
use melonsync::ports::SourceError;
use melonsync::ports::Traffic;

use super::directory::Entity;
use super::directory::Life;
use super::directory::Part;
use super::site::Inner;
use super::site::Site;

/// The rounds that were begun.
#[derive(Debug, Default)]
pub struct Rounds {
    known: Vec<Round>,
    /// Links of older epochs have expired.
    epoch: BTreeMap<ObjectKind, u64>,
}

#[derive(Debug, Clone)]
struct Round {
    kind: ObjectKind,
    full: bool,
    /// The change number that a delta round is told from.
    from: u64,
    /// The next round is told from this one.
    token: u64,
    select: Vec<String>,
    pages: Vec<Vec<Slice>>,
}

/// One occurrence of an object: of its members only every `of`-th.
#[derive(Debug, Clone, Copy)]
struct Slice {
    id: SourceId,
    part: usize,
    of: usize,
}

/// The source, as the engine sees it.
pub struct Graph(pub Arc<Site>);

#[async_trait]
impl SourceDirectory for Graph {
    async fn page(&self, kind: ObjectKind, request: PageRequest) -> Result<DeltaPage, SourceError> {
        self.0.step().await;
        let answer = self.0.lock().page(kind, &request);
        self.0.step().await;
        let mut inner = self.0.lock();
        inner.trace.note(|| format!("page {request:?}: {answer:?}"));
        if inner.judge.probed.remove(&kind) {
            return answer;
        }
        if !is_page(&request) {
            inner.judge.round_begins(kind);
        }
        if answer.is_err() {
            inner.judge.broke_off();
        }
        if let Ok(page) = &answer {
            let full = matches!(request, PageRequest::First { .. }) || is_full(&request);
            inner
                .judge
                .read(kind, page, full, matches!(request, PageRequest::First { .. }));
        }
        answer
    }

    async fn look_up(
        &self,
        kind: ObjectKind,
        ids: &[SourceId],
        select: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError> {
        self.0.step().await;
        let answer = self.0.lock().look_up(ids, select);
        self.0.step().await;
        let mut inner = self.0.lock();
        inner.trace.note(|| format!("look up {kind} {ids:?}: {answer:?}"));
        let now = inner.clock.now();
        // What the way back asks for says nothing of the scope, and no other direction goes by it.
        let is_back = kind == ObjectKind::User && !select.iter().any(|name| name == "department");
        for (id, existence) in answer.iter().flatten().filter(|_| !is_back) {
            inner.judge.asked(id, existence, now);
        }
        answer
    }

    async fn assignments(&self, _: SourceId) -> Result<AssignmentList, SourceError> {
        Err(down())
    }

    async fn app_roles(&self, _: SourceId) -> Result<Vec<AppRole>, SourceError> {
        Err(down())
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

fn is_page(request: &PageRequest) -> bool {
    matches!(request, PageRequest::Follow { link, .. } if link.starts_with("page"))
}

fn is_full(request: &PageRequest) -> bool {
    matches!(request, PageRequest::Follow { minimal: false, .. })
}

fn down() -> SourceError {
    SourceError::Unavailable {
        what: "GET delta: 503".into(),
        hint: "wait".to_owned(),
        cause: None,
    }
}

fn reset() -> SourceError {
    SourceError::Reset {
        what: "GET delta: 410 syncStateNotFound".into(),
        location: None,
    }
}

impl Inner {
    fn source_fault(&mut self) -> Option<SourceError> {
        let weather = self.weather;
        if self.dice.chance(weather.source_down) {
            return Some(down());
        }
        if self.dice.chance(weather.source_malformed) {
            return Some(SourceError::Malformed {
                what: "GET delta: the page has no `value`".into(),
                hint: "wait".to_owned(),
            });
        }
        self.dice
            .chance(weather.source_unauthorized)
            .then(|| SourceError::Unauthorized {
                what: "GET delta: 401".into(),
                hint: "renew the secret".to_owned(),
            })
    }

    fn page(&mut self, kind: ObjectKind, request: &PageRequest) -> Result<DeltaPage, SourceError> {
        if let Some(fault) = self.source_fault() {
            return Err(fault);
        }
        if self.dice.chance(self.weather.stream_reset) {
            *self.rounds.epoch.entry(kind).or_default() += 1;
        }
        let epoch = *self.rounds.epoch.entry(kind).or_default();
        let (round, page) = match request {
            PageRequest::First { select } => (self.begin_full(kind, select.clone()), 0),
            PageRequest::Follow { link, .. } => {
                let numbers: Vec<u64> = link.split('/').filter_map(|part| part.parse().ok()).collect();
                let [of, round, page] = numbers[..] else {
                    return Err(reset());
                };
                let is_page = link.starts_with("page");
                if of != epoch || (is_page && self.dice.chance(self.weather.page_expired)) {
                    return Err(reset());
                }
                if is_page {
                    (round as usize, page as usize)
                } else {
                    (self.begin_delta(round as usize), 0)
                }
            }
        };
        Ok(self.show(round, page, epoch))
    }

    fn begin_full(&mut self, kind: ObjectKind, select: Vec<String>) -> usize {
        let token = self.directory.seq;
        let mut ids: Vec<SourceId> = Vec::new();
        for (id, versions) in &self.directory.objects {
            let now = versions.last().map(|version| &version.entity);
            if now.is_some_and(|entity| entity.kind == kind) {
                ids.push(*id);
            }
        }
        let mut left_out = Vec::new();
        ids.retain(|id| {
            let live = self.directory.is_live(id);
            // The initial round may hold what was removed, too.
            let shown = if live {
                !self.dice.chance(self.weather.left_out)
            } else {
                self.dice.chance(30)
            };
            if live && !shown {
                left_out.push(*id);
            }
            shown
        });
        for id in left_out {
            self.directory.repeat(&id);
        }
        self.begin(kind, true, 0, token, select, ids)
    }

    fn begin_delta(&mut self, after: usize) -> usize {
        let Round {
            kind,
            token: from,
            ref select,
            ..
        } = self.rounds.known[after];
        let (select, now) = (select.clone(), self.directory.seq);
        // Replication is behind: the newest changes come in this round or in the next. Once all is quiet it catches up.
        let token = if self.dice.chance(25) {
            let behind = self.dice.between(from, now);
            if self.quiet { now } else { behind }
        } else {
            now
        };
        let mut ids: Vec<SourceId> = Vec::new();
        for (id, versions) in &self.directory.objects {
            if versions[0].entity.kind != kind {
                continue;
            }
            let due = versions
                .iter()
                .any(|version| version.seq > from && version.seq <= token);
            let early = versions.iter().any(|version| version.seq > token);
            if due || (early && self.dice.chance(50)) {
                ids.push(*id);
            }
        }
        self.begin(kind, false, from, token, select, ids)
    }

    /// Cuts a round into pages, in any order, some objects in slices or twice, some pages empty.
    fn begin(
        &mut self,
        kind: ObjectKind,
        full: bool,
        from: u64,
        token: u64,
        select: Vec<String>,
        ids: Vec<SourceId>,
    ) -> usize {
        let mut slices = Vec::new();
        for id in ids {
            let of = if kind == ObjectKind::Group && self.dice.chance(40) {
                2
            } else {
                1
            };
            slices.extend((0..of).map(|part| Slice { id, part, of }));
            if self.dice.chance(10) {
                slices.push(Slice { id, part: 0, of: 1 });
            }
        }
        self.dice.shuffle(&mut slices);
        let mut pages = Vec::new();
        while !slices.is_empty() {
            let size = self.dice.below(5).min(slices.len());
            pages.push(slices.split_off(slices.len() - size));
        }
        if pages.is_empty() || self.dice.chance(10) {
            pages.push(Vec::new());
        }
        self.rounds.known.push(Round {
            kind,
            full,
            from,
            token,
            select,
            pages,
        });
        self.rounds.known.len() - 1
    }

    fn show(&mut self, number: usize, page: usize, epoch: u64) -> DeltaPage {
        let round = self.rounds.known[number].clone();
        let mut objects = Vec::new();
        for slice in &round.pages[page] {
            let seen = if self.dice.chance(85) {
                self.directory.seq
            } else {
                self.dice.between(round.token, self.directory.seq)
            };
            objects.extend(self.entry(&round, slice, seen));
        }
        let next = if page + 1 < round.pages.len() {
            NextPage::More {
                next_link: format!("page/{epoch}/{number}/{}", page + 1),
            }
        } else {
            NextPage::Complete {
                delta_link: format!("delta/{epoch}/{number}/0"),
            }
        };
        DeltaPage { objects, next }
    }

    /// An object as it was at `seen`, as this round tells it.
    fn entry(&mut self, round: &Round, slice: &Slice, seen: u64) -> Option<DeltaObject> {
        let entity = self.directory.at(&slice.id, seen)?.clone();
        let mut object = DeltaObject {
            kind: round.kind,
            id: slice.id,
            attributes: Attributes::new(),
            removed: None,
            manager: Vec::new(),
            members: Vec::new(),
        };
        object.removed = match entity.life {
            Life::Live => None,
            Life::Soft => Some(Removed::SoftDeleted),
            Life::Hard => Some(Removed::HardDeleted),
        };
        if object.removed.is_some() {
            return Some(object);
        }
        let mut touched = self.directory.touched(&slice.id, round.from, seen);
        let whole = round.full || self.dice.chance(30);
        for name in &round.select {
            let held = entity.values.get(name.as_str());
            let moved = touched
                .iter()
                .any(|part| matches!(part, Part::Property(p) if p == name));
            match held {
                Some(value) if whole || moved => {
                    object.attributes.insert(name.as_str(), value.clone());
                }
                None if moved && !round.full => {
                    object.attributes.insert(name.as_str(), Value::Null);
                }
                _ => {}
            }
        }
        if round.full {
            touched.extend(entity.manager.map(Part::Manager));
            touched.extend(
                entity
                    .members
                    .iter()
                    .chain(&entity.devices)
                    .copied()
                    .map(Part::Member),
            );
        }
        for part in touched {
            match part {
                Part::Manager(id) => object.manager.extend(manager_entry(&entity, id, round.full)),
                Part::Member(id) if usize::from(id.as_bytes()[15]) % slice.of == slice.part => {
                    object.members.extend(member_entry(&entity, id, round.full));
                }
                _ => {}
            }
        }
        self.dice.shuffle(&mut object.manager);
        self.dice.shuffle(&mut object.members);
        Some(object)
    }

    fn look_up(
        &mut self,
        ids: &[SourceId],
        select: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError> {
        if let Some(fault) = self.source_fault() {
            return Err(fault);
        }
        let mut answers: Vec<(SourceId, Existence)> = Vec::new();
        for id in ids {
            let answer = if self.dice.chance(self.weather.look_up_unknown) {
                Existence::Unknown("403".to_owned())
            } else {
                let seen = self.replica();
                self.existence(id, select, seen)
            };
            answers.push((*id, answer));
        }
        self.dice.shuffle(&mut answers);
        Ok(answers)
    }

    /// Up to which change the replica has come that answers: now and then it is up to 15 minutes behind.
    fn replica(&mut self) -> u64 {
        let now = self.directory.seq;
        if !self.dice.chance(self.weather.replica_behind) {
            return now;
        }
        let since = self.clock.now().minus(Duration::from_secs(15 * 60));
        let settled = self
            .moments
            .iter()
            .filter(|(at, _)| *at <= since)
            .map(|(_, seq)| *seq);
        let known = settled.max().unwrap_or(self.moments[0].1);
        self.dice.between(known, now)
    }

    fn existence(&self, id: &SourceId, select: &[String], seen: u64) -> Existence {
        match self.directory.at(id, seen) {
            Some(entity) if entity.life == Life::Live => {
                let plain = select
                    .iter()
                    .filter(|name| !matches!(name.as_str(), "manager" | "members" | "id"));
                let value = |name: &String| entity.values.get(name.as_str()).cloned().unwrap_or_default();
                Existence::Alive(plain.map(|name| (name.clone(), value(name))).collect())
            }
            Some(entity) if entity.life == Life::Soft => Existence::SoftDeleted,
            _ => Existence::HardDeleted,
        }
    }
}

fn manager_entry(entity: &Entity, id: SourceId, full: bool) -> Option<ReferenceChange> {
    let removed = entity.manager != Some(id);
    (!(full && removed)).then_some(ReferenceChange {
        id,
        kind: MemberKind::User,
        removed,
    })
}

fn member_entry(entity: &Entity, id: SourceId, full: bool) -> Option<ReferenceChange> {
    let device = entity.devices.contains(&id);
    let removed = !device && !entity.members.contains(&id);
    (!(full && removed)).then_some(ReferenceChange {
        id,
        kind: if device {
            MemberKind::Other
        } else {
            MemberKind::User
        },
        removed,
    })
}
