//! The operators of scoping filters, as Entra names them.

use std::fmt;

/// One operator. The first fourteen are Entra's (docs/design/entra.md, "Scope"), the last one is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal, where case matters.
    Equals,
    /// Not equal, where case matters.
    NotEquals,
    /// A boolean that is true.
    IsTrue,
    /// A boolean that is false.
    IsFalse,
    /// Null or empty: the only clause that holds then.
    IsNull,
    /// A value that is neither null nor empty.
    IsNotNull,
    /// The .NET regular expression matches somewhere in the value.
    RegexMatch,
    /// It matches nowhere.
    NotRegexMatch,
    /// A whole number that is greater.
    GreaterThan,
    /// A whole number that is greater or equal.
    GreaterThanOrEquals,
    /// The value contains this text, where case matters.
    Includes,
    /// The value ends with this text, where case matters.
    EndsWith,
    /// A whole number that has a bit of the mask.
    Bits,
    /// A whole number that has no bit of the mask.
    NotBits,
    /// A member of the group, directly or through groups in it.
    TransitiveMemberOf,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 15] = [
        Self::Equals,
        Self::NotEquals,
        Self::IsTrue,
        Self::IsFalse,
        Self::IsNull,
        Self::IsNotNull,
        Self::RegexMatch,
        Self::NotRegexMatch,
        Self::GreaterThan,
        Self::GreaterThanOrEquals,
        Self::Includes,
        Self::EndsWith,
        Self::Bits,
        Self::NotBits,
        Self::TransitiveMemberOf,
    ];

    /// Returns the name as Entra writes it. Case is ignored when it is parsed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equals => "EQUALS",
            Self::NotEquals => "NOT EQUALS",
            Self::IsTrue => "IS TRUE",
            Self::IsFalse => "IS FALSE",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
            Self::RegexMatch => "REGEX MATCH",
            Self::NotRegexMatch => "NOT REGEX MATCH",
            Self::GreaterThan => "Greater_Than",
            Self::GreaterThanOrEquals => "Greater_Than_OR_EQUALS",
            Self::Includes => "Includes",
            Self::EndsWith => "ENDS_WITH",
            Self::Bits => "&",
            Self::NotBits => "!&",
            Self::TransitiveMemberOf => "TRANSITIVE_MEMBER_OF",
        }
    }

    /// Returns whether it is followed by a value.
    #[must_use]
    pub const fn takes_value(self) -> bool {
        !matches!(
            self,
            Self::IsTrue | Self::IsFalse | Self::IsNull | Self::IsNotNull
        )
    }

    /// Returns whether it compares whole numbers.
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::GreaterThan | Self::GreaterThanOrEquals | Self::Bits | Self::NotBits
        )
    }

    /// Returns the operator of this name, in any case and with any blanks between its words.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let words = || name.split_whitespace();
        Self::ALL.into_iter().find(|operator| {
            let mut own = operator.name().split(' ');
            words().all(|word| own.next().is_some_and(|own| own.eq_ignore_ascii_case(word)))
                && own.next().is_none()
        })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
