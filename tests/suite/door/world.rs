//! A daemon that listens at an address, and those who hold its tokens.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;

use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use rustix::process::Signal;
use serde_json::Value;

use crate::cli_output::world::World;
use crate::daemon::http;
use crate::daemon::http::Answer;
use crate::daemon::world::Daemon;
use crate::daemon::world::SELDOM;

/// The tokens of the three roles.
pub const VIEWER: &str = "viewer-0123456789abcdef0123456789abcdef";
pub const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";
pub const APPROVER: &str = "approver-0123456789abcdef0123456789abcdef";

/// No answer takes longer.
const LONGEST: Duration = Duration::from_secs(60);

/// The daemon, and where it listens.
pub struct Door {
    pub daemon: Daemon,
    pub port: u16,
}

/// A world whose config has `[admin]` with the three tokens, with this added to it.
pub fn world_with(more: &str) -> (World, u16) {
    let world = World::of(Tenant::sample_with(SampleOptions {
        users: 3,
        groups: 1,
        plain: true,
        ..SampleOptions::default()
    }));
    let port = free_port();
    tokens(&world);
    let config = world
        .config()
        .replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"));
    world.write(&format!("{}\n{config}", admin(port, more)));
    (world, port)
}

/// Writes the files of the three tokens.
pub fn tokens(world: &World) {
    for (name, token) in [("viewer", VIEWER), ("operator", OPERATOR), ("approver", APPROVER)] {
        fs::write(world.path(name), token).unwrap();
    }
}

/// `[admin]` with the three tokens, with this added to it.
pub fn admin(port: u16, more: &str) -> String {
    let named = |name: &str, role: &str| {
        format!("[[admin.tokens]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken = {{ file = \"{role}\" }}\n")
    };
    format!(
        "[admin]\nlisten = \"127.0.0.1:{port}\"\ntoken = {{ file = \"approver\" }}\n{more}\n{}{}",
        named("lookout", "viewer"),
        named("helpdesk", "operator")
    )
}

/// A port that nobody uses.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

impl Door {
    pub fn new() -> Self {
        Self::with("")
    }

    /// With this added to `[admin]`.
    pub fn with(more: &str) -> Self {
        let (world, port) = world_with(more);
        Self {
            daemon: Daemon::over(world),
            port,
        }
    }

    #[track_caller]
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        stream
    }

    /// Sends these bytes, and reads until the other side ends.
    #[track_caller]
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        let _ = stream.write_all(request);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        http::parsed(&all)
    }

    /// A request with these headers and no others but the host.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: Option<&Value>) -> Answer {
        let request = http::request(method, path, headers, body);
        let host = format!("Host: 127.0.0.1:{}", self.port);
        self.raw(request.replace("Host: melonsync", &host).as_bytes())
    }

    /// A request of whoever holds a token.
    #[track_caller]
    pub fn with_token(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask(method, path, &bearer(token), body)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.with_token(VIEWER, "GET", path, None)
    }

    /// A form, as our own page sends it, with these headers more.
    #[track_caller]
    pub fn form(&self, path: &str, headers: &str, fields: &str) -> Answer {
        let port = self.port;
        let origin = if headers.contains("Origin:") {
            String::new()
        } else {
            format!("Origin: http://127.0.0.1:{port}\r\n")
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{origin}{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{fields}",
            fields.len()
        );
        self.raw(request.as_bytes())
    }

    /// The headers of a browser that asks from a page of ours, in this session.
    pub fn cookie(&self, id: &str) -> String {
        format!(
            "Cookie: __Host-melonsync={id}\r\nOrigin: http://127.0.0.1:{}\r\n",
            self.port
        )
    }

    /// Logs in. Returns the headers of the session.
    #[track_caller]
    pub fn login(&self, token: &str) -> String {
        let answer = self.form("/session", "", &format!("token={token}")).is(303);
        let (_, rest) = answer.head.split_once("__Host-melonsync=").expect("a cookie");
        self.cookie(&rest[..64])
    }

    /// Has the settings read again.
    pub fn reload(&self) {
        self.daemon.signal(Signal::HUP);
    }
}

/// The header with a token.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}
