//! What is known of a file and its streams, in plain values, and how GStreamer's caps and tags become them.

use gstreamer as gst;
use gstreamer_pbutils as gst_pbutils;
use serde::Serialize;

use super::source;

/// One picture stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoStream {
    /// Codec in words: "H.264".
    pub codec: String,
    /// Width in pixels as stored, before rotation.
    pub width: u32,
    /// Height in pixels as stored, before rotation.
    pub height: u32,
    /// Frames per second; 0 where variable or unknown.
    pub frame_rate: f64,
    /// Clockwise degrees a player turns the picture by: 0, 90, 180 or 270.
    pub rotation: u32,
}

/// One sound stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioStream {
    /// Codec in words: "Opus".
    pub codec: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

/// Tags that players show.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tags {
    /// Title.
    pub title: Option<String>,
    /// Artist.
    pub artist: Option<String>,
    /// Genre.
    pub genre: Option<String>,
    /// Licence or copyright line.
    pub licence: Option<String>,
}

/// What a media file holds. The first stream of each kind is the one used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MediaInfo {
    /// Length in seconds.
    pub duration_s: f64,
    /// Container in words: "Matroska".
    pub container: String,
    /// Picture streams; still images such as cover art are not counted.
    pub video: Vec<VideoStream>,
    /// Sound streams.
    pub audio: Vec<AudioStream>,
    /// Tags.
    pub tags: Tags,
}

/// The container in words; a bare stream is called by its codec.
pub(super) fn container_name(container: Option<&gst::CapsRef>, stream: Option<&gst::CapsRef>) -> String {
    let is_tag = |caps: &&gst::CapsRef| {
        caps.structure(0).is_some_and(|structure| {
            matches!(
                structure.name().as_str(),
                "application/x-id3" | "application/x-apetag"
            )
        })
    };
    container
        .filter(|caps| !is_tag(caps))
        .or(stream)
        .map(codec_name)
        .unwrap_or_default()
}

/// GStreamer's words for `caps`, without the profile: "H.264".
fn codec_name(caps: &gst::CapsRef) -> String {
    if let Some(structure) = caps.structure(0)
        && structure.name() == "video/quicktime"
    {
        let variant = structure.get::<&str>("variant").unwrap_or_default();
        return if variant.starts_with("iso") {
            "MP4"
        } else {
            "QuickTime"
        }
        .to_owned();
    }
    let words = gst_pbutils::pb_utils_get_codec_description(caps);
    match words.split_once(" (") {
        Some((name, profile)) if profile.ends_with("Profile)") => name.to_owned(),
        _ => words.to_string(),
    }
}

fn number(structure: &gst::StructureRef, field: &str) -> u32 {
    structure
        .get::<i32>(field)
        .ok()
        .and_then(|value| u32::try_from(value).ok())
        .unwrap_or(0)
}

pub(super) fn video_stream(caps: &gst::CapsRef, orientation: Orientation) -> VideoStream {
    let structure = caps.structure(0);
    VideoStream {
        codec: codec_name(caps),
        width: structure.map_or(0, |structure| number(structure, "width")),
        height: structure.map_or(0, |structure| number(structure, "height")),
        frame_rate: structure.map_or(0.0, source::frame_rate),
        rotation: orientation.clockwise,
    }
}

pub(super) fn audio_stream(caps: &gst::CapsRef) -> AudioStream {
    let structure = caps.structure(0);
    AudioStream {
        codec: codec_name(caps),
        sample_rate: structure.map_or(0, |structure| number(structure, "rate")),
        channels: structure.map_or(0, |structure| number(structure, "channels")),
    }
}

/// How a player turns a picture before it shows it: mirrored left to right
/// first, then turned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Degrees: 0, 90, 180, 270.
    pub(super) clockwise: u32,
    /// Whether left and right change places.
    pub(super) mirrored: bool,
}

impl Orientation {
    /// From the `image-orientation` tag: "rotate-90", "flip-rotate-180".
    pub(super) fn of(tags: &[gst::TagList]) -> Self {
        let Some(tag) = tags
            .iter()
            .find_map(|tags| tags.get::<gst::tags::ImageOrientation>())
        else {
            return Self::default();
        };
        let text = tag.get();
        Self {
            clockwise: text
                .rsplit('-')
                .next()
                .and_then(|degrees| degrees.parse().ok())
                .map_or(0, |degrees: u32| degrees % 360),
            mirrored: text.starts_with("flip"),
        }
    }
}

impl Tags {
    /// Takes what is not known yet.
    pub(super) fn fill(&mut self, tags: &gst::TagListRef) {
        use gst::tags::{Artist, Copyright, Genre, License, Title};
        fn text<'a, T>(tags: &'a gst::TagListRef) -> Option<String>
        where
            T: gst::Tag<'a, TagType = &'a str>,
        {
            let value = tags.get::<T>()?;
            let text = value.get().trim();
            (!text.is_empty()).then(|| text.to_owned())
        }
        self.title = self.title.take().or_else(|| text::<Title>(tags));
        self.artist = self.artist.take().or_else(|| text::<Artist>(tags));
        self.genre = self.genre.take().or_else(|| text::<Genre>(tags));
        self.licence = self
            .licence
            .take()
            .or_else(|| text::<License>(tags))
            .or_else(|| text::<Copyright>(tags));
    }
}
