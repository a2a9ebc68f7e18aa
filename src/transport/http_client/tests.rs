//! Real HTTP on loopback.
