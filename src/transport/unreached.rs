//! Why a connection failed: refused, unknown host, TLS with its reason, time-out, proxy.
//!
//! The HTTP library's error is a chain of five of which only the last one names the cause, and none states whether it
//! was the proxy's connection. So the chain is read once, here, and each cause has one sentence and one setting.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// A connection that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The cause.
    pub cause: Cause,
    /// The proxy that stood between, and the setting that names it.
    pub proxy: Option<(String, &'static str)>,
}

/// The cause of the failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Nothing listens at that port, or a firewall refuses.
    Refused,
    /// The name has no address.
    UnknownHost,
    /// There is no route to it.
    NoRoute,
    /// There was no answer within this time.
    TimedOut(Duration),
    /// The connection was made, and TLS failed for this reason.
    Tls(Tls),
    /// The proxy answered, and did not connect, for this reason.
    Proxy(&'static str),
    /// The other side closed the connection.
    HungUp,
    /// Any other cause, in the library's text.
    Other(String),
}

/// Why TLS failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The issuer is unknown here.
    Untrusted,
    /// The certificate has expired, or is not valid yet.
    OutOfTime(&'static str),
    /// The certificate is another host's; with the library's text about its names.
    OtherName(String),
    /// The port does not speak TLS.
    NotTls,
    /// No version or cipher in common.
    Incompatible(String),
    /// Anything else.
    Other(String),
}

impl Unreached {
    /// Reads the chain of an error.
    #[must_use]
    pub fn of(
        error: &(dyn Error + 'static),
        timed_out: bool,
        limit: Duration,
        proxy: Option<(String, &'static str)>,
    ) -> Self {
        let mut chain = Vec::new();
        let mut kind = None;
        let mut next = Some(error);
        while let Some(one) = next {
            kind = one.downcast_ref::<io::Error>().map(io::Error::kind).or(kind);
            chain.push(one.to_string());
            next = one.source();
        }
        let cause = if timed_out || kind == Some(io::ErrorKind::TimedOut) {
            Cause::TimedOut(limit)
        } else {
            cause(&chain, kind)
        };
        Self { cause, proxy }
    }

    /// Returns what to do, with the settings of this section in full.
    #[must_use]
    pub fn advice(&self, keys: &Keys<'_>) -> String {
        let (url, proxy) = (keys.address(), keys.proxy(self.proxy.as_ref()));
        match (&self.cause, &self.proxy) {
            (Cause::Proxy(_), _) => {
                format!(
                    "check {proxy}: address, user and password, and that the proxy may reach the host in {url}"
                )
            }
            (Cause::Refused | Cause::UnknownHost | Cause::NoRoute | Cause::TimedOut(_), Some(_)) => {
                format!("check host and port in {proxy}, and that the proxy runs")
            }
            (Cause::Refused, None) => format!(
                "check host and port in {url}; that the service runs there; and that no firewall refuses this machine"
            ),
            (Cause::UnknownHost, None) => {
                format!("check the host name in {url}, and the name resolution of this machine")
            }
            (Cause::NoRoute, None) => {
                format!(
                    "check the network of this machine and the host in {url}; where only a proxy leads out, set {proxy}"
                )
            }
            (Cause::TimedOut(_), None) => format!(
                "check host and port in {url}, and that a firewall lets this machine through; where only a proxy leads out, set {proxy}"
            ),
            (Cause::Tls(tls), _) => tls.advice(keys),
            (Cause::HungUp | Cause::Other(_), _) => {
                format!(
                    "check {url}, firewall, {proxy} and {}",
                    keys.key("network.ca_file")
                )
            }
        }
    }
}

impl Tls {
    fn advice(&self, keys: &Keys<'_>) -> String {
        let (url, ca_file) = (keys.address(), keys.key("network.ca_file"));
        match self {
            Self::Untrusted => format!(
                "where a company proxy or a private CA signs the certificates, name a PEM file with its root in {ca_file}; \
                 else somebody stands in between: do not go on"
            ),
            Self::OutOfTime(_) => {
                format!("renew the certificate of the host in {url}; check the clock of this machine")
            }
            Self::OtherName(_) => format!("write in {url} the host name for which the certificate is made"),
            Self::NotTls => format!("check port and scheme in {url}: https wants a port that speaks TLS"),
            Self::Incompatible(_) => {
                format!("the host in {url} must speak TLS 1.2 or 1.3 with a current cipher")
            }
            Self::Other(_) => format!("check the certificate of the host in {url}, and {ca_file}"),
        }
    }
}

fn cause(chain: &[String], kind: Option<io::ErrorKind>) -> Cause {
    let says = |part: &str| chain.iter().find(|text| text.contains(part));
    if says("proxy authorization required").is_some() {
        return Cause::Proxy("it wants a user and a password, or refuses these (407)");
    }
    if says("tunnel error: unsuccessful").is_some() || says("tunnel error: unexpected end of file").is_some()
    {
        return Cause::Proxy("it does not lead to this host");
    }
    if says("dns error").is_some() || says("failed to lookup address").is_some() {
        return Cause::UnknownHost;
    }
    // Without a message about certificates: the peer, mostly a firewall, refuses this connection altogether.
    if says("tls handshake eof").is_some() {
        return Cause::HungUp;
    }
    if let Some(tls) = chain.iter().rev().find_map(|text| tls(text)) {
        return Cause::Tls(tls);
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => Cause::Refused,
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => Cause::NoRoute,
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof,
        ) => Cause::HungUp,
        _ => Cause::Other(chain.last().cloned().unwrap_or_default()),
    }
}

/// Reads rustls's message by the beginnings of its sentences.
fn tls(text: &str) -> Option<Tls> {
    if let Some(reason) = text.strip_prefix("invalid peer certificate: ") {
        return Some(match reason {
            _ if reason.contains("UnknownIssuer") || reason.contains("unknown issuer") => Tls::Untrusted,
            // The error for a self-signed end entity certificate.
            _ if reason.contains("CaUsedAsEndEntity") || reason.contains("BadSignature") => Tls::Untrusted,
            _ if reason.contains("not valid yet") || reason.contains("NotValidYet") => {
                Tls::OutOfTime("is not valid yet")
            }
            _ if reason.contains("expired") || reason.contains("Expired") => Tls::OutOfTime("has expired"),
            _ if reason.contains("for name") || reason.contains("NotValidForName") => {
                Tls::OtherName(reason.to_owned())
            }
            _ => Tls::Other(reason.to_owned()),
        });
    }
    let told = |reason: &str| Some(reason.to_owned());
    if text.starts_with("received corrupt message") {
        Some(Tls::NotTls)
    } else if let Some(reason) = text.strip_prefix("peer is incompatible: ").and_then(told) {
        Some(Tls::Incompatible(reason))
    } else if text.starts_with("received fatal alert: ProtocolVersion")
        || text.starts_with("received fatal alert: HandshakeFailure")
    {
        Some(Tls::Incompatible(text.to_owned()))
    } else if [
        "received fatal alert",
        "peer misbehaved",
        "peer sent no certificates",
    ]
    .iter()
    .any(|start| text.starts_with(start))
    {
        Some(Tls::Other(text.to_owned()))
    } else {
        None
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.proxy.as_ref().map(|(shown, _)| shown);
        match (&self.cause, by) {
            (Cause::Refused, None) => write!(f, "connection refused: nothing listens there"),
            (Cause::Refused, Some(proxy)) => write!(f, "the proxy {proxy} refuses the connection"),
            (Cause::UnknownHost, None) => write!(f, "unknown host: the name has no address"),
            (Cause::UnknownHost, Some(proxy)) => {
                write!(f, "unknown host: the name of the proxy {proxy} has no address")
            }
            (Cause::NoRoute, None) => write!(f, "no route: the network does not lead there"),
            (Cause::NoRoute, Some(proxy)) => write!(f, "no route to the proxy {proxy}"),
            (Cause::TimedOut(limit), None) => {
                write!(f, "time-out: no connection within {} s", limit.as_secs_f32())
            }
            (Cause::TimedOut(limit), Some(proxy)) => {
                write!(
                    f,
                    "time-out: no connection through the proxy {proxy} within {} s",
                    limit.as_secs_f32()
                )
            }
            (Cause::Tls(tls), _) => write!(f, "TLS: {tls}"),
            (Cause::Proxy(why), proxy) => write!(
                f,
                "the proxy {} answers, but {why}",
                proxy.map_or("", String::as_str)
            ),
            (Cause::HungUp, _) => write!(f, "the other side hung up"),
            (Cause::Other(text), _) => f.write_str(text),
        }
    }
}

impl Error for Unreached {}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted => write!(f, "the certificate is not trusted: its issuer is unknown here"),
            Self::OutOfTime(how) => write!(f, "the certificate {how}"),
            Self::OtherName(text) => write!(f, "the certificate is another host's ({text})"),
            Self::NotTls => write!(f, "the service at that address does not speak TLS"),
            Self::Incompatible(text) => write!(f, "no version or cipher in common ({text})"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// The names of the settings that a hint points at, in full.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// The section, such as `jobs.idmelon.target`; empty where it is not known.
    pub section: &'a str,
    /// The key of the address in it, such as `url`.
    pub address: &'a str,
}

impl Keys<'_> {
    /// Returns a key, in full where the section is known.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        match self.section {
            "" => format!("`{}`", name.rsplit('.').next().unwrap_or(name)),
            section => format!("`{section}.{name}`"),
        }
    }

    fn address(&self) -> String {
        self.key(self.address)
    }

    /// Returns the setting that names the proxy: the variable where that one counts.
    fn proxy(&self, in_use: Option<&(String, &'static str)>) -> String {
        match in_use {
            Some((_, setting)) if *setting != "proxy" => format!("`{setting}`"),
            _ => self.key("network.proxy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys<'_> = Keys {
        section: "jobs.idmelon.target",
        address: "url",
    };

    #[test]
    fn what_rustls_says_is_read_by_its_reason() {
        for (text, expected) in [
            ("invalid peer certificate: UnknownIssuer", "not trusted"),
            ("invalid peer certificate: CaUsedAsEndEntity", "not trusted"),
            (
                "invalid peer certificate: certificate expired: verification time 2 (UNIX), but …",
                "has expired",
            ),
            (
                "invalid peer certificate: certificate not valid yet: verification time 2 (UNIX)",
                "not valid yet",
            ),
            (
                "invalid peer certificate: certificate not valid for name \"a\"; certificate is only valid for b",
                "only valid for b",
            ),
            (
                "received corrupt message of type InvalidContentType",
                "does not speak TLS",
            ),
            ("received fatal alert: ProtocolVersion", "no version"),
            (
                "peer is incompatible: ServerDoesNotSupportTls12Or13",
                "no version",
            ),
        ] {
            let shown = tls(text).map(|tls| tls.to_string()).unwrap_or_default();
            assert!(shown.contains(expected), "{text}: {shown}");
        }
        assert_eq!(tls("connection reset by peer"), None);
    }

    #[test]
    fn each_cause_names_its_setting_in_full() {
        let why = |cause, proxy: Option<&'static str>| Unreached {
            cause,
            proxy: proxy.map(|setting| ("proxy:3128".to_owned(), setting)),
        };
        for (unreached, key) in [
            (why(Cause::Refused, None), "`jobs.idmelon.target.url`"),
            (why(Cause::UnknownHost, None), "`jobs.idmelon.target.url`"),
            (
                why(Cause::TimedOut(Duration::from_secs(10)), None),
                "`jobs.idmelon.target.network.proxy`",
            ),
            (
                why(Cause::Tls(Tls::Untrusted), None),
                "`jobs.idmelon.target.network.ca_file`",
            ),
            (
                why(Cause::Refused, Some("proxy")),
                "`jobs.idmelon.target.network.proxy`",
            ),
            (why(Cause::Refused, Some("HTTPS_PROXY")), "`HTTPS_PROXY`"),
            (why(Cause::Proxy("no"), Some("HTTPS_PROXY")), "`HTTPS_PROXY`"),
        ] {
            let advice = unreached.advice(&KEYS);
            assert!(advice.contains(key), "{unreached}: {advice}");
        }
    }
}
