//! `[network]`, and the same under a job's source and target: how to reach other hosts.

use std::path::PathBuf;

use url::Url;

use super::section::Section;
use super::value::any_url;

/// Proxy and certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// The proxy; absent: HTTPS_PROXY and NO_PROXY. Loopback and 169.254.169.254 never use one.
    pub proxy: Option<Url>,
    /// PEM certificates added to the system's roots. Verification has no off switch.
    pub ca_file: Option<PathBuf>,
    /// Its section, such as `jobs.idmelon.target`: hints name its keys in full.
    pub section: String,
}

impl Network {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let proxy = section
            .get("proxy")
            .and_then(|field| any_url(&field, "http://proxy:3128"));
        let ca_file = section.path_name("ca_file", "corp-root.pem");
        let of = section.path.trim_end_matches("network").trim_end_matches('.');
        let of = of.to_owned();
        section.finish();
        Self {
            proxy,
            ca_file,
            section: of,
        }
    }

    /// Fills settings that are not written here from `base`.
    pub(super) fn over(self, base: &Self) -> Self {
        Self {
            proxy: self.proxy.or_else(|| base.proxy.clone()),
            ca_file: self.ca_file.or_else(|| base.ca_file.clone()),
            section: self.section,
        }
    }
}
