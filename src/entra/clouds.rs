//! The four national clouds (docs/design/graph.md, "Tokens and clouds"; Graph concepts/deployments.md). GCC uses the
//! global one.

use std::str::FromStr;

use url::Url;

/// A national cloud. Tokens of one are refused by the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cloud {
    /// Worldwide, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

/// The error for a name that is not one of the four.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no cloud `{0}`: one of global, us-gov, us-gov-dod, china")]
pub struct NoSuchCloud(pub String);

impl Cloud {
    /// All clouds, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Global, Self::UsGov, Self::UsGovDod, Self::China];

    /// Returns its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::UsGov => "us-gov",
            Self::UsGovDod => "us-gov-dod",
            Self::China => "china",
        }
    }

    /// Returns the Graph host, as a URL without a path.
    #[must_use]
    pub fn graph_url(self) -> Url {
        fixed(match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        })
    }

    /// Returns the login host, as a URL without a path.
    #[must_use]
    pub fn login_url(self) -> Url {
        fixed(match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        })
    }

    /// Returns the scope of a token: always the cloud's own Graph, also where a proxy stands before it.
    #[must_use]
    pub fn scope(self) -> String {
        format!("{}.default", self.graph_url())
    }
}

impl FromStr for Cloud {
    type Err = NoSuchCloud;

    fn from_str(text: &str) -> Result<Self, NoSuchCloud> {
        Self::ALL
            .into_iter()
            .find(|cloud| cloud.name() == text)
            .ok_or_else(|| NoSuchCloud(text.to_owned()))
    }
}

fn fixed(text: &str) -> Url {
    Url::parse(text).expect("the clouds' addresses are URLs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_has_its_hosts_and_its_own_audience() {
        for (name, graph, login) in [
            ("global", "graph.microsoft.com", "login.microsoftonline.com"),
            ("us-gov", "graph.microsoft.us", "login.microsoftonline.us"),
            ("us-gov-dod", "dod-graph.microsoft.us", "login.microsoftonline.us"),
            (
                "china",
                "microsoftgraph.chinacloudapi.cn",
                "login.chinacloudapi.cn",
            ),
        ] {
            let cloud: Cloud = name.parse().unwrap();
            assert_eq!(cloud.graph_url().host_str(), Some(graph), "{name}");
            assert_eq!(cloud.login_url().host_str(), Some(login), "{name}");
            assert_eq!(cloud.scope(), format!("https://{graph}/.default"), "{name}");
        }
        assert!("Global ".parse::<Cloud>().is_err());
    }
}
