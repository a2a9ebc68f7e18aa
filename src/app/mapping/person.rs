//! One expression tried: with attributes that are given, or for a user or group as the source last said them.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::Tried;
use super::come_to;
use super::parsed;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::mapping::Facts;
use crate::mapping::Names;
use crate::mapping::names;
use crate::model::object::Life;
use crate::model::value::Value;
use crate::snapshot::named::NotOne;
use crate::snapshot::read::Reads;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// The expression.
    pub expression: String,
    /// Attributes to evaluate it with; they go before those of the user.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Json>,
    /// A user or group whose attributes are taken.
    #[serde(default)]
    pub user: Option<String>,
}

/// Evaluates the expression. An attribute that was never read of the object is not known, and no null.
pub fn test(desk: &Desk, wanted: &TestRequest) -> Result<Tried, AppError> {
    let Some(name) = &wanted.user else {
        return super::test(&wanted.expression, &wanted.attributes);
    };
    let named = lookup::one(&desk.snapshot, name)?;
    let (kind, id) = (named.kind, named.id);
    let expression = parsed(Names::Of(kind), &wanted.expression)?;
    let Some(mut record) = desk.snapshot.record(kind, &id)? else {
        let (what, name) = (kind.word(), name.clone());
        return Err(AppError::from(&NotOne::Nothing { what, name }));
    };
    for (name, value) in &wanted.attributes {
        let resolved = names::resolve(Names::Of(kind), name);
        let property = resolved.map_or_else(|_| name.clone(), |resolved| resolved.property.to_string());
        record.object.attributes.insert(property, Value::from_json(value));
    }
    let is_out = matches!(desk.snapshot.scope_entry(kind, &id)?, Some(ScopeEntry::Out));
    let object = &record.object;
    let facts = Facts {
        soft_deleted: is_out || object.life != Life::Alive || !object.account_enabled(),
    };
    come_to(expression.evaluate_object(object, &facts))
}
