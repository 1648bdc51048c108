//! The GStreamer elements that the program uses, what for, and which package
//! brings them. One table, read by `doctor` and by the sentences about missing
//! plug-ins.

use gstreamer as gst;

use crate::error::{Error, ErrorKind, Result};

/// The state of one GStreamer element that the program may need.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ElementStatus {
    /// Factory name: "vp8dec".
    pub name: String,
    /// What it is for: "VP8 video in WebM and Matroska".
    pub purpose: String,
    /// Whether it is installed.
    pub present: bool,
    /// The Debian package that brings it.
    pub package: String,
}

/// One row of the table.
struct Known {
    /// Factory name.
    name: &'static str,
    /// What it is for.
    purpose: &'static str,
    /// Debian package.
    package: &'static str,
    /// The stream that it reads, as the start of a caps string; empty where it
    /// is not chosen by a stream.
    reads: &'static str,
}

const CORE: &str = "libgstreamer1.0-0";
const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const UGLY: &str = "gstreamer1.0-plugins-ugly";
const LIBAV: &str = "gstreamer1.0-libav";

const fn known(
    name: &'static str,
    purpose: &'static str,
    package: &'static str,
    reads: &'static str,
) -> Known {
    Known {
        name,
        purpose,
        package,
        reads,
    }
}

/// Where several rows read the same stream, any of them is enough; the first
/// is the one that is recommended.
const TABLE: &[Known] = &[
    known("filesrc", "reading files", CORE, ""),
    known("filesink", "writing files", CORE, ""),
    known("queue", "streams in step", CORE, ""),
    known("parsebin", "finding the streams of a file", BASE, ""),
    known("decodebin", "finding decoders", BASE, ""),
    known("appsink", "taking samples and pictures", BASE, ""),
    known("appsrc", "giving samples to an encoder", BASE, ""),
    known("audioconvert", "sample formats and channels", BASE, ""),
    known("audioresample", "sample rates", BASE, ""),
    known("videoconvert", "pixel formats", BASE, ""),
    known("qtdemux", "MP4 and QuickTime files", GOOD, "video/quicktime"),
    known("matroskademux", "Matroska files", GOOD, "video/x-matroska"),
    known("matroskademux", "Matroska sound files", GOOD, "audio/x-matroska"),
    known("matroskademux", "WebM files", GOOD, "video/webm"),
    known("matroskademux", "WebM sound files", GOOD, "audio/webm"),
    known("oggdemux", "Ogg files", BASE, "application/ogg"),
    known("oggdemux", "Ogg sound files", BASE, "audio/ogg"),
    known("oggdemux", "Ogg video files", BASE, "video/ogg"),
    known("avidemux", "AVI files", GOOD, "video/x-msvideo"),
    known("flvdemux", "FLV files", GOOD, "video/x-flv"),
    known("tsdemux", "MPEG transport streams", BAD, "video/mpegts"),
    known(
        "mpegpsdemux",
        "MPEG program streams",
        BAD,
        "video/mpeg, systemstream=(boolean)true",
    ),
    known("asfdemux", "Windows Media files", UGLY, "video/x-ms-asf"),
    known("wavparse", "WAV files", GOOD, "audio/x-wav"),
    known("aiffparse", "AIFF files", BAD, "audio/x-aiff"),
    known("id3demux", "ID3 tags", GOOD, "application/x-id3"),
    known("avdec_h264", "H.264 video", LIBAV, "video/x-h264"),
    known("openh264dec", "H.264 video", BAD, "video/x-h264"),
    known("avdec_h265", "H.265 video", LIBAV, "video/x-h265"),
    known("libde265dec", "H.265 video", BAD, "video/x-h265"),
    known(
        "avdec_mpeg4",
        "MPEG-4 part 2 video",
        LIBAV,
        "video/mpeg, mpegversion=(int)4",
    ),
    known("avdec_mpeg2video", "MPEG-1 and MPEG-2 video", LIBAV, "video/mpeg"),
    known("avdec_msmpeg4", "MS MPEG-4 video", LIBAV, "video/x-msmpeg"),
    known("vp8dec", "VP8 video in WebM and Matroska", GOOD, "video/x-vp8"),
    known("vp9dec", "VP9 video in WebM and Matroska", GOOD, "video/x-vp9"),
    known("av1dec", "AV1 video", BAD, "video/x-av1"),
    known("theoradec", "Theora video", BASE, "video/x-theora"),
    known("avdec_prores", "ProRes video", LIBAV, "video/x-prores"),
    known("jpegdec", "Motion JPEG video", GOOD, "image/jpeg"),
    known("avdec_aac", "AAC sound", LIBAV, "audio/mpeg, mpegversion=(int)4"),
    known("faad", "AAC sound", BAD, "audio/mpeg, mpegversion=(int)4"),
    known("mpg123audiodec", "MP3 sound", GOOD, "audio/mpeg"),
    known("avdec_mp3", "MP3 sound", LIBAV, "audio/mpeg"),
    known("opusdec", "Opus sound", BASE, "audio/x-opus"),
    known("vorbisdec", "Vorbis sound", BASE, "audio/x-vorbis"),
    known("flacdec", "FLAC sound", GOOD, "audio/x-flac"),
    known("avdec_ac3", "AC-3 sound", LIBAV, "audio/x-ac3"),
    known("avdec_eac3", "E-AC-3 sound", LIBAV, "audio/x-eac3"),
    known("avdec_alac", "ALAC sound", LIBAV, "audio/x-alac"),
    known("avdec_wmav2", "Windows Media sound", LIBAV, "audio/x-wma"),
    known("mp4mux", "writing MP4", GOOD, ""),
    known("matroskamux", "writing Matroska", GOOD, ""),
    known("webmmux", "writing WebM", GOOD, ""),
    known("avenc_aac", "AAC sound into MP4", LIBAV, ""),
    known("voaacenc", "AAC sound into MP4", BAD, ""),
    known("opusenc", "Opus sound into WebM and Matroska", BASE, ""),
    known("vp8enc", "VP8 video into WebM", GOOD, ""),
    known("x264enc", "H.264 video into MP4", UGLY, ""),
    known("openh264enc", "H.264 video into MP4", BAD, ""),
    known("avenc_mpeg4", "MPEG-4 part 2 video into MP4", LIBAV, ""),
];

/// Lists the elements that the program may need, for `doctor`.
///
/// # Errors
/// When GStreamer cannot start.
pub fn elements() -> Result<Vec<ElementStatus>> {
    super::init()?;
    let mut seen = Vec::<&str>::new();
    let mut list = Vec::new();
    for row in TABLE {
        if seen.contains(&row.name) {
            continue;
        }
        seen.push(row.name);
        list.push(ElementStatus {
            name: row.name.to_owned(),
            purpose: row.purpose.to_owned(),
            present: is_present(row.name),
            package: row.package.to_owned(),
        });
    }
    Ok(list)
}

/// Whether the element is installed.
pub(super) fn is_present(name: &str) -> bool {
    gst::ElementFactory::find(name).is_some()
}

/// Makes the element called `name`.
///
/// # Errors
/// When it is not installed: names it and its package.
pub(super) fn make(name: &str) -> Result<gst::Element> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|source| missing_element(&[name]).with_source(source))
}

/// The sentence for elements of which one is needed and none is installed.
pub(super) fn missing_element(any_of: &[&str]) -> Error {
    let named: Vec<String> = any_of
        .iter()
        .map(|name| match TABLE.iter().find(|row| row.name == *name) {
            Some(row) => format!("{name} (for {}, package {})", row.purpose, row.package),
            None => (*name).to_owned(),
        })
        .collect();
    Error::new(
        ErrorKind::MissingPlugin,
        format!(
            "the GStreamer element {} is missing; install its package and try again",
            named.join(" or ")
        ),
    )
}

/// What is missing to read a stream of `caps` (as text) in words, with the
/// package; `None` where the table does not know the stream.
pub(super) fn reader_of(caps: &str) -> Option<String> {
    TABLE
        .iter()
        .find(|row| !row.reads.is_empty() && caps_match(caps, row.reads))
        .map(|row| {
            format!(
                "{}, which needs the GStreamer element {} (install the package {} and try again)",
                row.purpose, row.name, row.package
            )
        })
}

/// Whether every field of `pattern` stands in `caps`.
fn caps_match(caps: &str, pattern: &str) -> bool {
    let fields: Vec<&str> = caps.split(',').map(str::trim).collect();
    pattern.split(',').all(|part| fields.contains(&part.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_streams_name_element_and_package() {
        let check = |caps: &str, expected: &[&str]| {
            let text = reader_of(caps).expect(caps);
            for word in expected {
                assert!(text.contains(word), "{caps}: {text}");
            }
        };
        check("video/x-h265, width=(int)64", &["H.265", "avdec_h265", LIBAV]);
        check(
            "audio/mpeg, mpegversion=(int)4, rate=(int)44100",
            &["AAC", "avdec_aac"],
        );
        check(
            "audio/mpeg, mpegversion=(int)1, layer=(int)3",
            &["MP3", "mpg123audiodec"],
        );
        check(
            "video/mpeg, mpegversion=(int)4, systemstream=(boolean)false",
            &["part 2", "avdec_mpeg4"],
        );
        assert!(reader_of("video/x-unheard-of").is_none());
    }

    #[test]
    fn the_list_has_each_element_once() -> Result<()> {
        let list = elements()?;
        let mut names: Vec<_> = list.iter().map(|status| &status.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), list.len());
        assert!(
            list.iter()
                .any(|status| status.name == "filesrc" && status.present)
        );
        Ok(())
    }
}
