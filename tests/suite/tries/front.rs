//! A server in front of a sandbox's, as a proxy or a service of another maker would be: it passes everything on, but for the requests
//! that a test has it answer by itself.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;

/// What is answered in place of the service.
struct Answer {
    /// Only where the request, head and body, holds all of these; of several with `|` between them, one.
    holds: Vec<String>,
    bytes: Vec<u8>,
}

/// See the module.
pub struct Front {
    /// Its address, without a path.
    pub url: String,
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Front {
    /// In front of the server at this address.
    pub fn of(url: &str) -> Self {
        let behind: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let shared = Arc::clone(&answers);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A client that hangs up in the middle is its own affair.
                    let _ = serve(client, behind, &shared);
                });
            }
        });
        Self { url, answers }
    }

    /// Answers requests that hold all of these texts with this status, these header lines and this body.
    pub fn answers(&self, holds: &[&str], status: u16, headers: &str, body: &str) {
        self.answers.lock().unwrap().push(Answer {
            holds: holds.iter().map(|text| (*text).to_owned()).collect(),
            bytes: plain(status, headers, body).into_bytes(),
        });
    }

    /// Passes everything on again.
    pub fn passes(&self) {
        self.answers.lock().unwrap().clear();
    }
}

fn plain(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

fn serve(mut client: TcpStream, behind: SocketAddr, answers: &Mutex<Vec<Answer>>) -> std::io::Result<()> {
    let (head, body) = request(&mut client)?;
    let whole = format!("{head}\r\n\r\n{}", String::from_utf8_lossy(&body));
    if let Some(bytes) = taken(answers, &whole) {
        client.write_all(&bytes)?;
        return client.flush();
    }
    let mut server = TcpStream::connect(behind)?;
    let kept = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    std::io::copy(&mut server, &mut client)?;
    client.flush()
}

/// The answer to this request, where it is not passed on.
fn taken(answers: &Mutex<Vec<Answer>>, whole: &str) -> Option<Vec<u8>> {
    let holds = |text: &String| text.split('|').any(|one| whole.contains(one));
    let answers = answers.lock().unwrap();
    let meant = answers.iter().find(|one| one.holds.iter().all(holds));
    meant.map(|one| one.bytes.clone())
}

/// Head and body of one request.
fn request(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let (mut read, mut chunk) = (Vec::new(), [0; 16 << 10]);
    let end = loop {
        if let Some(end) = read.windows(END.len()).position(|part| part == END) {
            break end;
        }
        let length = client.read(&mut chunk)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        read.extend(&chunk[..length]);
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut body = read.split_off(end + END.len());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    while body.len() < length.unwrap_or(0) {
        let length = client.read(&mut chunk)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        body.extend(&chunk[..length]);
    }
    Ok((head, body))
}
