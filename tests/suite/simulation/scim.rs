//! The service as the engine sees it, through the weather: answers that get lost, writes that are carried out late,
//! listings that end early.

use std::sync::Arc;

use async_trait::async_trait;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::TargetId;
use melonsync::ports::Capabilities;
use melonsync::ports::Created;
use melonsync::ports::Found;
use melonsync::ports::ListPage;
use melonsync::ports::ListPosition;
use melonsync::ports::NewResource;
use melonsync::ports::Paged;
use melonsync::ports::Patch;
use melonsync::ports::Resource;
use melonsync::ports::TargetDirectory;
use melonsync::ports::TargetError;
use melonsync::ports::Traffic;
use melonsync::ports::What;
use melonsync::reconcile::answer;
use melonsync::reconcile::answer::About;

use super::service::Filters;
use super::service::No;
use super::service::Numbers;
use super::service::OrFilters;
use super::service::Write;
use super::site::Inner;
use super::site::Site;

/// How long the client waits for an answer. What is carried out late is carried out within it.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;

/// The target, as the engine sees it.
pub struct Scim {
    pub site: Arc<Site>,
    pub start: tokio::time::Instant,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    AnswerLost,
    AnswerMalformed,
    /// About another resource.
    AnswerForeign,
    Late,
    Lost,
    /// Not carried out, and answered 500.
    Broken,
    Throttled,
    Refused,
    Unauthorized,
}

impl Scim {
    fn now_ms(&self) -> u64 {
        (tokio::time::Instant::now() - self.start).as_millis() as u64
    }

    async fn write(&self, write: Write) -> Result<Resource, TargetError> {
        let sent = self.now_ms();
        let ticket = {
            let mut inner = self.site.lock();
            inner.service.tickets += 1;
            let ticket = inner.service.tickets;
            inner.service.under_way.insert(ticket, (sent, write.clone()));
            ticket
        };
        self.site.step().await;
        let answer = {
            let mut inner = self.site.lock();
            inner.service.under_way.remove(&ticket);
            inner.settle(self.now_ms());
            inner.fated(&write, sent)
        };
        self.site.step().await;
        let mut inner = self.site.lock();
        let answer = answer.and_then(|answer| inner.delivered(&write, answer));
        inner
            .trace
            .note(|| format!("{} {write:?}: {answer:?}", self.now_ms()));
        if answer.is_ok() {
            inner.judge.answered(&write);
        }
        answer
    }

    async fn read<T: std::fmt::Debug>(
        &self,
        what: &str,
        how: impl FnOnce(&mut Inner) -> Result<T, TargetError>,
    ) -> Result<T, TargetError> {
        self.site.step().await;
        let answer = {
            let mut inner = self.site.lock();
            inner.settle(self.now_ms());
            let fate = inner.fate(false);
            match fate {
                Fate::Good => how(&mut inner),
                fate => Err(failure(fate)),
            }
        };
        self.site.step().await;
        self.site
            .lock()
            .trace
            .note(|| format!("{} {what}: {answer:?}", self.now_ms()));
        answer
    }
}

#[async_trait]
impl TargetDirectory for Scim {
    async fn capabilities(&self) -> Result<Capabilities, TargetError> {
        Ok(Capabilities {
            patch: true,
            filter: true,
            ..Capabilities::default()
        })
    }

    async fn list(&self, kind: ObjectKind, from: Option<ListPosition>) -> Result<ListPage, TargetError> {
        let (start, again) = match from {
            Some(ListPosition::Index(start)) => (start, false),
            Some(ListPosition::Uncounted(start)) => (start, true),
            Some(ListPosition::Cursor(_)) | None => (1, false),
        };
        self.read(&format!("list {kind} from {start}"), |inner| {
            Ok(inner.list(kind, start, again))
        })
        .await
    }

    async fn find(&self, kind: ObjectKind, path: &str, value: &str) -> Result<Vec<Resource>, TargetError> {
        self.read(&format!("find {kind} {path} {value}"), |inner| {
            inner.find(kind, path, value)
        })
        .await
    }

    async fn find_any(&self, kind: ObjectKind, path: &str, values: &[String]) -> Result<Found, TargetError> {
        self.read(&format!("find {kind} {path} {values:?}"), |inner| {
            inner.find_any(kind, path, values)
        })
        .await
    }

    async fn read(&self, kind: ObjectKind, id: &TargetId) -> Result<Option<Resource>, TargetError> {
        self.read(&format!("read {kind} {id}"), |inner| {
            let held = inner.service.get(kind, id.as_str());
            let Some(held) = held.map(|held| shown(id.as_str(), held)) else {
                return Ok(None);
            };
            let found = inner.crossed(kind, held);
            if found.id.is(id) {
                Ok(Some(found))
            } else {
                Err(failure(Fate::AnswerForeign))
            }
        })
        .await
    }

    async fn create(&self, kind: ObjectKind, body: NewResource) -> Result<Created, TargetError> {
        let mut resource = self.write(Write::Create(kind, body.json())).await?;
        let inner = self.site.lock();
        inner.service.odd.show_created(&mut resource.body);
        let there = inner.service.met.contains(resource.id.as_str());
        Ok(Created {
            there,
            ..Created::from(resource)
        })
    }

    async fn patch(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
    ) -> Result<Option<Resource>, TargetError> {
        let write = Write::Patch(kind, id.as_str().to_owned(), patch.clone());
        let resource = self.write(write).await?;
        let (answers, odd) = {
            let service = &self.site.lock().service;
            (service.habits.patch_answers, service.odd)
        };
        if let Some(error) = odd.not_kept(patch, &resource) {
            return Err(error);
        }
        Ok(answers.then_some(resource))
    }

    async fn delete(&self, kind: ObjectKind, id: &TargetId) -> Result<(), TargetError> {
        match self.write(Write::Delete(kind, id.as_str().to_owned())).await {
            Ok(_) | Err(TargetError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

fn shown(id: &str, resource: &super::service::Resource) -> Resource {
    Resource {
        id: TargetId::new(id).unwrap(),
        body: resource.body(id),
    }
}

impl Inner {
    /// What a proxy that mixes answers up makes of one: perhaps somebody else's.
    fn crossed(&mut self, kind: ObjectKind, answer: Resource) -> Resource {
        let weather = self.weather;
        if weather.crossed == 0 || !self.dice.chance(weather.crossed) {
            return answer;
        }
        let all: Vec<Resource> = self.service.of(kind).map(|(id, held)| shown(id, held)).collect();
        self.dice.pick(&all).cloned().unwrap_or(answer)
    }

    /// The answer to a write as it arrives, and as the client judges it.
    fn delivered(&mut self, write: &Write, answer: Resource) -> Result<Resource, TargetError> {
        let (kind, own) = match write {
            Write::Create(kind, _) | Write::Patch(kind, ..) => (*kind, answer.id.clone()),
            Write::Delete(..) => return Ok(answer),
        };
        let answer = self.crossed(kind, answer);
        let is_ours = match write {
            Write::Create(kind, sent) => answer::of_create(*kind, sent, &answer.body, &[]) == About::Ours,
            Write::Patch(..) | Write::Delete(..) => answer.id.is(&own),
        };
        if is_ours {
            Ok(answer)
        } else {
            Err(failure(Fate::AnswerForeign))
        }
    }

    fn fate(&mut self, creates: bool) -> Fate {
        let weather = self.weather;
        for (percent, fate) in [
            (weather.answer_lost, Fate::AnswerLost),
            (weather.answer_malformed, Fate::AnswerMalformed),
            (if creates { weather.late } else { 0 }, Fate::Late),
            (weather.lost, Fate::Lost),
            (weather.broken, Fate::Broken),
            (weather.throttled, Fate::Throttled),
            (weather.refused, Fate::Refused),
            (weather.target_unauthorized, Fate::Unauthorized),
        ] {
            if percent > 0 && self.dice.chance(percent) {
                return fate;
            }
        }
        Fate::Good
    }

    /// Carries a write out, or not, as the weather has it.
    fn fated(&mut self, write: &Write, sent: u64) -> Result<Resource, TargetError> {
        let fate = if self.weather.cursed > 0 && is_cursed(write) {
            Fate::Broken
        } else {
            self.fate(matches!(write, Write::Create(..)))
        };
        match fate {
            Fate::Good | Fate::AnswerLost | Fate::AnswerMalformed => {
                let done = self.carry_out(write, false);
                match (fate, done) {
                    (Fate::Good, Ok(id)) => {
                        let held = self.service.held.get(&id).cloned();
                        let held = held.unwrap_or_else(|| super::service::Resource::new(ObjectKind::User));
                        Ok(shown(&id, &held))
                    }
                    (Fate::Good, Err(no)) => Err(refusal(no)),
                    _ => Err(failure(fate)),
                }
            }
            Fate::Late => {
                let due = sent + self.dice.between(0, REQUEST_TIMEOUT_MS - 1_000);
                self.service.late.push((due, write.clone()));
                Err(failure(fate))
            }
            _ => Err(failure(fate)),
        }
    }

    /// The one place at which a write of the engine reaches the service: the judge sees it before and after.
    pub fn carry_out(&mut self, write: &Write, late: bool) -> Result<String, No> {
        let before = self.service.held.clone();
        let done = self.service.carry_out(write);
        self.trace.note(|| format!("  carried out {write:?}: {done:?}"));
        if let Ok(id) = &done {
            self.judge
                .written(write, id, &before, &self.service, &self.directory, late);
            let held = self.service.held.get(id);
            if let Some((owner, held)) = held.and_then(|held| Some((held.owner()?, held))) {
                self.cells.laws.holds(owner, &held.nick);
            }
        }
        done
    }

    /// Carries out what was late and is due.
    pub fn settle(&mut self, now_ms: u64) {
        let (due, later) = std::mem::take(&mut self.service.late)
            .into_iter()
            .partition(|(at, _)| *at <= now_ms);
        self.service.late = later;
        let due: Vec<(u64, Write)> = due;
        for (_, write) in due {
            let _ = self.carry_out(&write, true);
        }
    }

    /// The process died: what it had sent arrives, or not, or (a create) a little later.
    pub fn strand(&mut self) {
        for (_, (sent, write)) in std::mem::take(&mut self.service.under_way) {
            if self.dice.chance(50) {
                continue;
            }
            if matches!(write, Write::Create(..)) && self.dice.chance(50) {
                let due = sent + self.dice.between(0, REQUEST_TIMEOUT_MS - 1_000);
                self.service.late.push((due, write));
            } else {
                let _ = self.carry_out(&write, true);
            }
        }
    }

    /// A page. Weather does not strike one place twice: a second look shows what is there. What a number says in calm weather is a
    /// habit of the service; under a torn page it is right, because two things that go wrong at once cannot be told from an end.
    fn list(&mut self, kind: ObjectKind, start: u64, again: bool) -> ListPage {
        let all: Vec<Resource> = self.service.of(kind).map(|(id, held)| shown(id, held)).collect();
        let odd = self.service.odd;
        let (total, size) = (all.len() as u64, self.service.habits.page);
        let all = odd.listed(all);
        let first: Vec<Resource> = all.iter().take(size).cloned().collect();
        let from = odd.page_at(start as usize, all.len(), size);
        let mut page: Vec<Resource> = all.into_iter().skip(from - 1).take(size).collect();
        let mut torn = self.dice.chance(self.weather.torn) && !again;
        if torn {
            match self.dice.below(4) {
                0 | 3 => page.clear(),
                1 => {
                    page.truncate(1);
                    torn = false;
                }
                _ => page = first,
            }
        }
        let says_total = torn || !self.dice.chance(self.weather.torn / 4);
        for shown in page.iter().filter(|_| kind == ObjectKind::User) {
            let held = self.service.held.get(shown.id.as_str());
            if let Some((owner, held)) = held.and_then(|held| Some((held.owner()?, held))) {
                self.cells.laws.listed(owner, &held.nick);
            }
        }
        let entries = page.len() as u64;
        let said = if self.weather.torn > 0 || odd.lists_oddly() {
            Numbers::Right
        } else {
            self.service.habits.numbers()
        };
        ListPage {
            resources: page,
            entries,
            total: said.of(total, entries).filter(|_| says_total),
            paged: Paged::Index(start),
        }
    }

    fn find(&mut self, kind: ObjectKind, path: &str, value: &str) -> Result<Vec<Resource>, TargetError> {
        let filters = self.service.habits.filters;
        if filters == Filters::Refused {
            return Err(refusal(No::BadValue));
        }
        let held = self.service.of(kind).filter(|(_, resource)| match path {
            _ if filters == Filters::Empty => false,
            "externalId" => resource.external_id == value,
            "userName" if filters == Filters::CaseSensitive => resource.user_name == value,
            "userName" => resource.user_name.eq_ignore_ascii_case(value),
            _ => resource.display.eq_ignore_ascii_case(value),
        });
        Ok(held.map(|(id, resource)| shown(id, resource)).collect())
    }
}

impl Inner {
    /// A filter with `or`, as right or wrong as this service does it.
    fn find_any(&mut self, kind: ObjectKind, path: &str, values: &[String]) -> Result<Found, TargetError> {
        let (terms, most) = match self.service.habits.or_filters {
            OrFilters::Right => (values, usize::MAX),
            OrFilters::FirstTerm => (&values[..1], usize::MAX),
            OrFilters::Few => (values, 2),
            OrFilters::Refused => return Err(refusal(No::BadValue)),
        };
        let mut resources: Vec<Resource> = Vec::new();
        for value in terms {
            for one in self.find(kind, path, value)? {
                if !resources.iter().any(|known| known.id == one.id) {
                    resources.push(one);
                }
            }
        }
        resources.truncate(most);
        Ok(Found {
            resources,
            whole: true,
        })
    }
}

/// A quarter of the records: a service may break at some, whatever is asked of them.
fn is_cursed(write: &Write) -> bool {
    let name = match write {
        Write::Create(_, body) => ["userName", "displayName"]
            .iter()
            .find_map(|name| body[*name].as_str())
            .unwrap_or_default()
            .to_owned(),
        Write::Patch(_, id, _) | Write::Delete(_, id) => id.clone(),
    };
    name.bytes().map(u32::from).sum::<u32>() % 4 == 0
}

fn refusal(no: No) -> TargetError {
    match no {
        No::Conflict => TargetError::Conflict {
            what: "409 uniqueness".into(),
        },
        No::NotFound => TargetError::NotFound { what: "404".into() },
        No::BadValue => failure(Fate::Refused),
    }
}

fn failure(fate: Fate) -> TargetError {
    let what: What = format!("{fate:?}").into();
    let hint = "wait".to_owned();
    match fate {
        Fate::Refused => TargetError::Refused {
            what,
            status: 400,
            hint,
        },
        Fate::Unauthorized => TargetError::Unauthorized { what, hint },
        Fate::AnswerMalformed | Fate::AnswerForeign => TargetError::Malformed {
            what,
            hint,
            maybe_done: true,
        },
        Fate::Broken => TargetError::Unavailable {
            what,
            status: 500,
            hint,
            maybe_done: true,
            cause: None,
        },
        _ => TargetError::Unavailable {
            what,
            status: 0,
            hint,
            maybe_done: fate != Fate::Throttled,
            cause: None,
        },
    }
}
