//! One document, or a list that is read whole, page by page: a page that was not understood is an error, never the end.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::super::client::Ask;
use super::super::client::GraphClient;
use super::super::delta::own_link;
use super::super::page::unquoted;
use crate::ports::SourceError;
use crate::transport::off_thread;

/// The most rows of a list: a directory has no more users.
const MOST: usize = 10_000_000;
/// The most pages in succession without a row.
const MOST_IDLE: u32 = 1_000;

/// Something that is read by GET.
#[derive(Clone, Copy)]
pub(in crate::entra) struct Document<'a> {
    /// Below Graph's root.
    pub(in crate::entra) path: &'a str,
    pub(in crate::entra) query: &'a str,
    pub(in crate::entra) permission: &'static str,
    /// True where the quota of reports and authentication methods counts it.
    pub(in crate::entra) is_report: bool,
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink", default)]
    next_link: Option<String>,
}

impl Document<'_> {
    /// Reads one object.
    pub(in crate::entra) async fn one<T>(&self, client: &GraphClient) -> Result<T, SourceError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.get(client, &self.url(client)).await
    }

    /// Reads every row of a list.
    pub(in crate::entra) async fn list<T>(&self, client: &GraphClient) -> Result<Vec<T>, SourceError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (mut rows, mut followed, mut idle) = (Vec::new(), HashSet::new(), 0);
        let mut url = self.url(client);
        loop {
            let page: Page<T> = self.get(client, &url).await?;
            idle = if page.value.is_empty() { idle + 1 } else { 0 };
            rows.extend(page.value);
            let Some(next) = page.next_link else {
                return Ok(rows);
            };
            if idle >= MOST_IDLE || rows.len() > MOST {
                return Err(self.malformed("it does not end"));
            }
            url = own_link(client.base(), &next).map_err(|wrong| self.malformed(&wrong))?;
            if !followed.insert(url.clone()) {
                return Err(self.malformed("a link leads back to a page that was read already"));
            }
        }
    }

    /// Builds the error for an answer that is not what was asked for.
    pub(in crate::entra) fn malformed(&self, wrong: &str) -> SourceError {
        SourceError::Malformed {
            what: format!("GET /{} is unusable: {wrong}; nothing of it was used", self.path).into(),
            hint: "check `graph_url` and `proxy`; the next cycle asks again".to_owned(),
        }
    }

    async fn get<T>(&self, client: &GraphClient, url: &Url) -> Result<T, SourceError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        if self.is_report {
            client.reports().admit(1).await;
        }
        let ask = Ask::Document {
            url,
            permission: self.permission,
        };
        let answer = client.ask(&ask).await.map_err(|error| match error {
            // It has no delta: an answer that would reset a stream only means that the page cannot be had.
            SourceError::Reset { what, .. } => self.malformed(&what),
            other => other,
        })?;
        let body = answer.body.clone();
        let read = off_thread(body.len(), move || serde_json::from_slice(&body)).await;
        read.map_err(|error| self.malformed(&unquoted(&error)))
    }

    fn url(&self, client: &GraphClient) -> Url {
        let mut url = client.base().clone();
        url.set_path(&format!(
            "{}/{}",
            client.base().path().trim_end_matches('/'),
            self.path
        ));
        url.set_query((!self.query.is_empty()).then_some(self.query));
        url
    }
}
