//! Decoded candidates, kept so that a switch is a matter of one buffer.

use std::path::Path;
use std::sync::Arc;

use super::session::Candidate;
use crate::error::Result;
use crate::jobs::Monitor;
use crate::media::{AudioFormat, decode_audio};
use crate::mix::SampleSource;

/// Bytes of decoded candidates that are kept.
const ROOM: usize = 384 << 20;
/// Longest stretch of one candidate that is decoded, seconds.
const LONGEST_S: f64 = 900.0;

/// What was decoded of which track.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CandidateKey {
    track_id: i64,
    from_ms: u64,
    span_ms: u64,
}

impl CandidateKey {
    /// The part of the track that a clip of `clip_s` can reach: from the in point on, or all of it where the clip
    /// outlasts the track's rest.
    pub(super) fn of(candidate: &Candidate, clip_s: f64) -> Self {
        let end_s = candidate.in_point_s + clip_s;
        let whole = candidate.in_point_s < 0.0 || end_s > candidate.duration_s - 0.5;
        let (from_s, span_s) = if whole {
            (0.0, candidate.duration_s)
        } else {
            (candidate.in_point_s, clip_s)
        };
        Self {
            track_id: candidate.track_id,
            from_ms: (from_s * 1000.0) as u64,
            span_ms: (span_s.min(LONGEST_S) * 1000.0).ceil() as u64,
        }
    }

    /// Start and length in seconds.
    pub(super) fn span(&self) -> (f64, f64) {
        (self.from_ms as f64 / 1000.0, self.span_ms as f64 / 1000.0)
    }
}

/// A stretch of a track, at its place in the track.
#[derive(Debug, Clone)]
pub(super) struct Excerpt {
    samples: Arc<[f32]>,
    first: u64,
    frames: u64,
}

impl Excerpt {
    /// Decodes `span_s` from `from_s` on of a track of `duration_s`.
    ///
    /// # Errors
    /// As [`decode_audio`].
    pub(super) fn decode(
        path: &Path,
        from_s: f64,
        span_s: f64,
        duration_s: f64,
        monitor: &Monitor,
    ) -> Result<Self> {
        let rate = f64::from(AudioFormat::MIX.sample_rate);
        let samples = decode_audio(path, AudioFormat::MIX, from_s, Some(span_s + 0.1), monitor)?;
        let first = (from_s * rate).round() as u64;
        let decoded = first + (samples.len() / 2) as u64;
        // A decoded end is exact, a stored length may not be.
        let reached_end = from_s + span_s + 0.1 >= duration_s;
        let frames = if reached_end {
            decoded
        } else {
            (duration_s * rate).round() as u64
        };
        Ok(Self {
            samples: samples.into(),
            first,
            frames,
        })
    }

    fn bytes(&self) -> usize {
        self.samples.len() * size_of::<f32>()
    }
}

impl SampleSource for Excerpt {
    fn frames(&self) -> u64 {
        self.frames
    }

    fn read_at(&mut self, at: u64, out: &mut [f32]) {
        out.fill(0.0);
        let held = self.samples.len() as u64 / 2;
        let wanted = out.len() as u64 / 2;
        let from = at.max(self.first);
        let to = (at + wanted).min(self.first + held);
        if from < to {
            let source = 2 * (from - self.first) as usize..2 * (to - self.first) as usize;
            let target = 2 * (from - at) as usize;
            out[target..target + source.len()].copy_from_slice(&self.samples[source]);
        }
    }
}

/// The most recent ones, within [`ROOM`].
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Least recently used first.
    kept: Vec<(CandidateKey, Excerpt)>,
}

impl Candidates {
    pub(super) fn get(&mut self, key: &CandidateKey) -> Option<Excerpt> {
        let at = self.kept.iter().position(|(known, _)| known == key)?;
        let entry = self.kept.remove(at);
        let excerpt = entry.1.clone();
        self.kept.push(entry);
        Some(excerpt)
    }

    pub(super) fn has(&self, key: &CandidateKey) -> bool {
        self.kept.iter().any(|(known, _)| known == key)
    }

    pub(super) fn put(&mut self, key: CandidateKey, excerpt: Excerpt) {
        self.kept.retain(|(known, _)| *known != key);
        self.kept.push((key, excerpt));
        let mut bytes: usize = self.kept.iter().map(|(_, excerpt)| excerpt.bytes()).sum();
        while bytes > ROOM && self.kept.len() > 1 {
            bytes -= self.kept.remove(0).1.bytes();
        }
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(in_point_s: f64) -> Candidate {
        Candidate {
            track_id: 7,
            path: "a.opus".into(),
            title: "A".into(),
            duration_s: 90.0,
            in_point_s,
        }
    }

    #[test]
    fn only_what_the_clip_reaches_is_decoded() {
        let check = |in_point_s: f64, clip_s: f64, expected: (f64, f64)| {
            assert_eq!(CandidateKey::of(&candidate(in_point_s), clip_s).span(), expected);
        };
        check(16.0, 33.0, (16.0, 33.0));
        check(70.0, 33.0, (0.0, 90.0));
        check(0.0, 400.0, (0.0, 90.0));
    }

    #[test]
    fn an_excerpt_sits_at_its_place_in_the_track() {
        let mut excerpt = Excerpt {
            samples: vec![1.0, 2.0, 3.0, 4.0].into(),
            first: 2,
            frames: 10,
        };
        let mut out = [9.0; 8];
        excerpt.read_at(1, &mut out);
        assert_eq!(out, [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]);
        excerpt.read_at(3, &mut out);
        assert_eq!(out, [3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        excerpt.read_at(8, &mut out);
        assert_eq!(out, [0.0; 8]);
    }

    #[test]
    fn the_oldest_leave_first() {
        let mut kept = Candidates::default();
        let big: Arc<[f32]> = vec![0.0; ROOM / 8].into();
        let keys: Vec<CandidateKey> = [0.0, 1.0, 2.0]
            .iter()
            .map(|at| CandidateKey::of(&candidate(*at), 10.0))
            .collect();
        for key in &keys[..2] {
            kept.put(
                key.clone(),
                Excerpt {
                    samples: Arc::clone(&big),
                    first: 0,
                    frames: 1,
                },
            );
        }
        assert!(kept.get(&keys[0]).is_some());
        kept.put(
            keys[2].clone(),
            Excerpt {
                samples: big,
                first: 0,
                frames: 1,
            },
        );
        assert!(kept.has(&keys[0]) && !kept.has(&keys[1]) && kept.has(&keys[2]));
    }
}
