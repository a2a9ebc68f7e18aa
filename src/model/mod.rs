//! The nouns of melonsync: ids, values, source objects, links, cursors, time and secrets. No I/O, no decisions.

pub mod assignment;
pub mod attributes;
pub mod azure_job;
pub mod clock;
pub mod condition;
pub mod cursor;
pub mod dialect;
pub mod id;
pub mod link;
pub mod name;
pub mod object;
pub mod parsed;
pub mod percent;
pub mod refusal;
pub mod role;
pub mod secret;
pub mod shown;
pub mod side;
pub mod value;
pub mod verb;
