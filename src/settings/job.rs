//! `[jobs.NAME]`: one source, one target, and when they are synchronised.

use std::path::Path;

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::credential::Proof;
use super::network::Network;
use super::provisioning::Provisioning;
use super::schedule;
use super::schedule::Beat;
use super::schedule::Schedule;
use super::secret::SecretSource;
use super::section::{Field, Section};
use super::source::Source;
use super::target::Target;
use super::tree::Raw;
use super::value::Word;
use super::writeback::Beside;
use super::writeback::WriteBack;
use crate::model::id::SourceId;

/// Whether the job writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Plans and reports; the target is only sent GET.
    Observe,
    /// Carries plans out. Written on purpose, never a default.
    Enforce,
}

impl Word for Mode {
    const WORDS: &'static [(&'static str, Self)] = &[("observe", Self::Observe), ("enforce", Self::Enforce)];
}

impl Mode {
    /// Returns its name in the settings and in summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// If false, `run` skips the job.
    pub enabled: bool,
    /// Observe or enforce.
    pub mode: Mode,
    /// The schedule of incremental cycles; `None` where the setting is an empty text.
    pub schedule: Option<Beat>,
    /// The schedule of full reconciliations; `None` where the setting is an empty text.
    pub full_schedule: Option<Schedule>,
    /// The zone that the schedules are in.
    pub timezone: Tz,
    /// The source that is read.
    pub source: Source,
    /// The target that is written.
    pub target: Target,
    /// The mapping and the policy.
    pub provisioning: Provisioning,
    /// What goes back to the source; `None` where nothing does.
    pub writeback: Option<WriteBack>,
}

impl Job {
    /// The enrolled group, where one is kept.
    #[must_use]
    pub fn enrolled_group(&self) -> Option<SourceId> {
        let back = self.writeback.as_ref()?;
        back.enrolled.as_ref().map(|enrolled| enrolled.group)
    }

    /// The files whose change means that a credential of either side was renewed.
    pub fn credential_files(&self) -> impl Iterator<Item = &Path> {
        let source = self.source.credential.proofs.iter().flat_map(Proof::files);
        let target = self.target.tokens.iter().filter_map(SecretSource::file);
        let back = self.writeback.iter().flat_map(WriteBack::credential_files);
        source.chain(target).chain(back)
    }

    /// The files that only this user and root are to read.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let source = self.source.credential.proofs.iter().flat_map(Proof::secret_files);
        let target = self.target.tokens.iter().filter_map(SecretSource::file);
        let back = self.writeback.iter().flat_map(WriteBack::secret_files);
        source.chain(target).chain(back)
    }

    /// The default schedule of incremental cycles: every five minutes.
    pub const SCHEDULE: &str = "0 */5 * * * *";
    /// The default schedule of full reconciliations: Sunday at three.
    pub const FULL_SCHEDULE: &str = "0 0 3 * * SUN";

    pub(super) fn read(mut section: Section<'_>, network: &Network, offline: bool) -> Option<Self> {
        let enabled = section.flag("enabled", true);
        let mode = section.word("mode", Mode::Observe);
        let timezone = section
            .get("timezone")
            .and_then(|field| zone(&field))
            .unwrap_or(Tz::UTC);
        let schedule = beat(&mut section, timezone);
        let full_schedule = schedule_full(&mut section, timezone);
        // A job that is switched off may wait for its secrets.
        let secrets = enabled && !offline;
        let source = Source::read(section.child("source"), network, secrets);
        let target = Target::read(section.child("target"), network, secrets);
        let mapping = target
            .as_ref()
            .map_or("idmelon", |target| target.kind.default_mapping());
        let provisioning = Provisioning::read(section.child("provisioning"), mapping);
        let beside = Beside {
            source: source.as_ref(),
            target: target.as_ref().map(|target| &target.network),
            network,
            zone: timezone,
            secrets,
        };
        let writeback = WriteBack::read(section.child("writeback"), &beside);
        section.finish();
        let (source, target) = (source?, target?);
        Some(Self {
            enabled,
            mode,
            schedule,
            full_schedule,
            timezone,
            source,
            target,
            provisioning,
            writeback,
        })
    }

    /// Computes the fingerprint of everything that decides which objects are ours. The mapping has its own. 64
    /// hexadecimal digits.
    #[must_use]
    pub fn scope_fingerprint(&self) -> String {
        let source = &self.source;
        digest(&serde_json::json!({
            "scope": format!("{:?}", source.scope),
            "service_principal_id": source.service_principal_id,
            "nested_groups": source.nesting,
            "rules": source.rules.canonical(),
            "users": source.users,
            "groups": source.groups,
        }))
    }

    /// Computes the fingerprint of the policy with its thresholds. 64 hexadecimal digits.
    #[must_use]
    pub fn policy_fingerprint(&self) -> String {
        digest(&serde_json::json!({ "policy": self.provisioning.policy }))
    }
}

fn digest(decisive: &serde_json::Value) -> String {
    let digest = Sha256::digest(decisive.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn beat(section: &mut Section<'_>, zone: Tz) -> Option<Beat> {
    let written = section.get("schedule");
    let is_auto =
        written.is_some_and(|field| matches!(&field.node().raw, Raw::Text(text) if text.trim() == "auto"));
    if is_auto {
        return Some(Beat::Auto);
    }
    schedule::read(section, "schedule", Job::SCHEDULE, zone).map(Beat::Cron)
}

fn schedule_full(section: &mut Section<'_>, zone: Tz) -> Option<Schedule> {
    schedule::read(section, "full_schedule", Job::FULL_SCHEDULE, zone)
}

fn zone(field: &Field<'_>) -> Option<Tz> {
    let text = match &field.node().raw {
        Raw::Text(text) => text,
        _ => return field.wrong_type("the name of a time zone", "\"Europe/Berlin\""),
    };
    text.parse().ok().or_else(|| {
        let advice =
            "write a name from the IANA list, as in \"UTC\", \"Europe/Berlin\" or \"America/New_York\"";
        field.bad(&format!("is no time zone: \"{text}\""), advice)
    })
}
