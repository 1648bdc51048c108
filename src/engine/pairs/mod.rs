//! The pairs that training learns from: cached features of random cuts, paired so that the separated voice does not
//! betray the music it was cut from (reading, point 7).
//!
//! - *Swapped*, where the corpus has an item's clean voice and clean track: the query's voice is separated from a mix of that voice with
//!   another video's music; the candidate is the clean, un-ducked track. Nothing of the candidate was ever in the
//!   query's sound. The other video's music is by lot its clean track, or what separation leaves of that video's mix beside
//!   the voice: the track as it was edited, with the sounds of the game. Levels, ducking and codec are drawn by lot.
//! - *Masked*, where there is only the mix: query and candidate windows lie a clip apart where the video is long enough, and random gains run over
//!   both stems. That hides the trace and does not remove it, so it is never called leak-free. Where one of the two clean
//!   stems is there, its side is made of it, and the pair is called masked all the same. Music that is recognised as a track
//!   of the library counts as its clean track.
//! - *Paper*, where swapping is off: both stems of one window of one mix.
//!
//! The paper and the reading draw anew in every epoch. Features of a new draw need separation, VGGish and SlowFast again,
//! seconds an item. So a few draws of each item are made before the first epoch, and [`Renewal`] replaces them one by one
//! while the run goes on: every item once in so many epochs, or in every epoch where the run is asked for that.

mod item;
mod renewal;
mod sounds;

use std::collections::HashMap;

use serde::Serialize;

use super::clips::{Keep, Picture};
use super::corpus::{Inspected, Usable};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::training::corpus::Split;
use crate::training::{Cut, Example};
pub(super) use item::Maker;
use item::Way;
pub(super) use renewal::Renewal;

/// What training learns from, and what it watches: of pictures `P`, of sounds `S`.
pub(super) struct Pairs<'a, P, S> {
    pub(super) examples: Vec<Example<P, S>>,
    /// The tags of each example.
    pub(super) tags: Vec<Vec<String>>,
    /// The first 32 s of each validation item, both stems from its mix as in the protocol `separated`.
    pub(super) validation: Vec<Cut<P, S>>,
    /// "leak-free", "masked" or "paper".
    pub(super) pairing: &'static str,
    /// Items whose music is a track of the library.
    pub(super) recognised: usize,
    /// Items passed over, and why.
    pub(super) rejected: Vec<(String, String)>,
    /// The item of each example, and how it was made.
    made: Vec<(&'a Usable, Way)>,
}

/// What was understood of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Understood {
    /// Its id.
    pub id: String,
    /// Whether it is held out to watch the recall, or learnt from.
    pub held_out: bool,
    /// Cuts of 32 s with music.
    pub cuts: usize,
    /// Those of them in which a voice-over is heard.
    pub voices: usize,
    /// Whether there is a picture.
    pub picture: bool,
    /// Where the voice comes from.
    pub voice_from: Source,
    /// Where the music comes from.
    pub music_from: Source,
}

/// Where a stem comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The mix, by separation.
    Separated,
    /// The corpus, which has it clean.
    Clean,
    /// The library, which has the track that was recognised.
    Library,
}

/// How pairs are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    /// Both sides swapped where the corpus allows.
    pub(super) leak_free: bool,
    /// Windows kept of each longer video.
    pub(super) cuts: usize,
    /// Draws of each cut's sounds: mixes of a voice, levels of a track, windows of a stem.
    pub(super) renderings: usize,
    pub(super) seed: u64,
    /// The picture alone asks: an item without one is passed over, and voices are not needed.
    pub(super) visual_only: bool,
}

/// Makes or reads the features of all training and validation items. An item that fails is passed over. `on_item` sees each
/// once it is there.
pub(super) fn pairs<'a, P: Picture, S: Keep>(
    maker: &Maker<'_>,
    corpus: &'a Inspected,
    on_item: &dyn Fn(Understood),
    monitor: &Monitor,
) -> Result<Pairs<'a, P, S>> {
    let train: Vec<&Usable> = corpus.split(Split::Train).collect();
    let validation: Vec<&Usable> = corpus.split(Split::Val).collect();
    let mut names = Identities::default();
    let mut pairs = Pairs {
        examples: Vec::new(),
        tags: Vec::new(),
        validation: Vec::new(),
        pairing: "paper",
        recognised: 0,
        rejected: Vec::new(),
        made: Vec::new(),
    };
    let count = train.len() + validation.len();
    for (number, &item) in train.iter().chain(&validation).enumerate() {
        monitor.check()?;
        let part = monitor.part(number as f32 / count as f32, (number + 1) as f32 / count as f32);
        part.progress(&format!("Understanding {}", item.id), Some(0.0));
        let quiet = part.unseen();
        let made = if item.split == Split::Train {
            maker.example(item, &quiet).map(|made| {
                pairs.made.push((item, made.way));
                pairs.tags.push(item.tags.clone());
                pairs.recognised += usize::from(made.track.is_some());
                pairs.examples.push(Example {
                    video: names.of(&item.video.sha256),
                    bgm: names.of(made.track.as_deref().unwrap_or(item.bgm_identity())),
                    duration_s: item.video.duration_s,
                    cuts: made.cuts,
                });
                made.understood
            })
        } else {
            maker.first_clip(item, &quiet).map(|cut| {
                let separated = (Source::Separated, Source::Separated);
                let understood = understood(item, std::slice::from_ref(&cut), separated);
                pairs.validation.push(cut);
                understood
            })
        };
        match made {
            Ok(understood) => on_item(understood),
            Err(error) if stops_all(&error) => return Err(error),
            Err(error) => pairs.rejected.push((item.id.clone(), error.to_string())),
        }
    }
    let made_in = |wanted: Way| pairs.made.iter().any(|(_, way)| *way == wanted);
    if made_in(Way::Masked) {
        pairs.pairing = "masked";
    } else if made_in(Way::Swapped) {
        pairs.pairing = "leak-free";
    }
    Ok(pairs)
}

/// Numbers for names.
#[derive(Default)]
struct Identities(HashMap<String, usize>);

impl Identities {
    fn of(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

fn understood<P, S>(item: &Usable, cuts: &[Cut<P, S>], from: (Source, Source)) -> Understood {
    Understood {
        id: item.id.clone(),
        held_out: item.split == Split::Val,
        cuts: cuts.len(),
        voices: cuts.iter().filter(|cut| !cut.voices.is_empty()).count(),
        picture: item.picture,
        voice_from: from.0,
        music_from: from.1,
    }
}

/// Whether an error is of more than one item's files.
fn stops_all(error: &Error) -> bool {
    let everywhere = matches!(
        error.kind(),
        ErrorKind::Cancelled | ErrorKind::Device | ErrorKind::Memory | ErrorKind::Internal
    );
    everywhere || error.is_disk_full()
}
