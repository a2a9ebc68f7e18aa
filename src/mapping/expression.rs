//! A mapping expression: its text, parsed and checked once, evaluated as often as there are objects.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::model::object::SourceObject;
use crate::model::value::Value;

use super::{
    ast::{Expr, Node},
    check::{Checked, check},
    context::{Context, Facts, Place},
    diagnostic::ExpressionError,
    evaluate::{Inputs, Step, evaluate},
    names::{Access, Names, Reference, SourceAttribute, guest_name},
    parse::parse,
    stop::Stop,
};

/// An expression that passed every check.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    tree: Expr,
    checked: Checked,
}

impl Expression {
    /// Parses and checks the text of an expression.
    ///
    /// # Errors
    /// Every problem in it, with places and suggestions.
    pub fn parse(names: Names, text: &str) -> Result<Self, ExpressionError> {
        let failed = |diagnostics| ExpressionError {
            text: text.into(),
            diagnostics,
        };
        let tree = parse(text).map_err(|problem| failed(vec![problem]))?;
        let checked = check(&tree, names).map_err(failed)?;
        Ok(Self {
            text: text.into(),
            tree,
            checked,
        })
    }

    /// Returns the text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the source attributes that it may read, each once.
    #[must_use]
    pub fn uses(&self) -> &[SourceAttribute] {
        &self.checked.uses
    }

    /// Returns the reference, if it is `[manager]` or `[members]`.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        match &self.checked.step {
            Step::Attribute(SourceAttribute {
                access: Access::Reference(reference),
                ..
            }) => Some(*reference),
            _ => None,
        }
    }

    /// Returns the attribute, if it is nothing but one.
    #[must_use]
    pub const fn bare(&self) -> Option<&SourceAttribute> {
        match &self.checked.step {
            Step::Attribute(attribute) => Some(attribute),
            _ => None,
        }
    }

    /// Returns the text, if it is nothing but a text constant.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match &self.tree.node {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether its value changes with the time.
    #[must_use]
    pub const fn uses_now(&self) -> bool {
        self.checked.uses_now
    }

    /// Returns whether its value is drawn at random.
    #[must_use]
    pub const fn uses_chance(&self) -> bool {
        self.checked.uses_chance
    }

    /// Returns whether its value must not be shown in plans, logs and history: it calls `Redact`.
    #[must_use]
    pub const fn is_redacted(&self) -> bool {
        self.checked.redacts
    }

    /// Evaluates as [`evaluate_in`](Self::evaluate_in) does, in the default context, which has no time and no
    /// randomness.
    ///
    /// # Errors
    /// Why there is no value.
    pub fn evaluate(&self, attributes: &dyn Fn(&str) -> Option<Value>) -> Result<Value, Stop> {
        self.evaluate_in(&Context::default(), attributes)
    }

    /// Evaluates with attributes by their names as written; `None` of `attributes` means "never read". Booleans print
    /// as `True` and `False` inside texts. The result is as the functions return it: an empty text stays one here, and
    /// is null only for an object ([`evaluate_object_in`](Self::evaluate_object_in)).
    ///
    /// # Errors
    /// Why there is no value.
    pub fn evaluate_in(
        &self,
        context: &Context,
        attributes: &dyn Fn(&str) -> Option<Value>,
    ) -> Result<Value, Stop> {
        let inputs = ByName { attributes, context };
        evaluate(&self.checked.step, &inputs).map(Cow::into_owned)
    }

    /// Evaluates as [`evaluate_object_in`](Self::evaluate_object_in) does, in the default context, for no row.
    ///
    /// # Errors
    /// Why there is no value.
    pub fn evaluate_object(&self, object: &SourceObject, facts: &Facts) -> Result<Value, Stop> {
        self.evaluate_object_in(&Context::default(), "", object, facts)
    }

    /// Evaluates for an object of the source, with null for an empty value. `row` is the target path of its row: a
    /// random value is drawn once for an object and a row.
    ///
    /// # Errors
    /// Why there is no value.
    pub fn evaluate_object_in(
        &self,
        context: &Context,
        row: &str,
        object: &SourceObject,
        facts: &Facts,
    ) -> Result<Value, Stop> {
        let inputs = OfObject {
            object,
            facts,
            context,
            row,
        };
        // The shortcut for direct rows, which most rows are: no virtual call, one copy.
        match &self.checked.step {
            Step::Attribute(attribute) => settle(inputs.read(attribute)?),
            step => settle(evaluate(step, &inputs)?),
        }
    }

    pub(super) const fn step(&self) -> &Step {
        &self.checked.step
    }

    /// Returns the whole expression as a [`trace`](super::trace) names it.
    #[must_use]
    pub fn step_text(&self) -> String {
        self.checked.step.to_string()
    }

    /// Returns the canonical text: two expressions that print alike mean the same.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.tree.to_string()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
    }
}

impl Eq for Expression {}

/// Turns an empty text or list into null: Graph and SCIM (RFC 7643 section 2.5) know no difference.
fn settle(value: Cow<'_, Value>) -> Result<Value, Stop> {
    Ok(if value.is_unassigned() {
        Value::Null
    } else {
        value.into_owned()
    })
}

struct ByName<'f> {
    attributes: &'f dyn Fn(&str) -> Option<Value>,
    context: &'f Context,
}

impl Inputs for ByName<'_> {
    fn get<'a>(&'a self, attribute: &'a SourceAttribute) -> Result<Cow<'a, Value>, Stop> {
        (self.attributes)(&attribute.written)
            .map(Cow::Owned)
            .ok_or_else(|| Stop::Unknown(attribute.written.as_ref().to_owned()))
    }

    fn context(&self) -> &Context {
        self.context
    }

    fn place(&self, draw: u16) -> Place<'_> {
        Place {
            object: &[],
            row: "",
            draw,
        }
    }
}

pub(super) struct OfObject<'o> {
    pub(super) object: &'o SourceObject,
    pub(super) facts: &'o Facts,
    pub(super) context: &'o Context,
    pub(super) row: &'o str,
}

impl OfObject<'_> {
    pub(super) fn read<'a>(&'a self, attribute: &'a SourceAttribute) -> Result<Cow<'a, Value>, Stop> {
        let held = || {
            self.object
                .attributes
                .get_named(&attribute.property)
                .ok_or_else(|| Stop::Unknown(attribute.property.to_string()))
        };
        const NULL: &Value = &Value::Null;
        Ok(match &attribute.access {
            Access::Whole | Access::AppRoles => Cow::Borrowed(held()?),
            Access::First => match held()? {
                Value::List(items) => Cow::Borrowed(items.first().unwrap_or(NULL)),
                one => Cow::Borrowed(one),
            },
            Access::Key(key) => match held()? {
                Value::Map(map) => Cow::Borrowed(map.get(&**key).unwrap_or(NULL)),
                _ => Cow::Borrowed(NULL),
            },
            Access::GuestName => match held()? {
                Value::String(name) => match guest_name(name) {
                    Cow::Borrowed(same) if same.len() == name.len() => Cow::Borrowed(held()?),
                    stripped => Cow::Owned(Value::String(stripped.into_owned())),
                },
                other => Cow::Borrowed(other),
            },
            Access::ObjectId => Cow::Owned(Value::String(self.object.id.to_string())),
            Access::SoftDeleted if self.facts.soft_deleted => Cow::Owned(Value::Bool(true)),
            // Not known to be gone, and never asked whether it is enabled: no account is enabled on that.
            Access::SoftDeleted => held().map(|_| Cow::Owned(Value::Bool(false)))?,
            // A row of references is never evaluated: the planner resolves it.
            Access::Reference(_) => return Err(Stop::NoFlow),
        })
    }
}

impl Inputs for OfObject<'_> {
    fn get<'a>(&'a self, attribute: &'a SourceAttribute) -> Result<Cow<'a, Value>, Stop> {
        self.read(attribute)
    }

    fn context(&self) -> &Context {
        self.context
    }

    fn place(&self, draw: u16) -> Place<'_> {
        Place {
            object: self.object.id.as_bytes(),
            row: self.row,
            draw,
        }
    }
}
