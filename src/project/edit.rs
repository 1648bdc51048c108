//! What one edit consists of.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::mix::MixSettings;

/// The user's decisions about one video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Edit {
    /// The video; `None` before one is opened.
    #[serde(with = "path_text")]
    pub video: Option<PathBuf>,
    /// Start of the 32 s window that music is suggested for, seconds.
    pub window_start_s: f64,
    /// The music that was picked.
    pub pick: Option<Pick>,
    /// How it is mixed; `mix.candidate` holds the pick's in point and level.
    pub mix: MixSettings,
    /// Loudness target in LUFS; `None` leaves the level as mixed.
    pub loudness_lufs: Option<f64>,
    /// In and out marks.
    pub marks: Marks,
}

impl Default for Edit {
    fn default() -> Self {
        Self {
            video: None,
            window_start_s: 0.0,
            pick: None,
            mix: MixSettings::default(),
            loudness_lufs: Some(-14.0),
            marks: Marks::default(),
        }
    }
}

/// The music that was picked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// The track's name in the library it was picked from.
    pub track_id: i64,
    /// Its file.
    #[serde(with = "path_text::required")]
    pub path: PathBuf,
    /// Its title.
    pub title: String,
    /// Its length, seconds.
    pub duration_s: f64,
}

/// In and out marks on the video, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// In.
    pub in_s: Option<f64>,
    /// Out; later than the in mark where both are set.
    pub out_s: Option<f64>,
}

impl Marks {
    /// Sets the in mark; an out mark that would lie before it is dropped.
    pub fn set_in(&mut self, at_s: f64) {
        self.in_s = Some(at_s);
        self.out_s = self.out_s.filter(|out_s| *out_s > at_s);
    }

    /// Sets the out mark; an in mark that would lie after it is dropped.
    pub fn set_out(&mut self, at_s: f64) {
        self.out_s = Some(at_s);
        self.in_s = self.in_s.filter(|in_s| *in_s < at_s);
    }
}

/// Paths as text where they are text, else as bytes: a file name need not be UTF-8, and a project must not lose it.
mod path_text {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Bytes { bytes: Vec<u8> },
    }

    impl Written {
        fn of(path: &std::path::Path) -> Self {
            match path.to_str() {
                Some(text) => Self::Text(text.to_owned()),
                None => Self::Bytes {
                    bytes: path.as_os_str().as_encoded_bytes().to_vec(),
                },
            }
        }

        fn path(self) -> PathBuf {
            match self {
                Self::Text(text) => PathBuf::from(text),
                Self::Bytes { bytes } => from_bytes(&bytes),
            }
        }
    }

    #[cfg(unix)]
    fn from_bytes(bytes: &[u8]) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
    }

    #[cfg(not(unix))]
    fn from_bytes(bytes: &[u8]) -> PathBuf {
        PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
    }

    #[allow(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(path: &Option<PathBuf>, out: S) -> Result<S::Ok, S::Error> {
        path.as_deref().map(Written::of).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Written>::deserialize(input)?.map(Written::path))
    }

    pub(super) mod required {
        use super::{Deserialize, Deserializer, PathBuf, Serialize, Serializer, Written};

        pub(crate) fn serialize<S: Serializer>(path: &std::path::Path, out: S) -> Result<S::Ok, S::Error> {
            Written::of(path).serialize(out)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<PathBuf, D::Error> {
            Written::deserialize(input).map(Written::path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_never_cross() {
        let mut marks = Marks::default();
        marks.set_in(4.0);
        marks.set_out(6.0);
        assert_eq!((marks.in_s, marks.out_s), (Some(4.0), Some(6.0)));
        marks.set_in(7.0);
        assert_eq!((marks.in_s, marks.out_s), (Some(7.0), None));
        marks.set_out(2.0);
        assert_eq!((marks.in_s, marks.out_s), (None, Some(2.0)));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf_8_survives() {
        use std::os::unix::ffi::OsStrExt;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"clip-\xff.mp4"));
        let edit = Edit {
            video: Some(path.clone()),
            pick: Some(Pick {
                track_id: 3,
                path: path.clone(),
                title: "A".into(),
                duration_s: 4.0,
            }),
            ..Edit::default()
        };
        let text = serde_json::to_string(&edit).expect("text");
        assert_eq!(serde_json::from_str::<Edit>(&text).expect("edit"), edit);
    }
}
