//! Names, types and patterns of a filter: from clauses as written to tests that can be evaluated.
//!
//! Promise: all problems are reported at once.

use std::sync::Arc;

use super::{MemberOf, operator::Operator, parse::Clause};
use crate::mapping::{
    diagnostic::Diagnostic,
    expression::Expression,
    names::{Access, Names, SourceAttribute, resolve},
    pattern::Pattern,
};
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// A clause that is ready to be evaluated.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// A test of an attribute.
    Attribute {
        /// The expression that reads it.
        read: Box<Expression>,
        /// The condition on its value.
        ask: Ask,
    },
    /// A test of a membership: holds where being a member equals `wanted`.
    Member {
        /// The group.
        of: MemberOf,
        /// False for NOT EQUALS.
        wanted: bool,
    },
}

/// The condition on a value that is not empty.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Null(bool),
    Boolean(bool),
    Equals { text: String, wanted: bool },
    Matches { pattern: Arc<Pattern>, wanted: bool },
    Greater { than: i64, or_equal: bool },
    Includes(String),
    EndsWith(String),
    Bits { mask: i64, wanted: bool },
}

impl Test {
    /// Returns the attribute that it reads.
    pub(super) fn attribute(&self) -> Option<&SourceAttribute> {
        match self {
            Self::Attribute { read, .. } => read.uses().first(),
            Self::Member { .. } => None,
        }
    }

    /// Returns the group whose members it tests.
    pub(super) const fn member_of(&self) -> Option<MemberOf> {
        match self {
            Self::Member { of, .. } => Some(*of),
            Self::Attribute { .. } => None,
        }
    }
}

pub(super) fn check(kind: ObjectKind, groups: &[Vec<Clause>]) -> Result<Vec<Vec<Test>>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let tests = groups
        .iter()
        .map(|group| {
            let test = |clause| test(kind, clause).map_err(|problem| problems.push(problem));
            group.iter().map(test).filter_map(Result::ok).collect()
        })
        .collect();
    if problems.is_empty() {
        Ok(tests)
    } else {
        Err(problems)
    }
}

fn test(kind: ObjectKind, clause: &Clause) -> Result<Test, Diagnostic> {
    if clause.name.eq_ignore_ascii_case("memberOf") {
        return member(kind, clause);
    }
    if clause.operator == Operator::TransitiveMemberOf {
        return Err(
            Diagnostic::new("TRANSITIVE_MEMBER_OF asks about memberOf only", clause.name_span)
                .hint("write memberOf TRANSITIVE_MEMBER_OF \"<group object id>\""),
        );
    }
    let attribute = resolve(Names::Of(kind), &clause.name).map_err(|suggestion| {
        let problem = Diagnostic::new(format!("no source attribute `{}`", clause.name), clause.name_span);
        match suggestion {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("names are those of mapping expressions, without brackets"),
        }
    })?;
    fits(&attribute, clause)?;
    let ask = ask(&attribute, clause)?;
    let read = Expression::parse(Names::Of(kind), &format!("[{}]", clause.name))
        .map_err(|error| Diagnostic::new(error.to_string(), clause.name_span))?;
    Ok(Test::Attribute {
        read: Box::new(read),
        ask,
    })
}

fn member(kind: ObjectKind, clause: &Clause) -> Result<Test, Diagnostic> {
    if kind == ObjectKind::Group {
        return Err(Diagnostic::new("memberOf is for users", clause.name_span)
            .hint("name groups by id, or by an attribute such as displayName"));
    }
    let (transitive, wanted) = match clause.operator {
        Operator::Equals => (false, true),
        Operator::NotEquals => (false, false),
        Operator::TransitiveMemberOf => (true, true),
        other => {
            return Err(Diagnostic::new(
                format!("memberOf cannot be asked with {other}"),
                clause.operator_span,
            )
            .hint("EQUALS for direct members, TRANSITIVE_MEMBER_OF for nested ones too, NOT EQUALS"));
        }
    };
    let group = object_id(clause)?;
    let of = MemberOf { group, transitive };
    Ok(Test::Member { of, wanted })
}

fn object_id(clause: &Clause) -> Result<SourceId, Diagnostic> {
    value(clause).parse().map_err(|error| {
        Diagnostic::new(format!("{error}"), clause.value_span)
            .hint("copy \"Object ID\" from the overview in the Entra admin center")
    })
}

fn value(clause: &Clause) -> &str {
    clause.value.as_deref().unwrap_or_default()
}

/// Checks that the operator suits the attribute.
fn fits(attribute: &SourceAttribute, clause: &Clause) -> Result<(), Diagnostic> {
    let (name, operator) = (&clause.name, clause.operator);
    let refused = |message: String, hint: &str| Err(Diagnostic::new(message, clause.name_span).hint(hint));
    match attribute.access {
        Access::Reference(_) => {
            return refused(
                format!("`{name}` refers to other objects, which a filter cannot look into"),
                "memberOf EQUALS \"<group object id>\" asks about memberships",
            );
        }
        Access::SoftDeleted => {
            return refused(
                format!("`{name}` follows from the scope, and so cannot decide it"),
                "ask accountEnabled",
            );
        }
        _ if attribute.is_list() => {
            return refused(
                format!("`{name}` holds several values, and Entra's filters take one"),
                "filter by an attribute with one value",
            );
        }
        _ => {}
    }
    let wrong = |message: String, hint: &str| Err(Diagnostic::new(message, clause.operator_span).hint(hint));
    let asks_boolean = matches!(operator, Operator::IsTrue | Operator::IsFalse);
    if attribute.is_boolean()
        && (operator.is_numeric() || matches!(operator, Operator::Includes | Operator::EndsWith))
    {
        return wrong(
            format!("`{name}` is a boolean"),
            "ask it with IS TRUE or IS FALSE",
        );
    }
    if asks_boolean && !attribute.is_boolean() && !attribute.is_extension() {
        return wrong(
            format!("`{name}` is not a boolean"),
            "compare it with EQUALS \"…\"",
        );
    }
    Ok(())
}

fn ask(attribute: &SourceAttribute, clause: &Clause) -> Result<Ask, Diagnostic> {
    let number = || {
        value(clause).trim().parse::<i64>().map_err(|_| {
            Diagnostic::new(
                format!("{} compares whole numbers", clause.operator),
                clause.value_span,
            )
            .hint("write a number such as \"42\"")
        })
    };
    let wanted = !matches!(
        clause.operator,
        Operator::NotEquals | Operator::NotRegexMatch | Operator::NotBits
    );
    Ok(match clause.operator {
        Operator::IsNull => Ask::Null(true),
        Operator::IsNotNull => Ask::Null(false),
        Operator::IsTrue => Ask::Boolean(true),
        Operator::IsFalse => Ask::Boolean(false),
        Operator::Equals | Operator::NotEquals => match equals(attribute, clause)? {
            Equal::Boolean(truth) => Ask::Boolean(truth == wanted),
            Equal::Text(text) => Ask::Equals { text, wanted },
        },
        Operator::RegexMatch | Operator::NotRegexMatch => {
            let pattern = pattern(clause)?;
            Ask::Matches { pattern, wanted }
        }
        Operator::GreaterThan | Operator::GreaterThanOrEquals => Ask::Greater {
            than: number()?,
            or_equal: clause.operator == Operator::GreaterThanOrEquals,
        },
        Operator::Includes => Ask::Includes(part(clause)?),
        Operator::EndsWith => Ask::EndsWith(part(clause)?),
        Operator::Bits | Operator::NotBits => Ask::Bits {
            mask: number()?,
            wanted,
        },
        Operator::TransitiveMemberOf => {
            return Err(Diagnostic::new(
                "TRANSITIVE_MEMBER_OF asks about memberOf only",
                clause.name_span,
            ));
        }
    })
}

/// Returns a part of a value.
fn part(clause: &Clause) -> Result<String, Diagnostic> {
    let text = value(clause);
    if text.is_empty() {
        return Err(
            Diagnostic::new("an empty text is a part of every value", clause.value_span)
                .hint("IS NOT NULL asks for values that are not empty"),
        );
    }
    Ok(text.to_owned())
}

enum Equal {
    Boolean(bool),
    Text(String),
}

fn equals(attribute: &SourceAttribute, clause: &Clause) -> Result<Equal, Diagnostic> {
    let text = value(clause);
    if attribute.access == Access::ObjectId {
        return Ok(Equal::Text(object_id(clause)?.to_string()));
    }
    if attribute.is_boolean() {
        // In any case: `"true"` would otherwise be a filter that no object passes.
        return match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Equal::Boolean(true)),
            "false" => Ok(Equal::Boolean(false)),
            _ => Err(Diagnostic::new(
                format!("`{}` is a boolean, and never \"{text}\"", clause.name),
                clause.value_span,
            )
            .hint("write \"True\" or \"False\"")),
        };
    }
    if text.is_empty() {
        return Err(Diagnostic::new(
            "an empty value makes every clause false, so this never holds",
            clause.value_span,
        )
        .hint("IS NULL and IS NOT NULL ask for empty values"));
    }
    Ok(Equal::Text(text.to_owned()))
}

fn pattern(clause: &Clause) -> Result<Arc<Pattern>, Diagnostic> {
    Pattern::new(value(clause)).map(Arc::new).map_err(|error| {
        Diagnostic::new(format!("not a regular expression: {error}"), clause.value_span)
            .hint("as .NET writes them; a dot that means a dot is `\\.`")
    })
}
