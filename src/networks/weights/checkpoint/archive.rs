//! Release archives: a TensorFlow bundle in a `.tar.gz`, as Spleeter publishes its models.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{Arrays, MAX_BYTES, Problem, tensorflow};

/// Weights are noise and hardly shrink: what grows more than this is no checkpoint.
const GROWTH_MAX: u64 = 16;

/// Whether the bytes begin as gzip does.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn is_index(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending == "index")
}

/// Reads the bundle in the archive, in memory; nothing is unpacked to disk, so no name in it can lead anywhere.
pub(super) fn read(bytes: &[u8]) -> Result<Arrays, Problem> {
    let damaged = |error: std::io::Error| format!("is a damaged archive ({error})");
    let limit = MAX_BYTES.min((bytes.len() as u64 + 4096) * GROWTH_MAX);
    let mut archive = tar::Archive::new(MultiGzDecoder::new(bytes).take(limit));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let last = name.rsplit('/').next().unwrap_or_default();
        // macOS adds a second file of its own for each.
        let wanted = !last.starts_with("._") && (is_index(last) || last.contains(".data-"));
        if !(wanted && entry.header().entry_type().is_file()) {
            continue;
        }
        if entry.size() > limit {
            return Err("is an archive that grows beyond what weights do".to_owned());
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        files.insert(name, content);
    }
    // To the last byte: gzip's checksum stands at the end.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(damaged)?;
    let mut indices = files.iter().filter(|(name, _)| is_index(name));
    let (Some((name, index)), None) = (indices.next(), indices.next()) else {
        return Err("is an archive without exactly one TensorFlow index".to_owned());
    };
    let stem = name.trim_end_matches(".index");
    tensorflow::read(index, &|at, count| {
        files
            .get(&format!("{stem}.data-{at:05}-of-{count:05}"))
            .cloned()
            .ok_or_else(|| format!("lacks its data file {at} of {count}"))
    })
}
