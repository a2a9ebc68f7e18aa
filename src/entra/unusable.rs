//! Why a credential cannot be used.

/// Why a credential cannot be used now. Names its place, never its value.
#[derive(Debug, Clone)]
pub struct Unusable {
    /// What is wrong, and with which credential.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}
