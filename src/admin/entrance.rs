//! What is known of the door to the network, whoever comes in by it.

use std::sync::Arc;

use super::logins::Logins;
use crate::app::access::Access;
use crate::app::access::sessions::Sessions;
use crate::app::service::Service;

/// What is known of the door to the network.
pub(super) struct Entrance {
    service: Arc<Service>,
    /// The failed ones.
    pub(super) logins: Logins,
}

impl Entrance {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self {
            service,
            logins: Logins::default(),
        }
    }

    /// Who is logged in.
    pub(super) fn sessions(&self) -> &Sessions {
        self.service.sessions()
    }

    /// Who may come in, by the settings in force.
    pub(super) fn access(&self) -> Arc<Access> {
        self.service.access()
    }
}
