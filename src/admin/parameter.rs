//! The parameters of a query: what each is called, and what it holds.

/// What a parameter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything.
    Text,
    /// Anything; it may be given more than once.
    Texts,
    /// A UUID.
    Id,
    /// A moment, as RFC 3339 writes it.
    Moment,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    /// What it holds.
    pub(super) kind: Kind,
    /// Its name.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) what: &'static str,
}

/// A parameter of this kind.
pub(super) const fn of(kind: Kind, name: &'static str, what: &'static str) -> Parameter {
    Parameter { kind, name, what }
}

/// A parameter that is a text.
pub(super) const fn text(name: &'static str, what: &'static str) -> Parameter {
    of(Kind::Text, name, what)
}

/// A parameter that is an id.
pub(super) const fn id(name: &'static str, what: &'static str) -> Parameter {
    of(Kind::Id, name, what)
}
