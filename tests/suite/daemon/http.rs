//! HTTP over a Unix socket, by hand: what a client may send, and what a client should not.

use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// No answer takes longer.
const LONGEST: Duration = Duration::from_secs(60);

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body, which is one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Fails, with all of it, where the status is another.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A problem document of this status, with something to do.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        let answer = self.is(status);
        let head = answer.head.to_lowercase();
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{problem}");
        for key in ["type", "title", "detail", "do"] {
            assert!(problem[key].is_string(), "{key} in {problem}");
        }
        problem
    }
}

/// A connection to the socket.
#[track_caller]
pub fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    stream
}

/// Sends these bytes, and reads until the other side ends.
#[track_caller]
pub fn raw(socket: &Path, request: &[u8]) -> Answer {
    let mut stream = connect(socket);
    // A server that has enough ends the connection while we still write.
    let _ = stream.write_all(request);
    parsed(&read_all(&mut stream))
}

/// Everything until the other side ends.
pub fn read_all(stream: &mut UnixStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

/// A request as a client sends it.
pub fn request(method: &str, path: &str, headers: &str, body: Option<&Value>) -> String {
    let body = body.map_or_else(String::new, Value::to_string);
    let kind = if body.is_empty() {
        String::new()
    } else {
        format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        )
    };
    format!("{method} {path} HTTP/1.1\r\nHost: melonsync\r\nConnection: close\r\n{headers}{kind}\r\n{body}")
}

#[track_caller]
pub fn get(socket: &Path, path: &str) -> Answer {
    raw(socket, request("GET", path, "", None).as_bytes())
}

#[track_caller]
pub fn post(socket: &Path, path: &str, body: &Value) -> Answer {
    raw(socket, request("POST", path, "", Some(body)).as_bytes())
}

#[track_caller]
pub fn parsed(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    Answer {
        status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
        head: head.to_owned(),
        body: if chunked { joined(body) } else { body.to_owned() },
    }
}

/// A body in chunks, put together.
fn joined(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else {
            break;
        };
        let Some(chunk) = rest.get(..size) else { break };
        whole += chunk;
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}

/// The events of a stream: a name and its data each.
#[track_caller]
pub fn events(body: &str) -> Vec<(String, Value)> {
    let of = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let name = field("event: ")?;
        let data = serde_json::from_str(field("data: ").unwrap_or("null"));
        Some((
            name.to_owned(),
            data.unwrap_or_else(|error| panic!("{error} in {block}")),
        ))
    };
    body.split("\n\n").filter_map(of).collect()
}
