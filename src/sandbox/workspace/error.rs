//! SCIM errors (RFC 7644 section 3.12).

use serde_json::json;

use crate::sandbox::server::Answer;

pub(super) const SCIM_JSON: &str = "application/scim+json";

#[derive(Debug)]
pub(super) struct ScimError {
    pub status: u16,
    pub kind: &'static str,
    pub detail: String,
}

impl ScimError {
    pub fn new(status: u16, kind: &'static str, detail: &str) -> Self {
        ScimError {
            status,
            kind,
            detail: detail.to_owned(),
        }
    }

    pub fn value(detail: &str) -> Self {
        ScimError::new(400, "invalidValue", detail)
    }

    pub fn syntax(detail: &str) -> Self {
        ScimError::new(400, "invalidSyntax", detail)
    }

    pub fn path(detail: &str) -> Self {
        ScimError::new(400, "invalidPath", detail)
    }

    pub fn filter(detail: &str) -> Self {
        ScimError::new(400, "invalidFilter", detail)
    }

    pub fn no_target(detail: &str) -> Self {
        ScimError::new(400, "noTarget", detail)
    }

    pub fn mutability(detail: &str) -> Self {
        ScimError::new(400, "mutability", detail)
    }

    pub fn uniqueness(detail: &str) -> Self {
        ScimError::new(409, "uniqueness", detail)
    }

    pub fn not_found(id: &str) -> Self {
        ScimError::new(404, "", &format!("resource {id} not found"))
    }

    pub fn answer(&self) -> Answer {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.to_string(), "detail": self.detail,
        });
        if !self.kind.is_empty() {
            body["scimType"] = self.kind.into();
        }
        Answer::json(self.status, SCIM_JSON, &body)
    }
}
