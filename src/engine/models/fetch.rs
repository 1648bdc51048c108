//! One file from a server that may stall, lie or drop the connection.
//!
//! What has come lies in `<file>.part`, with the server's name for that version of the file (its `ETag` or
//! `Last-Modified`) in `<file>.part.tag`. A transfer goes on where the last one stopped, if the server says that the file
//! is still the same; nothing is used before size and sha256 are right; then the part is renamed.

mod conversation;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as IoKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};

use self::conversation::{Conversation, News};
use super::Source;
use crate::checksum::sha256_of_file;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;

/// Connections in a row that bring nothing before the download gives up.
const FRUITLESS_MAX: u32 = 3;
/// A server that sends a little and breaks off, over and over, is given up too.
const CONNECTIONS_MAX: u32 = 200;
/// No checkpoint of the networks here is larger.
const BYTES_MAX: u64 = 4 << 30;

/// Brings `source` to `file`. `patience` is how long the server may send nothing.
///
/// # Errors
/// When the server cannot be reached, refuses, stalls or breaks off too often (what came is kept for the next time); when
/// size or sha256 are not those published (what came is thrown away); disk full; cancelled (what came is kept).
pub(super) fn fetch(source: &Source, file: &Path, patience: Duration, monitor: &Monitor) -> Result<()> {
    let transfer = Transfer {
        source,
        part: with_ending(file, ".part"),
        tag: with_ending(file, ".part.tag"),
        agent: conversation::agent(patience),
        monitor,
    };
    transfer.run()?;
    monitor.progress("Checking the download", None);
    transfer.verify()?;
    fs::rename(&transfer.part, file).map_err(|source| Error::io(file, "write", source))?;
    forget(&transfer.tag);
    Ok(())
}

/// Bytes of an interrupted download that the next one can go on from.
pub(super) fn came_bytes(file: &Path) -> u64 {
    if !with_ending(file, ".part.tag").exists() {
        return 0;
    }
    fs::metadata(with_ending(file, ".part")).map_or(0, |metadata| metadata.len())
}

/// Throws away what came of an interrupted download.
pub(super) fn discard(file: &Path) {
    forget(&with_ending(file, ".part"));
    forget(&with_ending(file, ".part.tag"));
}

/// `file` with more behind its name.
fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

struct Transfer<'a> {
    source: &'a Source,
    part: PathBuf,
    tag: PathBuf,
    agent: Agent,
    monitor: &'a Monitor,
}

/// How one connection ended.
enum Ended {
    /// All of the file has come.
    Whole,
    /// It broke off, for this reason.
    Broken(String),
}

impl Transfer<'_> {
    fn run(&self) -> Result<()> {
        let mut fruitless = 0;
        for _ in 0..CONNECTIONS_MAX {
            self.monitor.check()?;
            let before = self.length();
            let reason = match self.connection(before)? {
                Ended::Whole => return Ok(()),
                Ended::Broken(reason) => reason,
            };
            fruitless = if self.length() > before { 0 } else { fruitless + 1 };
            tracing::info!(url = %self.source.url, %reason, "a download broke off");
            if fruitless == FRUITLESS_MAX {
                return Err(self.failed(&reason));
            }
        }
        Err(self.failed("the server breaks off after every few bytes"))
    }

    /// Bytes that have come.
    fn length(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |metadata| metadata.len())
    }

    fn connection(&self, have: u64) -> Result<Ended> {
        if have > 0 && self.source.bytes == Some(have) {
            return Ok(Ended::Whole);
        }
        let mut request = self.agent.get(&self.source.url);
        let tag = fs::read_to_string(&self.tag).ok();
        if let (1.., Some(tag)) = (have, &tag) {
            request = request
                .header("Range", format!("bytes={have}-"))
                .header("If-Range", tag);
        }
        let conversation = Conversation::begin(request, self.monitor)?;
        let (status, headers) = match conversation.next()? {
            Some(News::Head(status, headers)) => (status, headers),
            Some(News::Problem(reason)) => return Ok(Ended::Broken(reason)),
            Some(News::Block(_)) | None => return Ok(Ended::Broken("it did not answer".to_owned())),
        };
        let (from, total) = match status {
            StatusCode::OK => (0, content_length(&headers)),
            StatusCode::PARTIAL_CONTENT => match content_range(&headers) {
                Some((from, total)) if from == have => (have, total),
                _ => {
                    forget(&self.part);
                    return Ok(Ended::Broken(
                        "it sent another part than was asked for".to_owned(),
                    ));
                }
            },
            StatusCode::RANGE_NOT_SATISFIABLE => {
                forget(&self.part);
                return Ok(Ended::Broken(
                    "it has less of the file than came before".to_owned(),
                ));
            }
            status if status.is_server_error() => return Ok(Ended::Broken(format!("it answered {status}"))),
            status => {
                return Err(Error::new(
                    ErrorKind::Input,
                    format!(
                        "{} answered {status}; the file may have moved: get it by hand and use models import",
                        self.source.url
                    ),
                ));
            }
        };
        let total = match (total, self.source.bytes) {
            (Some(said), Some(published)) if said != published => return Err(self.another_file()),
            (said, published) => said.or(published),
        };
        if total.is_some_and(|total| total > BYTES_MAX) {
            return Err(self.another_file());
        }
        self.receive(&conversation, &headers, from, total)
    }

    /// Writes the body behind the first `from` bytes.
    fn receive(
        &self,
        conversation: &Conversation<'_>,
        headers: &HeaderMap,
        from: u64,
        total: Option<u64>,
    ) -> Result<Ended> {
        let write = |source| Error::io(&self.part, "write", source);
        let mut out = if from == 0 {
            // Without a name for its version a part cannot be gone on with.
            match version(headers) {
                Some(tag) => fs::write(&self.tag, tag).map_err(write)?,
                None => forget(&self.tag),
            }
            File::create(&self.part)
        } else {
            OpenOptions::new().append(true).open(&self.part)
        }
        .map_err(write)?;
        let mut have = from;
        let ended = loop {
            let block = match conversation.next()? {
                Some(News::Block(block)) => block,
                Some(News::Problem(reason)) => break Ended::Broken(reason),
                Some(News::Head(..)) | None => break Ended::Whole,
            };
            have += block.len() as u64;
            if have > total.unwrap_or(BYTES_MAX) {
                return Err(self.another_file());
            }
            out.write_all(&block).map_err(write)?;
            let fraction = total.map(|total| have as f32 / total.max(1) as f32);
            self.monitor.progress("Downloading", fraction);
        };
        out.sync_all().map_err(write)?;
        if matches!(ended, Ended::Whole) && total.is_some_and(|total| have < total) {
            return Ok(Ended::Broken("it ended before the file did".to_owned()));
        }
        Ok(ended)
    }

    /// That what came is what was published.
    fn verify(&self) -> Result<()> {
        let Some(published) = &self.source.sha256 else {
            return Ok(());
        };
        let file = File::open(&self.part).map_err(|source| Error::io(&self.part, "read", source))?;
        let sha256 = sha256_of_file(&self.part, file, &mut |_| self.monitor.check())?;
        if sha256.starts_with(published.as_str()) {
            Ok(())
        } else {
            Err(self.another_file())
        }
    }

    fn failed(&self, reason: &str) -> Error {
        let came = match self.length() {
            0 => String::new(),
            bytes => format!(" after {:.1} MB", bytes as f64 / 1e6),
        };
        Error::new(
            ErrorKind::Io,
            format!(
                "{}: the download broke off{came}: {reason}; check the connection and run it again, it goes on from there",
                self.source.url
            ),
        )
    }

    /// Throws away what came.
    fn another_file(&self) -> Error {
        forget(&self.part);
        forget(&self.tag);
        Error::pack(format!(
            "{} sends another file than was published as {}, so it was thrown away; try again later, or get the file \
             elsewhere and use models import",
            self.source.url, self.source.name
        ))
    }
}

fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != IoKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a part of a download could not be removed");
    }
}

/// What the server calls this version of the file. A weak tag names no bytes.
fn version(headers: &HeaderMap) -> Option<&str> {
    ["etag", "last-modified"]
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok())
        .find(|tag| !tag.starts_with("W/"))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}

/// First byte and whole size of `bytes 5-9/10`; the size may be `*`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get("content-range")?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((from.parse().ok()?, total))
}

#[cfg(test)]
mod tests;
