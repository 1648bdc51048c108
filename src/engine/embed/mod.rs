//! From media to embeddings: every stage of a query and of a BGM window.

mod bgm;
mod clip;
mod kept;
mod query;
mod stages;

pub use bgm::{BgmWindow, WINDOW_HOP_S, embed_bgm};
pub use clip::CLIP_S;
pub(super) use clip::{Audible, repeat_to_clip};
pub(super) use kept::{KeptRows, Question};
pub(super) use query::join;
pub use query::{QueryFeatures, QueryTimings, VoiceSource, embed_query};
pub(super) use stages::{is_silent, picture_bytes, picture_rows};
