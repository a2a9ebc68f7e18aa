//! `[admin]`: the address that the API is served at, and who may come in there.
//!
//! Only places of tokens are read here: the tokens themselves are the daemon's, which alone opens that door.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::secret::SecretSource;
use super::section::Field;
use super::section::Section;
use super::tree::Raw;
use super::value::Word;
use super::value::word;
use crate::model::role::Role;

/// The name of whoever holds `token`, in the history.
pub const ADMIN: &str = "admin";

/// What the history calls the schedule: no token has this name.
const SCHEDULE: &str = "schedule";

/// A longer name names nobody.
const LONGEST_NAME: usize = 64;

/// `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admin {
    /// The address of the API; absent: it is reached through the control socket only.
    pub listen: Option<SocketAddr>,
    /// The tokens, each with its name and its role.
    pub tokens: Vec<AdminToken>,
    /// The names that it answers to, beside the address itself.
    pub hosts: Vec<String>,
    /// The certificate and its key.
    pub tls: Option<AdminTls>,
    /// True where a proxy that speaks TLS stands before it.
    pub behind_proxy: bool,
    /// True where whoever changed the config cannot release what it caused.
    pub two_person: bool,
    /// True where a release, an undo, a hold and a drop need a comment.
    pub comment_required: bool,
    /// The token of `/metrics`; absent: it needs none.
    pub metrics_token: Option<SecretSource>,
}

/// A token of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// Who holds it, as the history names them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where it is.
    pub place: SecretSource,
}

/// What the API proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminTls {
    /// PEM: the certificate, and those between it and its root.
    pub cert: PathBuf,
    /// PEM: its key.
    pub key: PathBuf,
}

impl Word for Role {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("viewer", Self::Viewer),
        ("operator", Self::Operator),
        ("approver", Self::Approver),
    ];
}

impl Admin {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let listen = section.get("listen");
        let admin = Self {
            listen: listen.as_ref().and_then(address),
            tokens: tokens(&mut section),
            hosts: section
                .get("hosts")
                .and_then(|field| hosts(&field))
                .unwrap_or_default(),
            tls: section.get("tls").and_then(|field| tls(&field)),
            behind_proxy: section.flag("behind_proxy", false),
            two_person: section.flag("two_person", false),
            comment_required: section.flag("comment_required", false),
            metrics_token: section.secret_if_written("metrics_token", "MELONSYNC_METRICS_TOKEN"),
        };
        let is_open = admin.listen.is_some_and(|listen| !listen.ip().is_loopback());
        if let Some(field) = listen.filter(|_| is_open) {
            let is_written = |key: &str| section.has(key);
            if !is_written("tls") && !admin.behind_proxy {
                let _: Option<()> = field.bad(
                    "would send tokens over the network without encryption",
                    "add `tls = { cert = \"…\", key = \"…\" }` to [admin], or `behind_proxy = true` where a proxy that \
                     speaks TLS stands before it; 127.0.0.1 needs neither",
                );
            }
            if !is_written("token") && !is_written("tokens") {
                let _: Option<()> = field.bad(
                    "would serve the network without a token",
                    "add `token = { env = \"MELONSYNC_ADMIN_TOKEN\" }` to [admin]",
                );
            }
        }
        section.finish();
        admin
    }

    /// The files whose contents the door uses: when one changes, the settings are read again.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let places = self.tokens.iter().map(|token| &token.place);
        let secrets = places.chain(&self.metrics_token).filter_map(SecretSource::file);
        let tls = self
            .tls
            .iter()
            .flat_map(|tls| [tls.cert.clone(), tls.key.clone()]);
        secrets.map(PathBuf::from).chain(tls).collect()
    }
}

fn address(field: &Field<'_>) -> Option<SocketAddr> {
    let text = field.text("127.0.0.1:8465")?;
    text.parse().ok().or_else(|| {
        field.bad(
            &format!("is no address with a port: \"{text}\""),
            "write an address and a port, as in \"127.0.0.1:8465\" or \"[::1]:8465\"",
        )
    })
}

fn tokens(section: &mut Section<'_>) -> Vec<AdminToken> {
    let own = section.secret_if_written("token", "MELONSYNC_ADMIN_TOKEN");
    let own = own.map(|place| AdminToken {
        name: ADMIN.to_owned(),
        role: Role::Approver,
        place,
    });
    let named = section.get("tokens");
    let mut tokens: Vec<AdminToken> = own.into_iter().collect();
    for field in named.iter().flat_map(Field::each) {
        let Some(token) = token(&field) else { continue };
        if tokens.iter().any(|other| other.name == token.name) {
            let what = format!("names a token `{}` again", token.name);
            let _: Option<()> = field.bad_key(
                &what,
                "give each token a name of its own: the history tells them apart by it",
            );
        }
        tokens.push(token);
    }
    tokens
}

fn token(field: &Field<'_>) -> Option<AdminToken> {
    let Raw::Table(_) = field.node().raw else {
        return field.bad_key(
            &format!("must be a table, not {}", kind(field)),
            "write `name`, `role` and `token` under a line [[admin.tokens]]",
        );
    };
    let mut section = field.section()?;
    let name = section
        .required("name", "\"helpdesk\"")
        .and_then(|field| name(&field));
    let role = section
        .required("role", "\"viewer\"")
        .and_then(|field| word(&field));
    let place = section.secret("token", "MELONSYNC_HELPDESK_TOKEN", false);
    section.finish();
    Some(AdminToken {
        name: name?,
        role: role?,
        place: place?,
    })
}

/// What is written there: a text may be a secret, and is not shown.
fn kind(field: &Field<'_>) -> &'static str {
    field.node().raw.kind()
}

fn name(field: &Field<'_>) -> Option<String> {
    let text = field.text("helpdesk")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(fits) {
        return field.bad_key(
            "is no name for a token",
            "use letters, digits, `.`, `_`, `-` and `@`: it stands in the history",
        );
    }
    if text == ADMIN || text == SCHEDULE {
        return field.bad(
            &format!("cannot be \"{text}\""),
            "use another name: the history means somebody else by it",
        );
    }
    Some(text.to_owned())
}

fn hosts(field: &Field<'_>) -> Option<Vec<String>> {
    let written = field.texts("[\"melonsync.corp.example\"]")?;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if let Some(wrong) = written.iter().find(|name| !name.chars().all(letters)) {
        return field.bad(
            &format!("has \"{wrong}\", which is no name of a host"),
            "write names alone, without scheme and port",
        );
    }
    Some(
        written
            .into_iter()
            .map(|name| name.to_ascii_lowercase())
            .collect(),
    )
}

fn tls(field: &Field<'_>) -> Option<AdminTls> {
    let Some(mut section) = field.section() else {
        return field.wrong_type("a table", "{ cert = \"cert.pem\", key = \"key.pem\" }");
    };
    let path = |field: Option<Field<'_>>| field?.path_name("cert.pem");
    let cert = path(section.required("cert", "\"cert.pem\""));
    let key = path(section.required("key", "\"key.pem\""));
    section.finish();
    Some(AdminTls {
        cert: cert?,
        key: key?,
    })
}
