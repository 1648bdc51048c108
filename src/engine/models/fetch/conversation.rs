//! One request and its answer, on a thread of its own: a server that falls silent holds up that thread, and nobody who
//! wants to stop.

use std::io::{ErrorKind as IoKind, Read};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use ureq::http::{HeaderMap, StatusCode};
use ureq::{Agent, Body, RequestBuilder, typestate::WithoutBody};

use crate::error::Result;
use crate::jobs::{self, Monitor};

/// How often somebody who waits looks whether to go on.
const LOOK: Duration = Duration::from_millis(100);
const BLOCK: usize = 64 << 10;
/// Blocks that may have come and not been written yet.
const AHEAD: usize = 4;

/// What comes of a request, in this order.
pub(super) enum News {
    /// The answer's head.
    Head(StatusCode, HeaderMap),
    /// More of its body. Behind the last block the conversation is over.
    Block(Vec<u8>),
    /// It broke off, for this reason.
    Problem(String),
}

/// A request under way. One that is dropped ends by itself, at the latest when the server's time is up.
pub(super) struct Conversation<'a> {
    news: Receiver<News>,
    monitor: &'a Monitor,
}

impl<'a> Conversation<'a> {
    /// Sends `request`.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn begin(request: RequestBuilder<WithoutBody>, monitor: &'a Monitor) -> Result<Self> {
        let news = jobs::feed("download", AHEAD, move |out| converse(request, out))?;
        Ok(Self { news, monitor })
    }

    /// Waits for what comes next; `None` when all has come.
    ///
    /// # Errors
    /// When cancelled.
    pub(super) fn next(&self) -> Result<Option<News>> {
        loop {
            self.monitor.check()?;
            match self.news.recv_timeout(LOOK) {
                Ok(news) => return Ok(Some(news)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

/// Tells all that comes, until nobody listens any more.
fn converse(request: RequestBuilder<WithoutBody>, out: &Sender<News>) {
    let last = match request.call() {
        Ok(response) => {
            let (head, body) = response.into_parts();
            if out.send(News::Head(head.status, head.headers)).is_err() {
                return;
            }
            read(body, out)
        }
        Err(problem) => Some(reason(&problem)),
    };
    if let Some(reason) = last {
        // Whoever has stopped listening needs no reason.
        let _ = out.send(News::Problem(reason));
    }
}

/// Sends the body block by block; returns why it broke off, if it did.
fn read(body: Body, out: &Sender<News>) -> Option<String> {
    let mut body = body.into_reader();
    loop {
        let mut block = vec![0; BLOCK];
        match body.read(&mut block) {
            Ok(0) => return None,
            Ok(read) => {
                block.truncate(read);
                if out.send(News::Block(block)).is_err() {
                    return None;
                }
            }
            Err(problem) if problem.kind() == IoKind::Interrupted => {}
            Err(problem) => return Some(reason(&problem.into())),
        }
    }
}

/// Gives up on a server that sends nothing for `patience`.
pub(super) fn agent(patience: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .user_agent(concat!("undertone/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// What a person can do something about, in words.
fn reason(problem: &ureq::Error) -> String {
    match problem {
        ureq::Error::HostNotFound => "the server was not found".to_owned(),
        ureq::Error::Timeout(_) | ureq::Error::BodyStalled => "the server sends nothing more".to_owned(),
        ureq::Error::Io(error) => match error.kind() {
            IoKind::UnexpectedEof
            | IoKind::ConnectionReset
            | IoKind::ConnectionAborted
            | IoKind::BrokenPipe => "the connection was closed before the file ended".to_owned(),
            IoKind::ConnectionRefused => "the server takes no connections".to_owned(),
            IoKind::TimedOut | IoKind::WouldBlock => "the server sends nothing more".to_owned(),
            _ => error.to_string().replace('\n', " "),
        },
        other => other.to_string().replace('\n', " "),
    }
}
