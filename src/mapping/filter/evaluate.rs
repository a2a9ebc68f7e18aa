//! Evaluates one object against a filter.

use super::{
    Filter, MemberOf,
    check::{Ask, Test},
};
use crate::mapping::{
    context::Facts,
    stop::{Stop, text_of},
};
use crate::model::object::SourceObject;
use crate::model::value::Value;

/// A filter's verdict on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The object passes.
    Holds,
    /// The object does not pass.
    Fails {
        /// The first clause of each group that is false, as written in the filter.
        clauses: Vec<String>,
    },
    /// The verdict depends on a property that was never read.
    Unknown {
        /// What is missing.
        missing: String,
    },
}

/// True, false, or not known and why.
type Truth = Result<bool, String>;

impl Filter {
    /// Evaluates the filter for an object. `member` looks up memberships; `None` means "not known".
    #[must_use]
    pub fn evaluate(&self, object: &SourceObject, member: &dyn Fn(MemberOf) -> Option<bool>) -> Verdict {
        let mut clauses = Vec::new();
        let mut missing = None;
        for (tests, written) in self.tests.iter().zip(&self.groups) {
            // A clause that is false decides its group, whatever is unknown beside it.
            let mut doubt = None;
            let mut failed = None;
            for (test, clause) in tests.iter().zip(written) {
                match truth(test, object, member) {
                    Ok(true) => {}
                    Ok(false) => {
                        failed = Some(clause);
                        break;
                    }
                    Err(why) => doubt = doubt.or(Some(why)),
                }
            }
            match (failed, doubt) {
                (Some(clause), _) => clauses.push(clause.to_string()),
                (None, Some(why)) => missing = missing.or(Some(why)),
                (None, None) => return Verdict::Holds,
            }
        }
        match missing {
            Some(missing) => Verdict::Unknown { missing },
            None => Verdict::Fails { clauses },
        }
    }
}

fn truth(test: &Test, object: &SourceObject, member: &dyn Fn(MemberOf) -> Option<bool>) -> Truth {
    match test {
        Test::Member { of, wanted } => member(*of)
            .map(|is| is == *wanted)
            .ok_or_else(|| format!("the members of group {}", of.group)),
        Test::Attribute { read, ask } => match read.evaluate_object(object, &Facts::default()) {
            Ok(value) => asked(ask, &value),
            Err(Stop::Unknown(property)) => Err(format!("the property {property}")),
            Err(Stop::NoFlow) => Ok(false),
            Err(Stop::Failed(why)) => Err(why),
        },
    }
}

fn asked(ask: &Ask, value: &Value) -> Truth {
    let is_null = value.is_unassigned();
    if let Ask::Null(wanted) = ask {
        return Ok(is_null == *wanted);
    }
    if is_null {
        return Ok(false);
    }
    let text = match text_of(value) {
        Ok(text) => text,
        Err(Stop::Failed(why)) => return Err(why),
        Err(_) => return Ok(false),
    };
    let number = || text.trim().parse::<i64>().ok();
    Ok(match ask {
        Ask::Null(_) => false,
        Ask::Boolean(wanted) => value.as_bool() == Some(*wanted),
        Ask::Equals { text: other, wanted } => (text == other.as_str()) == *wanted,
        Ask::Matches { pattern, wanted } => match pattern.is_match(&text) {
            Ok(matches) => matches == *wanted,
            Err(_) => return Err("a regular expression that takes too long on this value".to_owned()),
        },
        Ask::Greater { than, or_equal } => {
            number().is_some_and(|number| number > *than || (*or_equal && number == *than))
        }
        Ask::Includes(part) => text.contains(part.as_str()),
        Ask::EndsWith(end) => text.ends_with(end.as_str()),
        Ask::Bits { mask, wanted } => number().is_some_and(|number| (number & mask != 0) == *wanted),
    })
}
