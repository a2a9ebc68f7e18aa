//! melonsync keeps an IDmelon workspace, or any SCIM 2.0 service, equal to a Microsoft Entra ID directory.
//!
//! # One change, from end to end
//!
//! Ada is disabled in Entra. The next cycle asks Microsoft Graph what changed ([`entra`]); the page that brings Ada is stored
//! together with the link to the page after it, and Ada gets a mark ([`snapshot`]). The mapping turns the user that the source
//! describes into the attributes that the target should hold ([`mapping`]). The planner compares them with what was last sent and with
//! what the target kept of it, and decides on one operation, `disable_user`, with its reason ([`reconcile`]). The guard counts
//! it with all other removals of the last day. What it lets pass goes out as one PATCH ([`scim`]), and its outcome, its history entry and the
//! end of the mark are recorded in one transaction. [`engine`] is the order of these steps; `plan` runs the same ones and sends nothing.
//!
//! # The map
//!
//! A folder imports only from rows above it.
//!
//! | row | folder | what lives there |
//! | --- | --- | --- |
//! | 0 | [`sandbox`] | a sample Entra tenant and a sample IDmelon workspace, as real HTTP servers |
//! | 0 | [`files`] | files for their owner alone: made, opened, read |
//! | 0 | [`model`] | the nouns: ids, values, source objects, cursors, links, time, secrets |
//! | 1 | [`mapping`] | attribute expressions: source object to desired attributes |
//! | 2 | [`reconcile`] | the pure planner: what to do, and why |
//! | 3 | [`settings`], [`ports`], [`telemetry`] | configuration, the ports, logs |
//! | 4 | [`transport`] | HTTP client, retry, Retry-After |
//! | 5 | [`entra`], [`scim`], [`idmelon`], [`snapshot`], [`notify`] | the edges: Microsoft Graph, SCIM 2.0, IDmelon's REST API, the embedded store, receivers of notifications |
//! | 6 | [`engine`] | one provisioning cycle, and when to run it |
//! | 7 | [`app`] | what can be asked of an installed melonsync, whatever the surface |
//! | 8 | [`admin`], [`cli`] | the daemon's API and the doors to it; one file a verb |
#![forbid(unsafe_code)]
// A test is a table of cases as long as there are cases; a function of the program is not.
#![cfg_attr(test, allow(clippy::too_many_lines))]

pub mod admin;
pub mod app;
pub mod cli;
pub mod engine;
pub mod entra;
pub mod files;
pub mod idmelon;
pub mod mapping;
pub mod model;
pub mod notify;
pub mod ports;
pub mod reconcile;
pub mod sandbox;
pub mod scim;
pub mod settings;
pub mod snapshot;
pub mod telemetry;
pub mod transport;
