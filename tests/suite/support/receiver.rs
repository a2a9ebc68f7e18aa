//! A receiver of notifications on loopback: it keeps what it is sent, and answers as it is told.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;

use serde_json::Value;

/// One POST.
#[derive(Debug, Clone)]
pub struct Received {
    /// The header lines, in lower case.
    pub head: String,
    pub body: String,
}

impl Received {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// It ends with the process of the test.
pub struct Receiver {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<Vec<&'static str>>>,
}

const DONE: &str = "200 OK";

impl Receiver {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let answers = Arc::<Mutex<Vec<&'static str>>>::default();
        let (kept, told) = (Arc::clone(&received), Arc::clone(&answers));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Some(one) = read(&stream) {
                    kept.lock().unwrap().push(one);
                }
                let answer = told.lock().unwrap().pop().unwrap_or(DONE);
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
            }
        });
        Self {
            address,
            received,
            answers,
        }
    }

    /// Its address, with a path that is as secret as a webhook's.
    pub fn url(&self) -> String {
        format!("http://{}/hooks/s3cret-path", self.address)
    }

    /// The next answers, status lines with headers; after them it takes everything.
    pub fn answers(&self, answers: &[&'static str]) {
        *self.answers.lock().unwrap() = answers.iter().rev().copied().collect();
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        head.push_str(&line.to_lowercase());
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Received { head, body })
}
