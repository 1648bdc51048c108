//! The one error of the program: a kind for the caller, a sentence for the
//! person.
//!
//! The sentence says what was wrong with which input and what to do. It is
//! written where the failure is understood and shown once, by the window or by
//! the command line; nothing in between rewrites it.

use std::fmt;
use std::io;
use std::path::Path;

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller may want to tell apart. People read the sentence instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A file or an argument that the user gave cannot be used.
    Input,
    /// A GStreamer plug-in that the file needs is not installed.
    MissingPlugin,
    /// A pack or checkpoint is missing, damaged or of another shape.
    Pack,
    /// The library file cannot be used, or is from a newer version.
    Library,
    /// Reading or writing failed: permission, full disk, vanished drive.
    Io,
    /// The compute or sound device failed.
    Device,
    /// The compute device has not enough memory for what was asked of it at once.
    Memory,
    /// The job was cancelled by the user.
    Cancelled,
    /// A promise the program made to itself was broken.
    Internal,
}

/// An error with one sentence for the person.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` whose whole sentence is `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// A user's file cannot be used: "`name`: problem".
    pub fn input(path: &Path, problem: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Input, format!("{}: {problem}", path.display()))
    }

    /// A pack or checkpoint cannot be used.
    pub fn pack(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Pack, message)
    }

    /// The library cannot be used.
    pub fn library(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Library, message)
    }

    /// The user cancelled.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// A broken promise of the program itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// An I/O failure while doing `action` ("read", "open"; "write", "create" for what need not be there before) to
    /// `path`, with what to do about the common causes.
    pub fn io(path: &Path, action: &str, source: io::Error) -> Self {
        let name = path.display();
        let message = match source.kind() {
            io::ErrorKind::NotFound if matches!(action, "write" | "create") => {
                format!("{name}: its folder is not there; check the path")
            }
            io::ErrorKind::NotFound => format!("{name}: there is no such file or folder; check the path"),
            io::ErrorKind::AlreadyExists => {
                format!("{name}: a file of this name is there already; choose another name")
            }
            io::ErrorKind::NotADirectory => {
                format!("{name}: a part of this path is a file and no folder; check the path")
            }
            io::ErrorKind::PermissionDenied => {
                format!(
                    "{name}: no permission to {action} it; change its permissions or choose another place"
                )
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                format!("{name}: the disk is full; free some space and try again")
            }
            io::ErrorKind::IsADirectory => format!("{name}: is a folder; give a file"),
            io::ErrorKind::ReadOnlyFilesystem => {
                format!("{name}: the disk is read-only; choose another place")
            }
            _ => format!("{name}: could not {action} it ({source}); check the disk and try again"),
        };
        Self {
            kind: ErrorKind::Io,
            message,
            source: Some(Box::new(source)),
        }
    }

    /// Keeps `source` for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a caller may want to tell apart.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether there is no room left to write to, so that nothing else will be written either.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let source = self
            .source
            .as_deref()
            .and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|source| matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }

    /// Whether the user asked for this.
    pub fn is_cancelled(&self) -> bool {
        self.kind == ErrorKind::Cancelled
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<candle_core::Error> for Error {
    /// Tensor arithmetic fails only by a bug, a bad pack or a lost device; the
    /// first line of candle's text says which.
    fn from(source: candle_core::Error) -> Self {
        let text = source.to_string();
        let line = text.lines().next().unwrap_or("unknown failure").to_owned();
        let lower = line.to_lowercase();
        if lower.contains("out of memory") || lower.contains("out_of_memory") {
            return Self::new(
                ErrorKind::Memory,
                "the device ran out of memory; close other programs or choose the CPU in the settings",
            )
            .with_source(source);
        }
        Self::new(ErrorKind::Internal, format!("the network failed: {line}")).with_source(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_say_what_to_do() {
        let check = |kind: io::ErrorKind, expected: &str| {
            let error = Error::io(Path::new("a.mp4"), "read", io::Error::from(kind));
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!error.to_string().contains('\n'));
        };
        check(io::ErrorKind::NotFound, "no such file");
        check(io::ErrorKind::AlreadyExists, "another name");
        check(io::ErrorKind::NotADirectory, "no folder");
        check(io::ErrorKind::PermissionDenied, "permission");
        check(io::ErrorKind::StorageFull, "disk is full");
        check(io::ErrorKind::IsADirectory, "folder");
        let missing = io::Error::from(io::ErrorKind::NotFound);
        let error = Error::io(Path::new("a/b.mp4"), "write", missing);
        assert_eq!(
            error.to_string(),
            "a/b.mp4: its folder is not there; check the path"
        );
    }
}
