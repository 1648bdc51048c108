//! What GStreamer says of a file, in one sentence for the person: what is wrong with it and what to do.

use std::io;
use std::path::Path;

use gst::glib;
use gstreamer as gst;

use super::elements;
use crate::error::{Error, ErrorKind};

/// What is wrong with a file that is none of ours.
pub(super) const NOT_MEDIA: &str = "is not a video or sound file that can be read; choose another file";
/// What is wrong with an encrypted file.
pub(super) const ENCRYPTED: &str =
    "is encrypted or copy-protected and cannot be read; choose an unprotected copy";

/// The sentence for what GStreamer says about `path`.
pub(super) fn explain(path: &Path, source: &glib::Error) -> Error {
    let not_media = || not_media(path);
    if let Some(kind) = source.kind::<gst::StreamError>() {
        return match kind {
            gst::StreamError::TypeNotFound | gst::StreamError::WrongType => not_media(),
            gst::StreamError::Decrypt | gst::StreamError::DecryptNokey => encrypted(path),
            gst::StreamError::CodecNotFound => Error::new(
                ErrorKind::MissingPlugin,
                format!(
                    "{}: no installed GStreamer plug-in decodes it; run `undertone doctor` to see which package to install",
                    path.display()
                ),
            ),
            _ => damaged(path, source),
        };
    }
    if let Some(kind) = source.kind::<gst::ResourceError>() {
        return match kind {
            gst::ResourceError::NoSpaceLeft => {
                Error::io(path, "write", io::Error::from(io::ErrorKind::StorageFull))
            }
            gst::ResourceError::NotFound => Error::io(path, "read", io::Error::from(io::ErrorKind::NotFound)),
            gst::ResourceError::NotAuthorized => {
                Error::io(path, "read", io::Error::from(io::ErrorKind::PermissionDenied))
            }
            gst::ResourceError::Read
            | gst::ResourceError::OpenRead
            | gst::ResourceError::Write
            | gst::ResourceError::OpenWrite => {
                let action = match kind {
                    gst::ResourceError::Read | gst::ResourceError::OpenRead => "read",
                    _ => "write",
                };
                Error::io(path, action, io::Error::other(one_line(source.message())))
            }
            _ => damaged(path, source),
        };
    }
    if source.matches(gst::CoreError::MissingPlugin) {
        return Error::new(
            ErrorKind::MissingPlugin,
            format!(
                "{}: a GStreamer plug-in that it needs is not installed; run `undertone doctor` to see which package to install",
                path.display()
            ),
        );
    }
    damaged(path, source)
}

/// The sentence for a file that is none of ours.
pub(super) fn not_media(path: &Path) -> Error {
    Error::input(path, NOT_MEDIA)
}

/// The sentence for an encrypted file.
pub(super) fn encrypted(path: &Path) -> Error {
    Error::input(path, ENCRYPTED)
}

fn damaged(path: &Path, source: &glib::Error) -> Error {
    let told = one_line(source.message());
    // What GStreamer says where it has nothing to say.
    let vague = ["GStreamer encountered a general", "Internal data stream error"];
    let reason = if vague.iter().any(|vague| told.starts_with(vague)) {
        String::new()
    } else {
        format!(" ({told})")
    };
    Error::input(
        path,
        format!("is damaged or cut short{reason}; try a fresh copy of it"),
    )
}

/// The sentence for GStreamer's account of a missing plug-in
/// (`gstreamer|1.0|program|words|decoder-video/x-h265, …`).
pub(super) fn missing_plugin(path: &Path, detail: &str) -> Error {
    let mut parts = detail.splitn(5, '|').skip(3);
    let words = parts.next().unwrap_or("a decoder");
    let wanted = parts.next().unwrap_or_default();
    let caps = wanted.split_once('-').map_or("", |(_, caps)| caps);
    missing_reader(path, caps, words)
}

/// The sentence for a stream of `caps` that nothing installed reads; `words`
/// is GStreamer's name for the reader.
pub(super) fn missing_reader(path: &Path, caps: &str, words: &str) -> Error {
    if let Some(known) = elements::reader_of(caps) {
        return Error::new(
            ErrorKind::MissingPlugin,
            format!("{}: holds {known}", path.display()),
        );
    }
    let media_type = caps.split(',').next().unwrap_or_default().trim();
    // Matroska names codecs that GStreamer has no caps for.
    let media_type = caps
        .split_once("codec-id=(string)")
        .and_then(|(_, codec)| codec.split([',', ';']).next())
        .map_or_else(
            || media_type.to_owned(),
            |codec| format!("{media_type} ({codec})"),
        );
    if media_type.contains("cenc") || media_type.contains("-enc") {
        return encrypted(path);
    }
    if !media_type.starts_with("video/") && !media_type.starts_with("audio/") {
        return not_media(path);
    }
    Error::new(
        ErrorKind::MissingPlugin,
        format!(
            "{}: holds {media_type}, for which no GStreamer plug-in is installed ({}); convert the file or install a plug-in for it",
            path.display(),
            one_line(words)
        ),
    )
}

/// The first line of GStreamer's text, without its full stop.
pub(super) fn one_line(text: &str) -> &str {
    text.lines()
        .next()
        .unwrap_or_default()
        .trim()
        .trim_end_matches('.')
}
