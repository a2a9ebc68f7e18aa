//! Attribute paths (RFC 7644 figure 7, without the brackets): which attribute of which schema a text means.

use super::WorkspaceOptions;
use super::error::ScimError;
use super::schema;
use super::schema::Attribute;
use super::schema::Type;

/// A place in a resource: an attribute of the core or of an extension, perhaps a sub-attribute.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The extension's URN; `None` in the core.
    pub urn: Option<&'static str>,
    /// `None` for the extension as a whole.
    pub attribute: Option<&'static Attribute>,
    pub sub: Option<&'static Attribute>,
}

impl Place {
    pub fn leaf(&self) -> Option<&'static Attribute> {
        self.sub.or(self.attribute)
    }
}

/// Parses `userName`, `name.givenName`, `urn:…:User:userName`, `urn:…:User:manager.value`, or an extension's URN alone.
pub(super) fn place(kind: Type, text: &str, options: &WorkspaceOptions) -> Result<Place, ScimError> {
    let unknown = || ScimError::path(&format!("attribute {text} is not in the schema"));
    for (urn, known) in kind.extensions(options) {
        match below(text, urn) {
            Some("") => {
                return Ok(Place {
                    urn: Some(urn),
                    attribute: None,
                    sub: None,
                });
            }
            Some(rest) => {
                let (name, sub) = halves(rest);
                let attribute = known
                    .iter()
                    .find(|a| a.name.eq_ignore_ascii_case(name))
                    .ok_or_else(unknown)?;
                return with_sub(Some(urn), attribute, sub).ok_or_else(unknown);
            }
            None => {}
        }
    }
    let (name, sub) = halves(below(text, kind.core()).unwrap_or(text));
    let attribute = kind.attribute(name, options).ok_or_else(unknown)?;
    with_sub(None, attribute, sub).ok_or_else(unknown)
}

/// Returns what follows `urn:` in the text; empty where the text is the URN itself.
fn below<'a>(text: &'a str, urn: &str) -> Option<&'a str> {
    let head = text
        .get(..urn.len())
        .filter(|head| head.eq_ignore_ascii_case(urn))?;
    let rest = &text[head.len()..];
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(':').filter(|rest| !rest.is_empty())
    }
}

fn halves(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (text, None),
    }
}

fn with_sub(urn: Option<&'static str>, attribute: &'static Attribute, sub: Option<&str>) -> Option<Place> {
    let sub = match sub {
        Some(sub) => Some(schema::find_sub(attribute, sub)?),
        None => None,
    };
    Some(Place {
        urn,
        attribute: Some(attribute),
        sub,
    })
}
