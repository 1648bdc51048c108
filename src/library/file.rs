//! The library's file: opening, versions, and what its failures mean.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, ffi};

use crate::error::{Error, ErrorKind, Result};

/// How long a statement waits for another program that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// "UNDT" in the file's header, so that another program's database is not taken for a library.
const APPLICATION_ID: i32 = 0x554E_4454;

/// The scripts that bring a file from version n to n + 1.
const MIGRATIONS: [&str; 1] = [include_str!("schema_1.sql")];

/// The version this program writes.
const VERSION: i32 = MIGRATIONS.len() as i32;

/// What the first bytes of a file say, without opening it as a database: a file that is refused must stay as it is,
/// and SQLite may write to one by opening it.
#[derive(Debug, PartialEq, Eq)]
enum Header {
    /// No file yet, or an empty one.
    New,
    /// A database of ours, of this version.
    Ours { version: i32 },
    /// Something else.
    Foreign,
}

fn read_header(path: &Path) -> Result<Header> {
    const LENGTH: usize = 72;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Header::New),
        Err(source) => return Err(Error::io(path, "open", source)),
    };
    let mut bytes = Vec::with_capacity(LENGTH);
    file.take(LENGTH as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io(path, "read", source))?;
    if bytes.is_empty() {
        return Ok(Header::New);
    }
    // https://www.sqlite.org/fileformat2.html#the_database_header
    let number = |at: usize| {
        bytes.get(at..at + 4).map(|field| {
            field
                .iter()
                .fold(0_i32, |number, &byte| number << 8 | i32::from(byte))
        })
    };
    match (bytes.starts_with(b"SQLite format 3\0"), number(60), number(68)) {
        (true, Some(version), Some(APPLICATION_ID)) => Ok(Header::Ours { version }),
        // Another program may be between creating the file and its first commit; `migrate` looks again.
        (true, Some(0), Some(0)) => Ok(Header::New),
        _ => Ok(Header::Foreign),
    }
}

/// Files that this process has opened as a database. They are never again read past SQLite: whoever closes a file drops
/// all locks that the process holds on it (<https://www.sqlite.org/howtocorrupt.html>, 2.2), and another program would then
/// take itself for the last user and throw the write-ahead log away.
static OPENED: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// Opens or creates the file at `path` and brings it to [`VERSION`].
pub(super) fn open(path: &Path) -> Result<Connection> {
    // Held until the connection stands, so that nobody reads a header in the meantime.
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = std::fs::canonicalize(path).is_ok_and(|path| opened.contains(&path));
    if !known {
        match read_header(path)? {
            Header::New | Header::Ours { version: 0..=VERSION } => {}
            Header::Ours { version } => return Err(newer(path, version)),
            Header::Foreign => return Err(foreign(path)),
        }
    }
    let connection = connect(path).map_err(|failure| match failure {
        Failure::Sql(source) => explain(path, source),
        Failure::Newer(version) => newer(path, version),
        Failure::Foreign => foreign(path),
    })?;
    opened.extend(std::fs::canonicalize(path));
    Ok(connection)
}

enum Failure {
    Sql(rusqlite::Error),
    Newer(i32),
    Foreign,
}

impl From<rusqlite::Error> for Failure {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sql(source)
    }
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // An embedding fills 2 KiB; pages of 16 KiB hold seven where the default of 4 KiB holds one. Only a new file
    // takes it.
    connection.pragma_update(None, "page_size", 16_384)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Before WAL, so that the header of the file itself says whose it is and of which version.
    migrate(&mut connection)?;
    use_wal(&connection)?;
    // FULL: what was reported done survives a loss of power as well as a kill.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Switching to WAL needs the file alone and does not wait by itself; two programs that start at once meet here.
fn use_wal(connection: &Connection) -> Result<(), rusqlite::Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error) if is_busy(&error) && waited < BUSY_TIMEOUT => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            result => return result,
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    if version_of(connection)? == VERSION {
        return Ok(());
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    // Another program may have migrated while this one waited for its turn.
    let version = version_of(&transaction)?;
    let Some(pending) = usize::try_from(version)
        .ok()
        .and_then(|done| MIGRATIONS.get(done..))
    else {
        return Err(Failure::Newer(version));
    };
    if version == 0 && !is_empty(&transaction)? {
        return Err(Failure::Foreign);
    }
    for script in pending {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

fn version_of(connection: &Connection) -> Result<i32, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn is_empty(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| row.get(0))
}

fn foreign(path: &Path) -> Error {
    Error::library(format!(
        "{}: is not a library of Undertone; name another file with --library",
        path.display()
    ))
}

fn newer(path: &Path, version: i32) -> Error {
    Error::library(format!(
        "{}: the library is of version {version} and this program knows version {VERSION}; update Undertone or name \
         another file with --library",
        path.display()
    ))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// What a failure of SQLite means to the person.
pub(super) fn explain(path: &Path, source: rusqlite::Error) -> Error {
    let name = path.display();
    let extended = source.sqlite_error().map_or(0, |error| error.extended_code);
    let (kind, message) = match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Library,
            format!(
                "{name}: another program keeps the library locked; wait until it has finished, or close it, and \
                 try again"
            ),
        ),
        // Unknown: a table or a column that is not there, because someone else changed the file.
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
            (ErrorKind::Library, damaged(path))
        }
        Some(ErrorCode::DiskFull) => (
            ErrorKind::Io,
            format!("{name}: the disk is full; free some space and try again"),
        ),
        Some(ErrorCode::SystemIoFailure)
            if matches!(extended, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) =>
        {
            (
                ErrorKind::Io,
                format!("{name}: the library cannot grow, the disk is full; free some space and try again"),
            )
        }
        Some(ErrorCode::SystemIoFailure) => (
            ErrorKind::Io,
            format!("{name}: the disk failed under the library; check that it is still there and try again"),
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            ErrorKind::Io,
            format!(
                "{name}: no permission to write the library; change the permissions of its folder or name another \
                 file with --library"
            ),
        ),
        _ => (
            ErrorKind::Internal,
            format!("{name}: the library failed ({source}); try again"),
        ),
    };
    Error::new(kind, message).with_source(source)
}

/// The sentence for a file whose content contradicts itself.
pub(super) fn damaged(path: &Path) -> String {
    format!(
        "{}: the library is damaged; move the file away and index your music again",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(path: &Path) {
        drop(open(path).expect("a new library"));
    }

    /// Whether this process locks the file, as other processes see it.
    #[cfg(target_os = "linux")]
    fn is_locked(path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let inode = format!(":{} ", std::fs::metadata(path).expect("the file").ino());
        let own = format!(" {} ", std::process::id());
        std::fs::read_to_string("/proc/locks")
            .expect("the table of locks")
            .lines()
            .any(|line| line.contains(&inode) && line.contains(&own))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_second_connection_leaves_the_locks_of_the_first() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("library.sqlite");
        let first = open(&path).expect("a new library");
        assert!(version_of(&first).is_ok() && is_locked(&path));
        drop(open(&path).expect("once more"));
        assert!(
            is_locked(&path),
            "closing the second one took the locks of the first"
        );
    }

    #[test]
    fn a_newer_version_is_refused_untouched() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("library.sqlite");
        fresh(&path);
        let connection = Connection::open(&path).expect("open");
        connection.pragma_update(None, "user_version", 7).expect("set");
        drop(connection);
        let before = std::fs::read(&path).expect("read");
        let error = open(&path).expect_err("newer").to_string();
        assert!(
            error.contains("version 7") && error.contains("version 1"),
            "{error}"
        );
        assert_eq!(std::fs::read(&path).expect("read"), before);
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
    }

    #[test]
    fn other_files_are_refused_untouched() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("other.sqlite");
        let check = |expected: &str| {
            let before = std::fs::read(&path).expect("read");
            let error = open(&path).expect_err("refused").to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(std::fs::read(&path).expect("read"), before);
        };
        std::fs::write(&path, b"a list of songs").expect("write");
        check("is not a library");
        std::fs::remove_file(&path).expect("remove");
        let connection = Connection::open(&path).expect("open");
        connection
            .execute_batch("CREATE TABLE bookmark (url TEXT); INSERT INTO bookmark VALUES ('x')")
            .expect("create");
        drop(connection);
        check("is not a library");
        std::fs::remove_file(&path).expect("remove");
        std::fs::create_dir(&path).expect("folder");
        let error = open(&path).expect_err("a folder").to_string();
        assert!(error.contains("folder"), "{error}");
    }

    #[test]
    fn damage_is_said() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("library.sqlite");
        fresh(&path);
        let whole = std::fs::read(&path).expect("read");
        let look = |connection: Connection| {
            connection
                .query_row("SELECT count(*) FROM track", (), |row| row.get::<_, i64>(0))
                .map_err(|source| explain(&path, source))
        };
        let mut garbled = whole.clone();
        garbled[100..].fill(0x5a);
        for bytes in [&whole[..20_000], &garbled] {
            std::fs::write(&path, bytes).expect("write");
            let error = open(&path).and_then(look).expect_err("damaged").to_string();
            assert!(error.contains("damaged") && error.contains("index"), "{error}");
        }
        std::fs::write(&path, b"").expect("write");
        open(&path)
            .and_then(look)
            .expect("an empty file is a new library");
    }

    #[test]
    fn a_lock_is_waited_for_and_then_said() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("library.sqlite");
        fresh(&path);
        let other = open(&path).expect("open");
        other.execute_batch("BEGIN IMMEDIATE").expect("lock");
        let own = open(&path).expect("reading needs no lock");
        own.busy_timeout(Duration::from_millis(20)).expect("set");
        let source = own.execute_batch("BEGIN IMMEDIATE").expect_err("locked");
        let error = explain(&path, source).to_string();
        assert!(error.contains("another program"), "{error}");
    }
}
