//! sha256, by which weights, media and corpora are told apart; always as lower-case hex.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const BLOCK_BYTES: usize = 1 << 20;

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// sha256 of `bytes`.
pub fn sha256_of(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// sha256 of the rest of `file`, which was opened at `path`. `on_progress` hears the bytes read so far before each block
/// and may stop it.
///
/// # Errors
/// When it cannot be read, or as `on_progress`.
pub fn sha256_of_file(
    path: &Path,
    mut file: File,
    on_progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<String> {
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut done = 0;
    loop {
        on_progress(done)?;
        let count = file
            .read(&mut block)
            .map_err(|source| Error::io(path, "read", source))?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&block[..count]);
        done += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_checksum_of_its_bytes() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a");
        // FIPS 180-2, appendix B.3: a million times the letter a.
        let text = vec![b'a'; 1_000_000].repeat(3);
        std::fs::write(&path, &text[..1_000_000]).expect("write");
        let of = |on_progress: &mut dyn FnMut(u64) -> Result<()>| {
            sha256_of_file(&path, File::open(&path).expect("open"), on_progress)
        };
        assert_eq!(
            of(&mut |_| Ok(()))?,
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        std::fs::write(&path, &text).expect("write");
        assert_eq!(of(&mut |_| Ok(()))?, sha256_of(&text), "over several blocks");
        let mut heard = Vec::new();
        let stopped = of(&mut |done| {
            heard.push(done);
            if done > 0 { Err(Error::cancelled()) } else { Ok(()) }
        });
        assert!(stopped.is_err_and(|error| error.is_cancelled()));
        assert_eq!(heard, [0, BLOCK_BYTES as u64]);
        Ok(())
    }
}
