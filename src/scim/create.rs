//! Creating a resource: sent once in a form; in another form only after the target surely refused it and does not hold
//! the resource.
//!
//! An answer is judged before anything is taken from it: one that is about another resource leaves the outcome unknown.
//!
//! By RFC 7644, a refused create (400, 501) was not carried out; but servers differ, so before another form is sent the
//! target is asked for the resource by its name, and one that is found ends this as a conflict, which leads to a match.

use bytes::Bytes;
use serde_json::Map;
use serde_json::Value as Json;

use super::client::ScimTarget;
use super::client::bytes;
use super::dialect::Aspect;
use super::dialect::Booleans;
use super::dialect::Dialect;
use super::dialect::ManagerForm;
use super::fault;
use super::fault::Asked;
use super::fault::Content;
use super::glance::Glance;
use super::learning::Failing;
use super::learning::Learned;
use super::learning::Witness;
use super::learning::showing::Shows;
use super::miss::Miss;
use super::path::ENTERPRISE_USER;
use super::request::Repeat;
use super::request::Reply;
use super::resource::complete_schemas;
use super::resource::field;
use super::resource::id_in_location;
use super::spelling::in_values;
use super::urls::collection;
use super::usage;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Created;
use crate::ports::NewResource;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::answer;
use crate::reconcile::answer::About;

/// Writes a body in a dialect: booleans, manager, and what `schemas` lists. Mostly it is in that form already, and is
/// then not parsed.
fn dressed(kind: ObjectKind, body: &NewResource, dialect: &Dialect) -> Bytes {
    let list = dialect.extension_urn_in_schemas;
    let plain = dialect.booleans != Booleans::String && dialect.manager != ManagerForm::String;
    if plain && body.lists_extensions() == Some(list) {
        return body.text().clone();
    }
    let mut body = body.json();
    complete_schemas(kind, &mut body, list);
    in_values(&mut body, dialect);
    bytes(&body)
}

fn holds_boolean(value: &Json) -> bool {
    match value {
        Json::Bool(_) => true,
        Json::Array(items) => items.iter().any(holds_boolean),
        Json::Object(map) => map.values().any(holds_boolean),
        _ => false,
    }
}

/// A create that was sent.
struct Sent<'a> {
    kind: ObjectKind,
    new: &'a NewResource,
    body: &'a Bytes,
}

impl Sent<'_> {
    /// Decides which resource its answer is about. The whole body is parsed only where a glance does not suffice.
    fn judge(&self, seen: &Glance, answer: &[u8]) -> About {
        let sent = Glance::read(self.body);
        if sent.is_ok_and(|sent| seen.is_known_as(&sent)) {
            return About::Ours;
        }
        let answered: Json = serde_json::from_slice(answer).unwrap_or_default();
        answer::of_create(self.kind, &self.new.json(), &answered, self.new.keys())
    }

    fn is_about(&self, found: &Json) -> bool {
        answer::of_create(self.kind, &self.new.json(), found, self.new.keys()) == About::Ours
    }
}

impl ScimTarget {
    pub(super) async fn create_resource(
        &self,
        kind: ObjectKind,
        body: &NewResource,
    ) -> Result<Created, TargetError> {
        let dialect = self.experience.dialect();
        let made = match self.post(kind, body, &dialect).await.map_err(Miss::of) {
            Ok(made) => {
                let settled = |learned: &Learned| SUSPECTS.iter().all(|aspect| learned.is_settled(*aspect));
                if !self.experience.ask(settled) {
                    let suspects = suspects(kind, &body.json());
                    self.experience.note(|learned| {
                        let worked = |aspect| learned.worked(aspect);
                        suspects.into_iter().map(worked).fold(false, |a, b| a | b)
                    });
                }
                made
            }
            Err(Miss::Refused(error, status)) => {
                self.create_in_another_form(kind, body, &dialect, error, status)
                    .await?
            }
            Err(Miss::Failed(error)) => return Err(error),
            Err(Miss::Silent(made, _)) => (*made).into(),
        };
        let made = self.look_at_created(kind, body, made).await;
        self.experience.keep().await;
        Ok(made)
    }

    async fn post(
        &self,
        kind: ObjectKind,
        new: &NewResource,
        dialect: &Dialect,
    ) -> Result<Created, TargetError> {
        let asked = Asked {
            method: "POST",
            path: format!("/{}", collection(kind)),
            one_resource: false,
        };
        let url = self.addresses.collection(kind);
        let body = dressed(kind, new, dialect);
        let witness = || named(kind, &new.json());
        let sent = self.send_body::<Glance>(&asked, url, body.clone(), Repeat::Never, witness);
        let Reply { answer, body: seen } = sent.await?;
        let there = answer.status == 200;
        let from_location = || id_in_location(answer.header("location")?, collection(kind));
        let id = match &seen {
            // 201 with an empty body, and Location contains the id.
            None => from_location(),
            Some(seen) => seen.id(),
        };
        let without = "without the id of the created resource";
        let id = id.ok_or_else(|| fault::malformed(&asked, &answer, without))?;
        let sent = Sent {
            kind,
            new,
            body: &body,
        };
        match seen
            .as_ref()
            .map_or(About::Nobody, |seen| sent.judge(seen, &answer.body))
        {
            About::Ours => Ok(Created {
                id,
                text: answer.body.clone(),
                there,
            }),
            About::Other => Err(fault::foreign(
                &asked,
                &answer,
                "it is about another resource than was sent",
            )),
            About::Nobody => match self.read(kind, &id).await {
                Ok(Some(found)) if sent.is_about(&found.body) => Ok(Created {
                    there,
                    ..found.into()
                }),
                _ => Err(fault::foreign(
                    &asked,
                    &answer,
                    "neither the answer nor a read of that resource shows that it is the one that was sent",
                )),
            },
        }
    }

    /// Returns whether a resource of this name is not there. `None` where the target does not tell: a service that ignores
    /// filters shows others.
    async fn is_absent(&self, kind: ObjectKind, attribute: &str, name: &str) -> Option<bool> {
        let found = self.find(kind, attribute, name).await.ok()?;
        if found.is_empty() {
            return Some(true);
        }
        let mut found = found.iter();
        found
            .any(|one| is_named(&one.body, attribute, name))
            .then_some(false)
    }

    async fn create_in_another_form(
        &self,
        kind: ObjectKind,
        body: &NewResource,
        dialect: &Dialect,
        error: TargetError,
        status: u16,
    ) -> Result<Created, TargetError> {
        let sent = body.json();
        let (attribute, name) = name_of(kind, &sent);
        let witness = named(kind, &sent);
        let how = Failing::Refused(status);
        let others = |aspect: Aspect| {
            self.experience
                .add(|learned| learned.failed(aspect, dialect.form(aspect), &witness, how))
        };
        let mut tried = Vec::new();
        for aspect in suspects(kind, &sent) {
            tried.extend(others(aspect).into_iter().map(|form| (aspect, form)));
        }
        let mut ways: Vec<Vec<(Aspect, usize)>> = tried.iter().map(|one| vec![*one]).collect();
        if tried.len() > 1 {
            ways.push(tried);
        }
        for way in ways {
            match self.is_absent(kind, attribute, &name).await {
                Some(true) => {}
                // Nothing proves that it is not there: no second create.
                None => return Err(error),
                Some(false) => {
                    let words = format!("POST /{} was refused, and it is there: {error}", collection(kind));
                    let what = error.what().reworded(words);
                    return Err(TargetError::Conflict { what });
                }
            }
            let other = way.iter().fold(dialect.clone(), |dialect, (aspect, form)| {
                dialect.with(*aspect, *form)
            });
            match self.post(kind, body, &other).await.map_err(Miss::of) {
                Ok(made) => {
                    // Read back, because a form is learned by what it did.
                    let found = self.read(kind, &made.id).await.ok().flatten();
                    if found.is_some_and(|found| usage::not_created(&sent, &found.body).is_empty()) {
                        self.helped(&way, &witness);
                    }
                    return Ok(made);
                }
                Err(Miss::Refused(..) | Miss::Silent(..)) => {
                    for (aspect, form) in way {
                        self.experience
                            .add(|learned| learned.futile(aspect, form, &witness));
                    }
                }
                Err(Miss::Failed(error)) => return Err(error),
            }
        }
        Err(error)
    }

    /// Reads a created resource back where something in it was created for the first time: an answer may repeat what
    /// was sent. The later comparison sends again what is not there.
    async fn look_at_created(&self, kind: ObjectKind, sent: &NewResource, made: Created) -> Created {
        let uses = self.experience.new_uses(kind, sent.shape(), |learned| {
            usage::creating(kind, sent.text(), |usage| !learned.is_seen(usage))
        });
        let uses = self.experience.claim(uses);
        if uses.is_empty() {
            return made;
        }
        let found = self.read(kind, &made.id).await;
        self.experience.release(&uses);
        let Ok(Some(found)) = found else {
            return made; // not readable yet, but it exists
        };
        self.experience.note(|learned| {
            let mut news = false;
            for usage in &uses {
                news |= learned.seen(usage);
            }
            for path in usage::held_of(&sent.json(), &found.body) {
                news |= learned.holds_created(kind, &path);
            }
            news
        });
        Created {
            there: made.there,
            ..found.into()
        }
    }
}

impl ScimTarget {
    /// See [`TargetDirectory::takes_members_in_create`]. Where members are not shown, no reading proves that a create
    /// adds them; a PATCH is the trusted way then.
    pub(super) fn creates_with_members(&self) -> bool {
        let aspect = Aspect::MembersInCreate;
        let (rides, pinned, hidden) = self.experience.ask(|learned| {
            let hidden = learned.shows_members() == Shows::Not;
            (learned.form(aspect) == 0, learned.is_pinned(aspect), hidden)
        });
        rides && (pinned || !hidden || self.is_without_patch())
    }

    /// See [`TargetDirectory::note_members_in_create`].
    pub(super) fn learn_of_members_in_create(&self, group: &TargetId, came: bool) {
        let aspect = Aspect::MembersInCreate;
        if came {
            if !self.experience.ask(|learned| learned.is_settled(aspect)) {
                self.experience.note(|learned| learned.worked(aspect));
            }
            return;
        }
        let witness = Witness::of(ObjectKind::Group, group);
        self.experience
            .add(|learned| learned.failed(aspect, 0, &witness, Failing::Silent));
        self.helped(&[(aspect, 1)], &witness);
    }
}

/// All aspects that the refusal of a create may be about.
const SUSPECTS: [Aspect; 3] = [Aspect::ExtensionUrnInSchemas, Aspect::Booleans, Aspect::Manager];

/// Returns those of them that this create has, the likeliest first.
fn suspects(kind: ObjectKind, body: &Json) -> Vec<Aspect> {
    let object = body.as_object();
    let own = |name: &String| name.contains(':') && !name.eq_ignore_ascii_case(ENTERPRISE_USER);
    let mut suspects = Vec::new();
    if object.into_iter().flat_map(Map::keys).any(own) {
        suspects.push(Aspect::ExtensionUrnInSchemas);
    }
    if holds_boolean(body) {
        suspects.push(Aspect::Booleans);
    }
    let manager = object
        .and_then(|object| field(object, ENTERPRISE_USER))
        .and_then(Json::as_object)
        .and_then(|extension| field(extension, "manager"));
    if kind == ObjectKind::User && manager.is_some() {
        suspects.push(Aspect::Manager);
    }
    suspects
}

/// Builds the witness of a create.
fn named(kind: ObjectKind, body: &Json) -> Witness {
    Witness::named(&format!("{} {}", kind.word(), name_of(kind, body).1))
}

fn is_named(body: &Json, attribute: &str, name: &str) -> bool {
    let held = body.as_object().and_then(|body| field(body, attribute));
    held.and_then(Json::as_str)
        .is_some_and(|held| held.to_lowercase() == name.to_lowercase())
}

/// Returns the attribute that names a resource, and the name.
fn name_of(kind: ObjectKind, body: &Json) -> (&'static str, String) {
    let attribute = match kind {
        ObjectKind::User => "userName",
        ObjectKind::Group => "displayName",
    };
    let name = body.get(attribute).and_then(Json::as_str).unwrap_or_default();
    (attribute, name.to_owned())
}
