use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, sleep};

use super::*;
use crate::checksum::sha256_of;
use crate::jobs::testing::cancelling_at;
use crate::networks::weights::Network;

/// Longer than any answer of a server on the same computer takes, however busy it is.
const PATIENCE: Duration = Duration::from_mins(1);
/// Where a server falls silent on purpose. A busy computer may make it look silent more often, which changes nothing in
/// what comes in the end.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);

/// What the server does with one connection.
#[derive(Clone, Copy)]
enum Act {
    /// Answers as it should, with ranges.
    Serve,
    /// Closes after so many bytes of the body.
    Drop(usize),
    /// Falls silent after so many bytes of the body, for longer than anyone waits.
    Stall(usize),
    /// Sends a first thousand bytes and then nothing for ever.
    Silence,
    /// Says a length that is too great by so much.
    Exaggerate(usize),
    /// Sends without saying a length, and so many bytes too many.
    Chatter(usize),
    /// Sends another file of the same length.
    Other,
    /// Sends the whole file whatever part was asked for.
    NoRanges,
    /// Answers a request for a part with another part.
    WrongPart,
    /// Answers only this.
    Status(&'static str),
    /// Closes without an answer.
    Nothing,
}

/// A server that goes through `acts`, one a connection, and then serves as it should. It notes the ranges asked for.
struct Server {
    url: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

fn content() -> Vec<u8> {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

impl Server {
    fn start(acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/weights.bin", listener.local_addr().expect("address"));
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (noted, acts) = (Arc::clone(&ranges), acts.to_vec());
        Builder::new()
            .name("server".to_owned())
            .spawn(move || {
                let acts = acts.into_iter().chain(std::iter::repeat(Act::Serve));
                for (stream, act) in listener.incoming().zip(acts) {
                    // A client may go away at any moment.
                    let _ = answer(&stream.expect("connection"), act, &noted);
                }
            })
            .expect("thread");
        Self { url, ranges }
    }

    fn source(&self) -> Source {
        Source {
            name: "weights".to_owned(),
            network: Network::Vggish,
            url: self.url.clone(),
            bytes: None,
            sha256: Some(sha256_of(content())),
            licence: "MIT".to_owned(),
            origin: "a test".to_owned(),
        }
    }

    fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().expect("ranges").clone()
    }
}

fn answer(stream: &TcpStream, act: Act, ranges: &Mutex<Vec<Option<usize>>>) -> std::io::Result<()> {
    let mut out = stream;
    let (mut range, mut condition) = (None, None);
    for line in BufReader::new(stream).lines() {
        let line = line?.to_lowercase();
        if let Some(from) = line.strip_prefix("range: bytes=") {
            range = from.trim_end_matches('-').parse::<usize>().ok();
        } else if let Some(tag) = line.strip_prefix("if-range: ") {
            condition = Some(tag.to_owned());
        } else if line.is_empty() {
            break;
        }
    }
    ranges.lock().expect("ranges").push(range);
    assert_eq!(condition.is_some(), range.is_some());
    let mut body = content();
    let whole = body.len();
    let mut from = range.unwrap_or(0);
    let mut claimed_from = from;
    let mut extra = 0;
    match act {
        Act::Status(status) => return write!(out, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"),
        Act::Nothing => return Ok(()),
        Act::Chatter(more) => {
            body.extend(vec![7; more]);
            write!(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            return out.write_all(&body);
        }
        Act::NoRanges => (from, claimed_from, range) = (0, 0, None),
        Act::WrongPart => claimed_from += 1,
        Act::Other => body.iter_mut().for_each(|byte| *byte ^= 1),
        Act::Exaggerate(more) => extra = more,
        _ => {}
    }
    let length = whole - from + extra;
    match range {
        Some(_) => write!(
            out,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {claimed_from}-{}/{whole}\r\n",
            whole - 1
        )?,
        None => write!(out, "HTTP/1.1 200 OK\r\n")?,
    }
    write!(out, "ETag: \"one\"\r\nContent-Length: {length}\r\n\r\n")?;
    match act {
        Act::Drop(bytes) => out.write_all(&body[from..(from + bytes).min(whole)]),
        Act::Silence => {
            out.write_all(&body[..1000])?;
            loop {
                std::thread::park();
            }
        }
        Act::Stall(bytes) => {
            out.write_all(&body[from..(from + bytes).min(whole)])?;
            let held = stream.try_clone()?;
            Builder::new().spawn(move || {
                sleep(LITTLE_PATIENCE * 5);
                drop(held);
            })?;
            Ok(())
        }
        _ => out.write_all(&body[from..]),
    }
}

struct Desk {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("weights.bin");
        Self { folder, file }
    }

    fn fetch(&self, source: &Source) -> Result<()> {
        fetch(source, &self.file, PATIENCE, &Monitor::silent())
    }

    /// Names in the folder, in order.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .expect("list")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Whatever a server does first, the right file comes in the end, and nothing else stays.
#[test]
fn a_broken_transfer_goes_on_where_it_stopped() -> Result<()> {
    let check = |acts: &[Act], ranges: &[Option<usize>]| -> Result<()> {
        let (server, desk) = (Server::start(acts), Desk::new());
        desk.fetch(&server.source())?;
        assert_eq!(fs::read(&desk.file).expect("read"), content());
        assert_eq!(desk.names(), ["weights.bin"]);
        assert_eq!(server.ranges(), ranges);
        Ok(())
    };
    check(&[], &[None])?;
    check(&[Act::Drop(1000)], &[None, Some(1000)])?;
    check(
        &[Act::Drop(100_000), Act::Drop(100_000), Act::Drop(50_000)],
        &[None, Some(100_000), Some(200_000), Some(250_000)],
    )?;
    check(&[Act::Drop(1000), Act::NoRanges], &[None, Some(1000)])?;
    check(&[Act::Drop(1000), Act::WrongPart], &[None, Some(1000), None])?;
    check(&[Act::Nothing, Act::Status("503 Busy")], &[None, None, None])?;
    Ok(())
}

#[test]
fn a_stalled_transfer_is_noticed_and_goes_on() -> Result<()> {
    let (server, desk) = (Server::start(&[Act::Stall(5000)]), Desk::new());
    fetch(&server.source(), &desk.file, LITTLE_PATIENCE, &Monitor::silent())?;
    assert_eq!(fs::read(&desk.file).expect("read"), content());
    assert_eq!(server.ranges()[..2], [None, Some(5000)]);
    Ok(())
}

#[test]
fn a_wrong_file_is_thrown_away() {
    let check = |acts: &[Act], change: &dyn Fn(&mut Source)| {
        let (server, desk) = (Server::start(acts), Desk::new());
        let mut source = server.source();
        change(&mut source);
        let error = desk.fetch(&source).expect_err("another file");
        assert_eq!(error.kind(), ErrorKind::Pack, "{error}");
        assert!(error.to_string().contains("another file"), "{error}");
        assert_eq!(desk.names(), [""; 0]);
    };
    check(&[Act::Other], &|_| {});
    check(&[Act::Chatter(10)], &|_| {});
    check(&[Act::Chatter(10)], &|source| source.bytes = Some(300_000));
    check(&[Act::Serve], &|source| source.bytes = Some(299_999));
    // The beginning of a checksum is all that some publish.
    check(&[Act::Serve], &|source| {
        source.sha256 = Some("00000000".to_owned());
    });
    // The second half of another file behind the first half of this one.
    check(&[Act::Drop(150_000), Act::Other], &|_| {});
}

#[test]
fn a_server_that_cannot_is_given_up_and_what_came_is_kept() -> Result<()> {
    let (server, desk) = (
        Server::start(&[Act::Drop(2000), Act::Nothing, Act::Nothing, Act::Nothing]),
        Desk::new(),
    );
    let error = desk.fetch(&server.source()).expect_err("nothing comes");
    assert!(error.to_string().contains("run it again"), "{error}");
    assert_eq!(desk.names(), ["weights.bin.part", "weights.bin.part.tag"]);
    desk.fetch(&server.source())?;
    assert_eq!(server.ranges().last(), Some(&Some(2000)));
    assert_eq!(fs::read(&desk.file).expect("read"), content());

    let lies = Server::start(&[Act::Exaggerate(500); 8]);
    let error = Desk::new().fetch(&lies.source()).expect_err("it never ends");
    assert!(!error.to_string().contains('\n'), "{error}");

    let gone = Server::start(&[Act::Status("404 Not Found")]);
    let error = Desk::new().fetch(&gone.source()).expect_err("gone");
    assert!(
        error.to_string().contains("404") && error.to_string().contains("models import"),
        "{error}"
    );

    let nobody = Source {
        url: "http://127.0.0.1:9/weights.bin".to_owned(),
        ..server.source()
    };
    let error = Desk::new().fetch(&nobody).expect_err("nobody listens");
    assert!(error.to_string().contains("connection"), "{error}");
    Ok(())
}

#[test]
fn a_cancel_keeps_what_came() {
    let (server, desk) = (Server::start(&[]), Desk::new());
    let monitor = cancelling_at(0.4);
    let error = fetch(&server.source(), &desk.file, PATIENCE, &monitor).expect_err("cancelled");
    assert!(error.is_cancelled(), "{error}");
    desk.fetch(&server.source()).expect("the rest");
    assert!(server.ranges()[1].is_some_and(|from| from > 100_000));
    assert_eq!(fs::read(&desk.file).expect("read"), content());
}

/// The server is waited for longer than any test may take.
#[test]
fn a_cancel_does_not_wait_for_a_silent_server() {
    let (server, desk) = (Server::start(&[Act::Silence]), Desk::new());
    let monitor = cancelling_at(f32::MIN_POSITIVE);
    let forever = Duration::from_hours(1);
    let error = fetch(&server.source(), &desk.file, forever, &monitor).expect_err("cancelled");
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(desk.names(), ["weights.bin.part", "weights.bin.part.tag"]);
}
