//! *arena*: a corpus like the paper's, made by lot from a seed.
//!
//! Short videos of one game's few arenas with a voice-over and a BGM, mixed as editors do. One [`Story`], a path through the
//! plane of valence and arousal and a type of scene, stands behind each; voice, picture and music tell it each with noise of
//! its own ([`Telling`]) and share nothing else:
//!
//! - each side draws from a stream of its own (`draw`), and steps begin up to 1.5 s apart;
//! - a video's length and the track's length and in point are drawn without regard to the story or each other;
//! - levels, ducking, rooms, mastering and codecs are drawn without regard to the story;
//! - train, val and test share no voice, sentence, harmony, melody, soundfont, timbre or arena.
//!
//! How moods become sounds and pictures, and from which literature, stands beside the constants: `prosody`,
//! `music::character`, `picture`. With `null` the three sides tell independent stories, and nothing is left to find.
//!
//! The pure part (story, texts, score, our own timbres, pictures, mix) needs no other program; voices come from
//! espeak-ng, flite and festival, and tracks also from fluidsynth with the distribution's soundfonts.

mod draft;
mod draw;
mod effects;
mod generate;
mod mixdown;
mod music;
mod picture;
mod programs;
mod prosody;
mod sound;
mod speech;
mod stem;
mod story;
mod texts;
mod version;

pub use generate::{GenerateReport, GenerateRequest, generate};
pub use story::{Mood, STEP_S, STEPS, Scene, Story, Telling, Told, ceiling};
pub use version::version;

#[cfg(test)]
mod tests;
