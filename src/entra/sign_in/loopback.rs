//! The door at which the browser comes back: one port on 127.0.0.1, open until one answer with our `state` came.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use url::Url;

use super::CODE_OR_TOKEN;
use super::NotSignedIn;
use crate::entra::fault::shortened;

/// The longest request in bytes.
const LONGEST: u64 = 16 * 1024;
/// As long may a request take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Door {
    listener: TcpListener,
    port: u16,
}

impl Door {
    /// Opens a free port.
    pub(super) async fn open() -> Result<Self, NotSignedIn> {
        let closed = |error: std::io::Error| NotSignedIn {
            what: format!("no port can be opened on 127.0.0.1 ({error})"),
            hint: CODE_OR_TOKEN.to_owned(),
            elsewhere: true,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(closed)?;
        let port = listener.local_addr().map_err(closed)?.port();
        Ok(Self { listener, port })
    }

    /// Returns the address that a public client may name with any port.
    pub(super) fn address(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits for the answer with this `state`, and returns its code. Whatever else comes is sent away.
    pub(super) async fn answer(&self, state: &str) -> Result<String, NotSignedIn> {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                continue;
            };
            let asked = tokio::time::timeout(ARRIVES_WITHIN, asked(&mut stream)).await;
            let Ok(Some(asked)) = asked else { continue };
            let field = |name: &str| {
                let found = asked.query_pairs().find(|(key, _)| key == name);
                found.map(|(_, value)| value.into_owned())
            };
            if field("state").as_deref() != Some(state) {
                say(
                    &mut stream,
                    "404 Not Found",
                    "This is not the answer that is waited for.",
                )
                .await;
                continue;
            }
            if let Some(code) = field("code") {
                say(
                    &mut stream,
                    "200 OK",
                    "You are signed in. Close this page and go back to the terminal.",
                )
                .await;
                return Ok(code);
            }
            say(
                &mut stream,
                "200 OK",
                "Nobody was signed in. Close this page and go back to the terminal.",
            )
            .await;
            let what = field("error_description")
                .or_else(|| field("error"))
                .unwrap_or_default();
            return Err(NotSignedIn {
                what: format!("Entra answered {}", shortened(&what)),
                hint: CODE_OR_TOKEN.to_owned(),
                elsewhere: false,
            });
        }
    }
}

/// Reads the first line of a request; `None` for anything but a GET.
async fn asked(stream: &mut TcpStream) -> Option<Url> {
    let mut head = Vec::new();
    let mut limited = stream.take(LONGEST);
    let mut some = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = limited.read(&mut some).await.ok()?;
        if count == 0 {
            return None;
        }
        head.extend_from_slice(&some[..count]);
    }
    let text = std::str::from_utf8(&head).ok()?;
    let path = text.strip_prefix("GET ")?.split(' ').next()?;
    Url::parse("http://localhost").ok()?.join(path).ok()
}

async fn say(stream: &mut TcpStream, status: &str, words: &str) {
    let page = format!(
        "<!DOCTYPE html><html><head><title>melonsync</title></head><body><p>{words}</p></body></html>"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    // Whether the page is seen changes nothing.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
