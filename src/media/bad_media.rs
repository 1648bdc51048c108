//! Tests with files that cannot be used, or only in part: each ends in media or
//! in one sentence, and none hangs.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::testing::{Synthetic, synthesise, write_pipeline};
use super::{
    AudioFormat, FrameFit, MixedSound, Picture, decode_audio, peaks, probe, remux, sample_frames, thumbnails,
};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::{CancelToken, Monitor, Report};

/// The name for a file whose index lies in front, as on the web.
const FAST_START: &str = "fast.mp4";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn with(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, bytes).expect("write");
        path
    }

    /// A short file with picture and sound.
    fn media(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        if name == FAST_START {
            let mux = "mp4mux faststart=true name=last";
            let picture = "videotestsrc num-buffers=25 ! video/x-raw,width=64,height=48,framerate=25/1";
            let sound = "audiotestsrc num-buffers=46 ! audio/x-raw,rate=48000 ! avenc_aac ! queue ! last.";
            let words = format!("{mux} {picture} ! x264enc speed-preset=ultrafast ! queue ! last. {sound}");
            write_pipeline(&words, &path).expect(name);
            return path;
        }
        let what = Synthetic {
            duration_s: 1.0,
            picture: Some((64, 48)),
            ..Synthetic::default()
        };
        synthesise(&what, &path).expect(name);
        path
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .expect("list")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn check_sentence(error: &Error, path: &Path) {
    let text = error.to_string();
    let name = path.file_name().expect("name").to_string_lossy().into_owned();
    assert!(text.contains(&name), "{text}");
    assert!(!text.contains('\n'), "{text}");
    assert!(!text.contains("got stuck"), "{text}");
    assert_ne!(error.kind(), ErrorKind::Internal, "{text}");
}

fn frames(path: &Path, times_s: &[f64]) -> Result<usize> {
    let mut count = 0;
    let fit = FrameFit::Height(24);
    sample_frames(path, times_s, fit, &Monitor::silent(), &mut |_, _| count += 1)?;
    Ok(count)
}

/// Puts a file through everything that reads; a failure has to be a sentence.
fn read_all(path: &Path) -> [bool; 3] {
    let monitor = Monitor::silent();
    let results = [
        probe(path).map(drop),
        decode_audio(path, AudioFormat::VGGISH, 0.0, None, &monitor).map(drop),
        frames(path, &[0.0, 0.4, 0.9]).map(drop),
    ];
    results.map(|result| match result {
        Ok(()) => true,
        Err(error) => {
            check_sentence(&error, path);
            false
        }
    })
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if &bytes[at..at + from.len()] == from {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        at += 1;
    }
    bytes
}

fn boxed(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u32 + 8).to_be_bytes().to_vec();
    bytes.extend_from_slice(&kind);
    bytes.extend_from_slice(content);
    bytes
}

/// An MP4 file whose index lies at the end, with its H.264 declared as
/// protected by Common Encryption.
fn locked(mp4: &[u8]) -> Vec<u8> {
    let find = |kind: &[u8; 4], before: usize| {
        let mut windows = mp4[..before].windows(4);
        windows.rposition(|bytes| bytes == kind).expect("a box")
    };
    let entry = find(b"avc1", mp4.len());
    let size_of = |at: usize| u32::from_be_bytes(mp4[at - 4..at].try_into().expect("four bytes"));
    let end = entry - 4 + size_of(entry) as usize;

    let mut key = vec![0, 0, 0, 0, 0, 0, 1, 8];
    key.extend([7; 16]);
    let protection = [
        boxed(*b"frma", b"avc1"),
        boxed(*b"schm", b"\0\0\0\0cenc\0\x01\0\0"),
        boxed(*b"schi", &boxed(*b"tenc", &key)),
    ];
    let protection = boxed(*b"sinf", &protection.concat());
    let mut bytes = mp4.to_vec();
    bytes[entry..entry + 4].copy_from_slice(b"encv");
    for at in [entry]
        .into_iter()
        .chain([b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"].map(|kind| find(kind, entry)))
    {
        let size = size_of(at) + protection.len() as u32;
        bytes[at - 4..at].copy_from_slice(&size.to_be_bytes());
    }
    bytes.splice(end..end, protection);
    bytes
}

#[test]
fn what_is_no_media_is_said_in_a_sentence() {
    let folder = Folder::new();
    let mut noise = vec![0u8; 20_000];
    ChaCha8Rng::seed_from_u64(1).fill(&mut noise[..]);
    let check = |path: &Path, kind: ErrorKind, expected: &str| {
        for error in [
            probe(path).map(drop),
            decode_audio(path, AudioFormat::MIX, 0.0, None, &Monitor::silent()).map(drop),
            frames(path, &[0.0]).map(drop),
            thumbnails(path, 3, 20, &Monitor::silent()).map(drop),
            peaks(path, 10, &Monitor::silent()).map(drop),
        ] {
            let error = error.expect_err("no media");
            check_sentence(&error, path);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
        }
    };
    let input = ErrorKind::Input;
    check(&folder.with("a.mp4", b""), input, "empty");
    check(
        &folder.with("b.mp4", &b"Dear diary, no film today.\n".repeat(100)),
        input,
        "is not a video or sound file",
    );
    check(
        &folder.with("c.mp4", &noise),
        input,
        "is not a video or sound file",
    );
    check(&folder.with("d.mp4", b"x"), input, "is not a video or sound file");
    check(
        &folder.with("e.mp4", b"PK\x03\x04 a zip archive, as far as it goes"),
        input,
        "is not a video or sound file",
    );
    check(
        &folder.with("f.mp4", b"%PDF-1.4\n% nothing else in here\n"),
        input,
        "is not a video or sound file",
    );
    check(
        &folder.with(
            "g.m3u8",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        ),
        input,
        "is not a video or sound file",
    );
    check(&folder.at("none.mp4"), ErrorKind::Io, "no such file");
    fs::create_dir(folder.at("folder.mp4")).expect("folder");
    check(&folder.at("folder.mp4"), ErrorKind::Io, "is a folder");
}

#[cfg(unix)]
#[test]
fn names_need_no_unicode_and_pipes_are_refused() -> Result<()> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    let strange = folder.0.path().join(OsStr::from_bytes(b"caf\xe9 100% #1?.webm"));
    fs::rename(folder.media("a.webm"), &strange).expect("rename");
    assert_eq!(read_all(&strange), [true; 3]);
    let out = folder.0.path().join(OsStr::from_bytes(b"\xff\xfe.webm"));
    assert_eq!(
        remux(&strange, Box::new(tone(48_000)), &out, &Monitor::silent())?,
        Picture::Copied
    );
    assert_eq!(read_all(&out), [true; 3]);

    let socket = folder.at("socket.mp4");
    let _open = std::os::unix::net::UnixListener::bind(&socket).expect("socket");
    let error = probe(&socket).expect_err("no file");
    assert!(error.to_string().contains("not a regular file"), "{error}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_says_so() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let path = folder.media("a.webm");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("permissions");
    if fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let error = probe(&path).expect_err("no permission");
    assert!(error.to_string().contains("no permission to read"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn a_missing_stream_is_said_by_its_kind() {
    let folder = Folder::new();
    let silent = folder.at("silent.webm");
    let what = Synthetic {
        tone_hz: None,
        ..Synthetic::default()
    };
    synthesise(&what, &silent).expect("silent");
    let error = decode_audio(&silent, AudioFormat::MIX, 0.0, None, &Monitor::silent()).expect_err("no sound");
    assert!(error.to_string().contains("has no sound"), "{error}");
    assert_eq!(read_all(&silent), [true, false, true]);

    let blind = folder.at("blind.wav");
    synthesise(&Synthetic::default(), &blind).expect("blind");
    let error = frames(&blind, &[0.0]).expect_err("no picture");
    assert!(error.to_string().contains("has no picture"), "{error}");
    assert_eq!(read_all(&blind), [true, true, false]);
}

#[test]
fn a_missing_plug_in_and_encryption_are_named() {
    let folder = Folder::new();
    let webm = fs::read(folder.media("a.webm")).expect("read");
    let mp4 = fs::read(folder.media("a.mp4")).expect("read");
    let check = |name: &str, bytes: &[u8], kind: ErrorKind, expected: &str| {
        let path = folder.with(name, bytes);
        for error in [probe(&path).map(drop), frames(&path, &[0.0]).map(drop)] {
            let error = error.expect_err(name);
            check_sentence(&error, &path);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
        }
    };
    check(
        "unknown.mp4",
        &replaced(&mp4, b"avc1", b"zzzz"),
        ErrorKind::MissingPlugin,
        "zzzz",
    );
    check(
        "unknown.webm",
        &replaced(&webm, b"V_VP8", b"V_XX8"),
        ErrorKind::MissingPlugin,
        "V_XX8",
    );
    check("locked.mp4", &locked(&mp4), ErrorKind::Input, "encrypted");
}

#[test]
fn a_file_cut_anywhere_is_read_or_refused() {
    let folder = Folder::new();
    for name in ["a.webm", "a.mkv", "a.mp4", FAST_START, "a.ogg", "a.wav"] {
        let whole = fs::read(folder.media(name)).expect("read");
        // The header in small steps, the rest in strides.
        let places: Vec<usize> = (0..16)
            .map(|i| i * 11 + 1)
            .chain((1..16).map(|i| whole.len() * i / 16))
            .chain([whole.len() - 1])
            .collect();
        let read: usize = places
            .par_iter()
            .map(|&length| {
                let cut = folder.with(&format!("cut_{length}_{name}"), &whole[..length]);
                read_all(&cut).iter().filter(|done| **done).count()
            })
            .sum();
        assert!(read > 0 || name == "a.mp4", "{name}: nothing of it was read");
    }
}

#[test]
fn damaged_bytes_never_panic_or_hang() {
    let folder = Folder::new();
    for name in ["a.webm", "a.mp4", "a.ogg"] {
        let whole = fs::read(folder.media(name)).expect("read");
        (0..24u64).into_par_iter().for_each(|seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..20) {
                // Half of the hits in the header, where they hurt.
                let end = if random.random() { bytes.len() } else { 600 };
                let at = random.random_range(0..end);
                bytes[at] = random.random();
            }
            read_all(&folder.with(&format!("damaged_{seed}_{name}"), &bytes));
        });
    }
}

/// A tone that may fail or raise a flag part-way.
struct Tone {
    frames: u64,
    fail_at: Option<u64>,
    cancel_at: Option<(u64, CancelToken)>,
}

impl MixedSound for Tone {
    fn format(&self) -> AudioFormat {
        AudioFormat::MIX
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn render(&mut self, at: u64, out: &mut [f32]) -> Result<()> {
        if let Some((cancel_at, token)) = &self.cancel_at
            && at >= *cancel_at
        {
            token.cancel();
        }
        if self.fail_at.is_some_and(|fail_at| at >= fail_at) {
            return Err(Error::internal("the mix broke, as a test"));
        }
        out.fill(0.1);
        Ok(())
    }
}

fn tone(frames: u64) -> Tone {
    Tone {
        frames,
        fail_at: None,
        cancel_at: None,
    }
}

#[test]
fn a_failed_export_leaves_nothing() {
    let folder = Folder::new();
    let video = folder.media("a.webm");
    let old = folder.with("old.mkv", b"what was there before");
    for out in ["out.mp4", "out.mkv", "out.webm", "out.wav", "old.mkv"] {
        let out = folder.at(out);
        let fails = Tone {
            frames: 44_100,
            fail_at: Some(10_000),
            cancel_at: None,
        };
        let error = remux(&video, Box::new(fails), &out, &Monitor::silent()).expect_err("it fails");
        assert!(error.to_string().contains("as a test"), "{error}");

        let token = CancelToken::default();
        let cancelled = Tone {
            frames: 44_100,
            fail_at: None,
            cancel_at: Some((10_000, token.clone())),
        };
        let monitor = Monitor::new(token, |_| {});
        let error = remux(&video, Box::new(cancelled), &out, &monitor).expect_err("cancelled");
        assert!(error.is_cancelled(), "{error}");
    }
    assert_eq!(fs::read(&old).expect("read"), b"what was there before");
    assert_eq!(folder.names(), ["a.webm", "old.mkv"]);

    let error = remux(&video, Box::new(tone(1)), &video, &Monitor::silent()).expect_err("the source");
    assert!(error.to_string().contains("is the video itself"), "{error}");
    let error = remux(
        &video,
        Box::new(tone(1)),
        &folder.at("no/such/out.mkv"),
        &Monitor::silent(),
    )
    .expect_err("no folder");
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let text = folder.with("a.txt", b"no film");
    let error = remux(
        &text,
        Box::new(tone(1)),
        &folder.at("out.mkv"),
        &Monitor::silent(),
    )
    .expect_err("no film");
    check_sentence(&error, &text);
    assert_eq!(folder.names(), ["a.txt", "a.webm", "old.mkv"]);
}

#[test]
fn work_that_is_cancelled_stops() {
    let folder = Folder::new();
    let path = folder.media("a.webm");
    let token = CancelToken::default();
    let seen = token.clone();
    // Cancels at the first progress.
    let monitor = Monitor::new(token, move |report| {
        if matches!(report, Report::Progress { .. }) {
            seen.cancel();
        }
    });
    let error = decode_audio(&path, AudioFormat::MIX, 0.0, None, &monitor).expect_err("cancelled");
    assert!(error.is_cancelled());
    assert!(
        thumbnails(&path, 3, 20, &monitor)
            .expect_err("cancelled")
            .is_cancelled()
    );
    assert!(peaks(&path, 3, &monitor).expect_err("cancelled").is_cancelled());
}
