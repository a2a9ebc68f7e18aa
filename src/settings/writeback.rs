//! `[jobs.NAME.writeback]`: what goes from the target to Entra, and the group of those who hold a security key.
//!
//! Off unless something of it is configured. It has an app of its own: without one, or with the reader's, it is refused, so that the
//! reader's app stays read-only.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use url::Url;
use uuid::Uuid;

use super::credential::Credential;
use super::credential::Proof;
use super::network::Network;
use super::schedule;
use super::schedule::Schedule;
use super::secret::SecretSource;
use super::section::Field;
use super::section::Section;
use super::source::Source;
use super::tree::Raw;
use super::value::Word;
use super::value::service_url;
use super::value::threshold;
use crate::mapping::Names;
use crate::mapping::names;
use crate::mapping::names::Access;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::back::decide::OnConflict;
use crate::reconcile::back::group::EnrolledThreshold;
use crate::reconcile::back::loops::WayBack;
use crate::reconcile::policy::Threshold;

/// The way back of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteBack {
    /// The application (client) id of the app registration that writes.
    pub client_id: Uuid,
    /// How that app proves who it is.
    pub credential: Credential,
    /// Which values of the target go to which property of Graph.
    pub attributes: Vec<WayBack>,
    /// When the target is read for the way back; `None` where the setting is an empty text.
    pub schedule: Option<Schedule>,
    /// How far apart the two complete readings are that prove that the target was emptied.
    pub clear_after: Duration,
    /// The most values that are cleared at Entra within the guard window; more are withheld.
    pub clear_threshold: Threshold,
    /// What is done when both sides moved to different values.
    pub on_conflict: OnConflict,
    /// The group of those who hold a key, where one is named.
    pub enrolled: Option<Enrolled>,
    /// Proxy and certificates for Graph, as the writer reaches it: its own, else the source's.
    pub network: Network,
}

/// The enrolled group.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrolled {
    /// The group.
    pub group: SourceId,
    /// What joining takes.
    pub requires: Requires,
    /// How long a member has been without a key, on two complete readings, who leaves.
    pub leave_after: Duration,
    /// How many may join and leave within the guard window.
    pub threshold: EnrolledThreshold,
    /// Users who are never members.
    pub never: BTreeSet<SourceId>,
    /// Where the keys are listed.
    pub api: IdmelonApi,
}

/// What joining the enrolled group takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requires {
    /// An active security key.
    Key,
    /// And a passkey that was seen in Entra.
    KeyAndPasskey,
}

impl Word for Requires {
    const WORDS: &'static [(&'static str, Self)] =
        &[("key", Self::Key), ("key+passkey", Self::KeyAndPasskey)];
}

impl Requires {
    /// Returns its name in the settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::KeyAndPasskey => "key+passkey",
        }
    }
}

impl Word for OnConflict {
    const WORDS: &'static [(&'static str, Self)] = &[("authority", Self::Authority), ("hold", Self::Hold)];
}

/// IDmelon's REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdmelonApi {
    /// Its address.
    pub url: Url,
    /// The place of its key.
    pub key: SecretSource,
    /// Proxy and certificates: those of the write-back, else the target's.
    pub network: Network,
}

/// What the rest of the job says that the way back is checked against.
pub(super) struct Beside<'s> {
    /// The source, where it could be read.
    pub(super) source: Option<&'s Source>,
    /// The network of the target.
    pub(super) target: Option<&'s Network>,
    /// The network of all.
    pub(super) network: &'s Network,
    /// The zone of the schedule.
    pub(super) zone: Tz,
    /// True where secrets are looked for.
    pub(super) secrets: bool,
}

impl WriteBack {
    /// The default schedule: every quarter of an hour.
    pub const SCHEDULE: &str = "0 */15 * * * *";
    /// The default time between two empty readings.
    pub const CLEAR_AFTER: Duration = Duration::from_secs(15 * 60);
    /// The default time without a key.
    pub const LEAVE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
    /// The default of the most clears: the lower of the two.
    pub const CLEAR_THRESHOLD: Threshold = Threshold {
        count: Some(5),
        percent: Some(1.0),
    };

    /// Reads the table. Returns `None` where nothing is to be written back, or where it is wrong.
    pub(super) fn read(mut section: Section<'_>, beside: &Beside<'_>) -> Option<Self> {
        let written = section.has("attributes") || section.has("enrolled_group");
        let attributes = section.get("attributes").map(|field| ways(&field));
        let schedule = schedule::read(&mut section, "schedule", Self::SCHEDULE, beside.zone);
        let clear_after = section.duration("clear_after", Self::CLEAR_AFTER);
        let clear_threshold = section.threshold("clear_threshold", Self::CLEAR_THRESHOLD);
        let on_conflict = section.word("on_conflict", OnConflict::default());
        let network = Network::read(section.child("network"));
        let enrolled = enrolled(&mut section, &network, beside);
        let app = app(&mut section, written, beside);
        if written && beside.source.is_some_and(|source| !source.users) {
            section.report(
                "needs users, and `users = false` leaves them out",
                "set `users = true` in the source, or take the write-back out",
            );
        }
        section.finish();
        if !written {
            return None;
        }
        let of_source = beside.source.map_or(beside.network, |source| &source.network);
        let (client_id, credential) = app?;
        Some(Self {
            client_id,
            credential,
            attributes: attributes.unwrap_or_default(),
            schedule,
            clear_after,
            clear_threshold,
            on_conflict,
            enrolled,
            network: network.over(of_source),
        })
    }

    /// The files whose change means that a credential was renewed.
    pub fn credential_files(&self) -> impl Iterator<Item = &Path> {
        let of_app = self.credential.proofs.iter().flat_map(Proof::files);
        of_app.chain(self.key_file())
    }

    /// The files that only this user and root are to read.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let of_app = self.credential.proofs.iter().flat_map(Proof::secret_files);
        of_app.chain(self.key_file())
    }

    fn key_file(&self) -> Option<&Path> {
        self.enrolled.as_ref()?.api.key.file()
    }
}

/// Reads the app that writes. With `written`, it must be there.
fn app(section: &mut Section<'_>, written: bool, beside: &Beside<'_>) -> Option<(Uuid, Credential)> {
    const ADVICE: &str = "register an app of its own for writing, and add `credential = { client_id = \"…\", client_secret = { env = \"ENTRA_WRITER_SECRET\" } }`: the reader's app stays read-only";
    if !section.has("credential") {
        // Asked for, so that it is a known key.
        section.get("credential");
        if written {
            section.report("has no `credential` of its own", ADVICE);
        }
        return None;
    }
    let mut part = section.child("credential");
    let at = part.at.clone();
    let client_id = part.guid(
        "client_id",
        "copy \"Application (client) ID\" from the overview of the app registration that writes",
    );
    let credential = Credential::keys(&mut part, "ENTRA_WRITER_SECRET", beside.secrets);
    part.finish();
    let (client_id, credential) = (client_id?, credential?);
    let is_reader = |source: &Source| {
        let managed = |proof: &&Proof| matches!(proof, Proof::ManagedIdentity { .. });
        let mut shared = credential.proofs.iter().filter(managed);
        source.client_id == client_id || shared.any(|proof| source.credential.proofs.contains(proof))
    };
    if beside.source.is_some_and(is_reader) {
        let what = format!(
            "`{}.credential` is the app of the source ({client_id}), which only reads",
            section.path
        );
        section.context.report(&at, what, ADVICE);
        return None;
    }
    Some((client_id, credential))
}

/// Reads which path of the target goes to which property.
fn ways(field: &Field<'_>) -> Vec<WayBack> {
    let Some(section) = field.section() else {
        let _: Option<()> = field.bad(
            &format!("must be a table, not {}", field.node().raw.kind()),
            "write it as in `attributes = { \"title\" = \"jobTitle\" }`: the path at the target, and the property of Graph",
        );
        return Vec::new();
    };
    let ways = section.entries().filter_map(|field| way(&field));
    ways.collect()
}

fn way(field: &Field<'_>) -> Option<WayBack> {
    let path = match field.entry.key.parse() {
        Ok(path) => path,
        Err(error) => {
            return field.bad_key(
                &format!("is no place at the target: {error}"),
                "write it as `melonsync mapping show` prints it",
            );
        }
    };
    let property = property(field)?;
    Some(WayBack { path, property })
}

/// The properties of a user that can be written back: one value, which an app may set without deciding who may sign in.
const WRITABLE: &[&str] = &[
    "businessPhones",
    "city",
    "companyName",
    "country",
    "department",
    "displayName",
    "employeeId",
    "employeeType",
    "faxNumber",
    "givenName",
    "jobTitle",
    "mobilePhone",
    "officeLocation",
    "otherMails",
    "postalCode",
    "preferredLanguage",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
];

fn property(field: &Field<'_>) -> Option<String> {
    let name = field.text("mobilePhone")?;
    let attribute = match names::resolve(Names::Of(ObjectKind::User), name) {
        Ok(attribute) => attribute,
        Err(near) => {
            let advice = near.map_or_else(
                || format!("name one of {}", WRITABLE.join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            return field.bad(&format!("= \"{name}\" is no property of a user"), advice);
        }
    };
    let property = attribute.property.as_str();
    let is_whole = matches!(attribute.access, Access::Whole | Access::First);
    if is_whole && (WRITABLE.contains(&property) || property.starts_with("extension_")) {
        return Some(property.to_owned());
    }
    field.bad(
        &format!("= \"{name}\" is no property that is written back"),
        format!(
            "name a directory extension, or one of {}: what decides who may sign in, and what Entra sets itself, is left to Entra",
            WRITABLE.join(", ")
        ),
    )
}

fn enrolled(section: &mut Section<'_>, network: &Network, beside: &Beside<'_>) -> Option<Enrolled> {
    let group = section
        .get("enrolled_group")
        .map(|field| id(&field, "\"Object ID\" of the group"));
    let requires = section.word("enrolled_requires", Requires::Key);
    let leave_after = section.duration("enrolled_leave_after", WriteBack::LEAVE_AFTER);
    let threshold = section
        .get("enrolled_threshold")
        .map_or_else(EnrolledThreshold::default, |field| {
            enrolled_threshold(&field).unwrap_or_default()
        });
    let never = section.get("enrolled_never").map_or_else(BTreeSet::new, |field| {
        let users = field.each();
        users
            .iter()
            .filter_map(|user| id(user, "\"Object ID\" of the user"))
            .collect()
    });
    let api = api(section, network, beside);
    if group.is_some() && !section.has("idmelon_api") {
        section.report(
            "has an `enrolled_group`, and nothing says where the security keys are listed",
            "add `idmelon_api = { url = \"https://skm.idmelon.com\", key = { env = \"IDMELON_API_KEY\" } }`",
        );
    }
    Some(Enrolled {
        group: group??,
        requires,
        leave_after,
        threshold,
        never,
        api: api?,
    })
}

/// Reads an object id.
fn id(field: &Field<'_>, place: &str) -> Option<SourceId> {
    let text = field.text("00000000-0000-0000-0000-000000000000")?;
    match Uuid::try_parse(text) {
        Ok(id) if text.len() == 36 => Some(SourceId::from_bytes(id.into_bytes())),
        _ => field.bad(
            &format!("is no object id: \"{text}\""),
            format!("copy {place} from the Entra admin centre"),
        ),
    }
}

/// Reads how many may join and leave at once.
fn enrolled_threshold(field: &Field<'_>) -> Option<EnrolledThreshold> {
    let Some(mut section) = field.section() else {
        return field.bad(
            &format!("must be a table, not {}", field.node().raw.kind()),
            "write { add = \"none\", remove = 5 }, of which each can be left out",
        );
    };
    let standard = EnrolledThreshold::default();
    let most = |field: Option<Field<'_>>, standard: Option<Threshold>| match field {
        Some(field) if matches!(&field.node().raw, Raw::Text(text) if text == "none") => None,
        Some(field) => threshold(&field).or(standard),
        None => standard,
    };
    let add = most(section.get("add"), standard.add);
    let remove = most(section.get("remove"), standard.remove);
    section.finish();
    Some(EnrolledThreshold { add, remove })
}

fn api(section: &mut Section<'_>, network: &Network, beside: &Beside<'_>) -> Option<IdmelonApi> {
    const URL: &str = "https://skm.idmelon.com";
    if !section.has("idmelon_api") {
        section.get("idmelon_api");
        return None;
    }
    let mut part = section.child("idmelon_api");
    let url = part
        .required("url", &format!("\"{URL}\""))
        .and_then(|field| service_url(&field, URL));
    let key = part.secret("key", "IDMELON_API_KEY", beside.secrets);
    part.finish();
    Some(IdmelonApi {
        url: url?,
        key: key?,
        network: network.clone().over(beside.target.unwrap_or(beside.network)),
    })
}

#[cfg(test)]
mod tests;
