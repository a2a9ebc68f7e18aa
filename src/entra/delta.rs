//! Reads one page of a delta query (docs/design/graph.md, "Delta query"). The engine stores which page comes next.

use url::Url;

use super::{
    client::{Ask, GraphClient},
    fault::looks_like_html,
    page,
};
use crate::model::id::ObjectKind;
use crate::ports::DeltaPage;
use crate::ports::NextPage;
use crate::ports::PageRequest;
use crate::ports::SourceError;
use crate::transport::off_thread;

/// Reads the page, whole, with a link that may be followed.
pub(super) async fn page(
    client: &GraphClient,
    kind: ObjectKind,
    request: PageRequest,
) -> Result<DeltaPage, SourceError> {
    let answer = match request {
        PageRequest::First { select } => {
            client
                .ask(&Ask::First {
                    kind,
                    select: &select,
                })
                .await?
        }
        PageRequest::Follow { link, minimal } => {
            let link = stream_link(client.base(), kind, &link).map_err(|wrong| malformed(kind, &wrong))?;
            client
                .ask(&Ask::Follow {
                    kind,
                    link: &link,
                    minimal,
                })
                .await?
        }
    };
    let body = answer.body.clone();
    let read = off_thread(body.len(), move || page::read(kind, &body)).await;
    let page = read.map_err(|wrong| {
        let html = if looks_like_html(&answer) {
            ": it is an HTML page (from a proxy?)"
        } else {
            ""
        };
        malformed(kind, &format!("{wrong}{html}"))
    })?;
    // Before the page is stored: a cursor that may not be followed must not become the cursor.
    let (NextPage::More { next_link: link } | NextPage::Complete { delta_link: link }) = &page.next;
    stream_link(client.base(), kind, link).map_err(|wrong| malformed(kind, &wrong))?;
    Ok(page)
}

/// Checks that a link belongs to this stream. Its form is the service's choice, except for the collection: a cursor
/// that leads into the other stream would turn users into groups.
fn stream_link(base: &Url, kind: ObjectKind, link: &str) -> Result<Url, String> {
    let url = own_link(base, link)?;
    let leads_to = |collection: &str| {
        let mut segments = url.path_segments().into_iter().flatten();
        segments.any(|segment| segment.eq_ignore_ascii_case(collection))
    };
    let (own, other) = match kind {
        ObjectKind::User => ("users", "groups"),
        ObjectKind::Group => ("groups", "users"),
    };
    if leads_to(other) && !leads_to(own) {
        return Err(format!(
            "a link leads into the stream of {other}: it is not followed"
        ));
    }
    Ok(url)
}

/// Checks that a link leads to the configured Graph host: the next request carries the token.
pub(super) fn own_link(base: &Url, link: &str) -> Result<Url, String> {
    let url = Url::parse(link).map_err(|error| format!("a link is not a URL ({error})"))?;
    let place = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
        )
    };
    let credentials = !url.username().is_empty() || url.password().is_some();
    if place(&url) == place(base) && !credentials {
        return Ok(url);
    }
    let shown = |url: &Url| {
        format!(
            "{}://{}",
            url.scheme(),
            crate::transport::http_client::host_of(url)
        )
    };
    Err(format!(
        "a link leads to {} instead of {}: it is not followed",
        shown(&url),
        shown(base)
    ))
}

fn malformed(kind: ObjectKind, wrong: &str) -> SourceError {
    SourceError::Malformed {
        what: format!("the page of {kind}s from Graph is unusable: {wrong}; nothing of it was used").into(),
        hint: "check `graph_url` and `proxy`; the next cycle asks for this page again, and `melonsync resync --restart` \
               begins afresh"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_only_to_the_configured_host() {
        let base = Url::parse("https://graph.microsoft.com/v1.0").unwrap();
        for (name, link, allowed) in [
            (
                "same host",
                "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=A",
                true,
            ),
            (
                "long form",
                "https://graph.microsoft.com/v1.0/users/microsoft.graph.delta?$deltatoken=A",
                true,
            ),
            (
                "case and port",
                "https://GRAPH.microsoft.com:443/v1.0/users/delta?$deltatoken=A",
                true,
            ),
            (
                "another host",
                "https://graph.microsoft.us/v1.0/users/delta",
                false,
            ),
            (
                "a host that begins so",
                "https://graph.microsoft.com.evil.example/v1.0/users/delta",
                false,
            ),
            (
                "a host that ends so",
                "https://evilgraph.microsoft.com/v1.0/users/delta",
                false,
            ),
            (
                "a host below it",
                "https://evil.graph.microsoft.com/v1.0/users/delta",
                false,
            ),
            (
                "the domain above it",
                "https://microsoft.com/v1.0/users/delta",
                false,
            ),
            (
                "with the root's dot",
                "https://graph.microsoft.com./v1.0/users/delta",
                false,
            ),
            (
                "in other letters",
                "https://graph.m\u{456}crosoft.com/v1.0/users/delta",
                false,
            ),
            (
                "in full width, which is the same host",
                "https://\u{ff47}raph.microsoft.com/v1.0/users/delta",
                true,
            ),
            (
                "behind a backslash",
                "https://evil.example\\@graph.microsoft.com/v1.0/users/delta",
                false,
            ),
            (
                "in the path",
                "https://evil.example/https://graph.microsoft.com/v1.0/users/delta",
                false,
            ),
            (
                "behind a line break",
                "https://evil.example\n.graph.microsoft.com/v1.0/users/delta",
                false,
            ),
            ("as user name", "https://graph.microsoft.com@evil.example/", false),
            (
                "with a user name",
                "https://me:pw@graph.microsoft.com/v1.0/users/delta",
                false,
            ),
            (
                "another scheme",
                "http://graph.microsoft.com/v1.0/users/delta",
                false,
            ),
            (
                "another port",
                "https://graph.microsoft.com:8443/v1.0/users/delta",
                false,
            ),
            ("relative", "/v1.0/users/delta?$skiptoken=A", false),
            ("no host", "data:text/plain,x", false),
            ("empty", "", false),
        ] {
            assert_eq!(own_link(&base, link).is_ok(), allowed, "{name}");
        }
    }

    #[test]
    fn a_link_stays_in_its_stream() {
        let base = Url::parse("https://graph.microsoft.com/v1.0").unwrap();
        let allowed = |kind, path: &str| {
            stream_link(&base, kind, &format!("https://graph.microsoft.com{path}")).is_ok()
        };
        for (path, of_users, of_groups) in [
            ("/v1.0/users/delta?$skiptoken=A", true, false),
            (
                "/v1.0/users/microsoft.graph.delta()?$skiptoken=groups",
                true,
                false,
            ),
            ("/v1.0/Groups/delta?$deltatoken=users", false, true),
            ("/v1.0/directoryObjects/delta?$deltatoken=A", true, true),
        ] {
            assert_eq!(allowed(ObjectKind::User, path), of_users, "{path}");
            assert_eq!(allowed(ObjectKind::Group, path), of_groups, "{path}");
        }
    }
}
