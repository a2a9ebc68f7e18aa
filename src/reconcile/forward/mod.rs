//! The way from Entra to the target: what is desired, matched and compared, and the operations that it comes to.
//!
//! [`plan`] is the door: a batch of views in, operations and omissions out. `arrivals`, `changes` and
//! `departures` decide for objects that are new, linked, and gone; [`membership_diff`] for members; [`matching`]
//! which resource an object is; [`three_way`] what becomes of one attribute; [`coupled`] and [`unique_values`] what
//! the rules of the target add; [`asking`] which readings are still missing.

pub(super) mod arrivals;
pub mod asking;
pub(super) mod changes;
pub mod coupled;
pub(super) mod departures;
pub mod matching;
pub mod membership_diff;
pub mod plan;
pub mod three_way;
pub mod unique_values;
pub mod view;
