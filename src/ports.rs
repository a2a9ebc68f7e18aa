//! The three ports.
