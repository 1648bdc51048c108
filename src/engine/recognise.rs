//! Recognises the music of a finished video among the tracks of the library, so that training can take the library's clean
//! file in its place (reading, point 7).
//!
//! The BGM stem that separation leaves is embedded, the nearest tracks are looked up, and of these the one is taken whose
//! own landmarks agree with the stem's at one place.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::Engine;
use super::candidates::{Candidates, Filter};
use super::clips::{Clips, Window};
use super::corpus::{MediaFile, media_file};
use super::matcher::Matcher;
use crate::error::{ErrorKind, Result};
use crate::jobs::Monitor;
use crate::library::{Track, TrackId};
use crate::signal::landmarks::Recording;

/// Tracks that are compared with a stem, the nearest by embedding.
const COMPARED: usize = 16;
/// Pairs of peaks that must agree. Measured on 15 mixes of 36 s, game music 12 LU under acted speech, coded as AAC and
/// separated by the compact pack: 47 to 767 agree with the track itself, at most 5 with another.
const VOTES: usize = 20;
/// Recordings kept in memory, some MB each.
const KEPT: usize = 64;

/// The library, to be searched by what is heard under a voice.
pub(super) struct Recogniser<'a> {
    matcher: Matcher<'a>,
    candidates: Arc<Candidates>,
    recordings: RefCell<HashMap<TrackId, (Rc<MediaFile>, Rc<Recording>)>>,
}

/// A track of the library under a clip.
#[derive(Debug, Clone)]
pub(super) struct Recognised {
    pub(super) file: Rc<MediaFile>,
    /// What lies under the clip's beginning, seconds into the track.
    pub(super) start_s: f64,
}

impl<'a> Recogniser<'a> {
    /// `None` where there is nothing to recognise: the library is empty, or the pack in use embeds no library.
    ///
    /// # Errors
    /// When a network cannot be loaded; cancelled.
    pub(super) fn new(engine: &'a Engine, monitor: &Monitor) -> Result<Option<Self>> {
        if engine.pack().manifest.method != "mrcmv" {
            return Ok(None);
        }
        let candidates = match Candidates::of(engine, monitor) {
            Ok(candidates) => candidates,
            Err(error) if error.kind() == ErrorKind::Library => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self {
            matcher: Matcher::load(engine)?,
            candidates,
            recordings: RefCell::default(),
        }))
    }

    /// The track that plays in the video's `window`, if it is one of the library's. A track that cannot be read is passed
    /// over.
    ///
    /// # Errors
    /// When the video cannot be decoded or separated; cancelled.
    pub(super) fn find(
        &self,
        clips: &Clips<'_>,
        window: Window<'_>,
        monitor: &Monitor,
    ) -> Result<Option<Recognised>> {
        let Some((landmarks, rows)) = clips.music(window, monitor)? else {
            return Ok(None);
        };
        let query: Vec<f32> = self.matcher.bgm(&rows)?.flatten_all()?.to_vec1()?;
        let nearest = self
            .candidates
            .best(&query, self.matcher.metric(), COMPARED, &Filter::default())?;
        let mut best: Option<(usize, Recognised)> = None;
        for found in nearest {
            let (file, recording) = match self.recording(clips, found.track, monitor) {
                Ok(known) => known,
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => continue,
            };
            if let Some(place) = recording.find(&landmarks)
                && place.votes >= VOTES
                && best.as_ref().is_none_or(|(votes, _)| place.votes > *votes)
            {
                let start_s = place.offset_s.max(0.0);
                best = Some((place.votes, Recognised { file, start_s }));
            }
        }
        Ok(best.map(|(_, recognised)| recognised))
    }

    fn recording(
        &self,
        clips: &Clips<'_>,
        track: &Track,
        monitor: &Monitor,
    ) -> Result<(Rc<MediaFile>, Rc<Recording>)> {
        let mut recordings = self.recordings.borrow_mut();
        if let Some(known) = recordings.get(&track.id) {
            return Ok(known.clone());
        }
        let file = media_file(&track.path, track.duration_s, monitor)?;
        let recording = Recording::new(&clips.landmarks(&file, monitor)?);
        let known = (Rc::new(file), Rc::new(recording));
        if recordings.len() >= KEPT {
            recordings.clear();
        }
        recordings.insert(track.id, known.clone());
        Ok(known)
    }
}
