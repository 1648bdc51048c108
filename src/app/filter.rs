//! Which music is wanted: words, tags, tempo, singing. One filter for the library and the suggestions.

use crate::library::Track;

/// What a track must have.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Filter {
    /// Words that title, artist or tags must all contain.
    pub text: String,
    /// Tags that it must all have.
    pub tags: Vec<String>,
    pub tempo: Option<TempoRange>,
    pub instrumental: bool,
    pub favourites: bool,
}

/// Tempo in words and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TempoRange {
    Slow,
    Medium,
    Fast,
}

impl TempoRange {
    pub(super) const ALL: [Self; 3] = [Self::Slow, Self::Medium, Self::Fast];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Slow => "below 90 BPM",
            Self::Medium => "90–130 BPM",
            Self::Fast => "above 130 BPM",
        }
    }

    fn holds(self, tempo_bpm: f32) -> bool {
        match self {
            Self::Slow => tempo_bpm < 90.0,
            Self::Medium => (90.0..=130.0).contains(&tempo_bpm),
            Self::Fast => tempo_bpm > 130.0,
        }
    }
}

/// One part of a filter, as a chip with an x.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text,
    Tag(String),
    Tempo(TempoRange),
    Instrumental,
    Favourites,
}

impl Part {
    pub(super) fn label(&self, filter: &Filter) -> String {
        match self {
            Self::Text => format!("“{}”", filter.text.trim()),
            Self::Tag(tag) => tag.clone(),
            Self::Tempo(range) => range.label().to_owned(),
            Self::Instrumental => "instrumental".to_owned(),
            Self::Favourites => "favourites".to_owned(),
        }
    }
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }

    /// Whether the suggestions must be narrowed here because the engine knows only words and tags.
    pub(super) fn narrows_locally(&self) -> bool {
        self.tempo.is_some() || self.instrumental || self.favourites
    }

    /// What is in force, words first.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if !self.text.trim().is_empty() {
            parts.push(Part::Text);
        }
        parts.extend(self.tags.iter().cloned().map(Part::Tag));
        parts.extend(self.tempo.map(Part::Tempo));
        if self.instrumental {
            parts.push(Part::Instrumental);
        }
        if self.favourites {
            parts.push(Part::Favourites);
        }
        parts
    }

    /// This filter with `part` put in.
    pub(super) fn with(&self, part: &Part) -> Self {
        let mut filter = self.clone();
        match part {
            Part::Text => {}
            Part::Tag(tag) => {
                if !filter.tags.contains(tag) {
                    filter.tags.push(tag.clone());
                }
            }
            Part::Tempo(range) => filter.tempo = Some(*range),
            Part::Instrumental => filter.instrumental = true,
            Part::Favourites => filter.favourites = true,
        }
        filter
    }

    /// This filter with `part` taken out.
    pub(super) fn without(&self, part: &Part) -> Self {
        let mut filter = self.clone();
        match part {
            Part::Text => filter.text.clear(),
            Part::Tag(tag) => filter.tags.retain(|known| known != tag),
            Part::Tempo(_) => filter.tempo = None,
            Part::Instrumental => filter.instrumental = false,
            Part::Favourites => filter.favourites = false,
        }
        filter
    }

    /// Whether `track` has everything.
    pub(super) fn takes(&self, track: &Track) -> bool {
        let has_tag = |wanted: &String| track.tags.iter().any(|tag| tag.eq_ignore_ascii_case(wanted));
        self.tags.iter().all(has_tag) && self.takes_locally(track) && self.takes_words(track)
    }

    /// The part of [`Filter::takes`] that the engine does not know.
    pub(super) fn takes_locally(&self, track: &Track) -> bool {
        let tempo = self.tempo.is_none_or(|range| {
            track
                .description
                .tempo_bpm
                .is_some_and(|tempo_bpm| range.holds(tempo_bpm))
        });
        tempo && !(self.instrumental && track.has_vocals) && (track.favourite || !self.favourites)
    }

    fn takes_words(&self, track: &Track) -> bool {
        let words = self.text.to_lowercase();
        if words.trim().is_empty() {
            return true;
        }
        let mut text = track.title.to_lowercase();
        for more in track.artist.iter().chain(&track.tags) {
            text.push(' ');
            text.push_str(&more.to_lowercase());
        }
        words.split_whitespace().all(|word| text.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::TrackId;
    use crate::signal::features::Description;

    fn track() -> Track {
        Track {
            id: TrackId(1),
            path: "a.opus".into(),
            title: "Embers over water".into(),
            artist: Some("M. Sato".into()),
            tags: vec!["Tense".into(), "strings".into()],
            licence: None,
            duration_s: 90.0,
            loudness_lufs: Some(-18.0),
            description: Description {
                tempo_bpm: Some(96.0),
                ..Description::default()
            },
            has_vocals: true,
            peaks: Vec::new(),
            favourite: false,
            hidden: false,
            missing: false,
            problem: None,
        }
    }

    #[test]
    fn each_part_narrows() {
        let check = |filter: Filter, expected: bool| {
            assert_eq!(filter.takes(&track()), expected, "{filter:?}");
        };
        let none = Filter::default();
        check(none.clone(), true);
        check(
            Filter {
                text: "sato embers".into(),
                ..none.clone()
            },
            true,
        );
        check(
            Filter {
                text: "sato dawn".into(),
                ..none.clone()
            },
            false,
        );
        check(none.with(&Part::Tag("tense".into())), true);
        check(none.with(&Part::Tag("calm".into())), false);
        check(none.with(&Part::Tempo(TempoRange::Medium)), true);
        check(none.with(&Part::Tempo(TempoRange::Fast)), false);
        check(none.with(&Part::Instrumental), false);
        check(none.with(&Part::Favourites), false);
    }

    #[test]
    fn a_part_goes_in_and_out() {
        let filter = Filter {
            text: "x".into(),
            ..Filter::default()
        };
        for part in [
            Part::Tag("calm".into()),
            Part::Tempo(TempoRange::Slow),
            Part::Instrumental,
            Part::Favourites,
        ] {
            let with = filter.with(&part);
            assert!(with.parts().contains(&part));
            assert_eq!(with.without(&part), filter);
        }
        assert!(filter.without(&Part::Text).is_empty());
    }
}
