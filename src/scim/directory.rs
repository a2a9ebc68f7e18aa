//! The service as the engine's [`TargetDirectory`]: each of its questions and orders, handed to what does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::client::ScimTarget;
use super::client::asked_one;
use super::client::unwritable;
use super::fault::Asked;
use super::find::{any_filter, filter};
use super::learning::showing::Door;
use super::pace;
use super::request::Repeat;
use super::urls::collection;
use crate::mapping::TargetPath;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Capabilities;
use crate::ports::Created;
use crate::ports::Found;
use crate::ports::ListPage;
use crate::ports::ListPosition;
use crate::ports::Memory;
use crate::ports::MethodTraffic;
use crate::ports::NewResource;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::ports::Traffic;

#[async_trait]
impl TargetDirectory for ScimTarget {
    async fn capabilities(&self) -> Result<Capabilities, TargetError> {
        let announced = &self.wire.announced;
        if let Some(known) = announced.capabilities() {
            return Ok((*known).clone());
        }
        let _one = announced.reading.lock().await;
        if let Some(known) = announced.capabilities() {
            return Ok((*known).clone());
        }
        // Both at once: neither waits for the other's answer. Where both fail, the first is reported, however fast the
        // second was.
        let (advertised, schemas) = tokio::join!(self.read_config(), self.read_schemas());
        let (advertised, schemas) = (advertised?, schemas?);
        let capabilities = Capabilities {
            patch: advertised.patch,
            filter: advertised.filter,
            max_results: advertised.max_results,
            schemas,
        };
        announced.put(advertised, capabilities.clone(), self.experience.now());
        Ok(capabilities)
    }

    async fn list(&self, kind: ObjectKind, from: Option<ListPosition>) -> Result<ListPage, TargetError> {
        self.page(kind, from).await
    }

    async fn find(&self, kind: ObjectKind, path: &str, value: &str) -> Result<Vec<Resource>, TargetError> {
        let path_shown = format!("/{}?filter={path} eq …", collection(kind));
        let asked = Asked {
            method: "GET",
            path: path_shown,
            one_resource: false,
        };
        let filter = filter(path, value).map_err(|error| unwritable(&asked, &error))?;
        Ok(self
            .find_page(kind, &asked, &[("filter", &filter)], false)
            .await?
            .resources)
    }

    async fn find_any(&self, kind: ObjectKind, path: &str, values: &[String]) -> Result<Found, TargetError> {
        let terms = values.len();
        let asked = Asked {
            method: "GET",
            path: format!("/{}?filter={path} eq … ({terms} values)", collection(kind)),
            one_resource: false,
        };
        let filter = any_filter(path, values).map_err(|error| unwritable(&asked, &error))?;
        let listing = self
            .find_page(kind, &asked, &[("filter", &filter)], false)
            .await?;
        let more =
            listing.next_cursor.is_some() || listing.total.is_some_and(|total| total > listing.entries);
        Ok(Found {
            resources: listing.resources,
            whole: !more,
        })
    }

    async fn read(&self, kind: ObjectKind, id: &TargetId) -> Result<Option<Resource>, TargetError> {
        let found = self.fetch(kind, id).await?;
        Ok(found.map(|found| self.as_shown(kind, found, Door::Alone)))
    }

    async fn create(&self, kind: ObjectKind, body: NewResource) -> Result<Created, TargetError> {
        self.finish_trial().await?;
        self.create_resource(kind, &body).await
    }

    async fn patch(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
    ) -> Result<Option<Resource>, TargetError> {
        if patch.disables() {
            pace::ahead(self.change(kind, id, patch)).await
        } else {
            self.change(kind, id, patch).await
        }
    }

    fn shows(&self, kind: ObjectKind, path: &TargetPath) -> bool {
        self.shows_attribute(kind, path)
    }

    fn takes_members_in_create(&self) -> bool {
        self.creates_with_members()
    }

    fn note_members_in_create(&self, group: &TargetId, came: bool) {
        self.learn_of_members_in_create(group, came);
    }

    async fn recall(&self, learned: Option<String>, memory: Arc<dyn Memory>) {
        self.experience.recall(learned, memory).await;
    }

    fn recall_announced(&self, kept: Option<&str>, under: &str) {
        self.wire.recall(kept, under);
    }

    fn announced(&self) -> Option<String> {
        self.wire.to_keep()
    }

    fn findings(&self) -> Vec<String> {
        let mut findings = self.experience.take_findings();
        findings.extend(self.wire.take_report());
        findings
    }

    async fn delete(&self, kind: ObjectKind, id: &TargetId) -> Result<(), TargetError> {
        pace::ahead(self.delete_one(kind, id)).await
    }

    fn traffic(&self) -> Traffic {
        self.wire.http().traffic().read()
    }

    fn requests(&self) -> BTreeMap<&'static str, MethodTraffic> {
        self.wire.http().traffic().requests()
    }
}

impl ScimTarget {
    async fn delete_one(&self, kind: ObjectKind, id: &TargetId) -> Result<(), TargetError> {
        let asked = asked_one("DELETE", kind, id);
        let url = self.address(&asked, kind, id)?;
        // A first stumble is answered by a look: some servers answer 500 where nothing is left to delete.
        match self.wire.send(&asked, &url, None, Repeat::Never).await {
            Ok(_) | Err(TargetError::NotFound { .. }) => return Ok(()),
            Err(error) if !error.maybe_done() => return Err(error),
            Err(error) => match self.read(kind, id).await {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => {}
                Err(_) => return Err(error),
            },
        }
        match self.wire.send(&asked, &url, None, Repeat::Safe).await {
            Ok(_) | Err(TargetError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
