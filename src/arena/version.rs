//! Which generator this is.

use sha2::{Digest, Sha256};

use crate::checksum::hex;

/// Everything that decides what a corpus holds.
const SOURCES: [&str; 22] = [
    include_str!("draft.rs"),
    include_str!("draw.rs"),
    include_str!("effects.rs"),
    include_str!("generate.rs"),
    include_str!("mixdown.rs"),
    include_str!("music/character.rs"),
    include_str!("music/compose.rs"),
    include_str!("music/idiom.rs"),
    include_str!("music/midi.rs"),
    include_str!("music/mod.rs"),
    include_str!("music/score.rs"),
    include_str!("music/synth.rs"),
    include_str!("picture/arena.rs"),
    include_str!("picture/mod.rs"),
    include_str!("picture/play.rs"),
    include_str!("programs.rs"),
    include_str!("prosody.rs"),
    include_str!("sound.rs"),
    include_str!("speech.rs"),
    include_str!("stem.rs"),
    include_str!("story.rs"),
    include_str!("texts.rs"),
];

/// SHA-256 of the generator's source without its tests and comments: two generators of one version make the same
/// corpus of one seed with the same tools.
pub fn version() -> String {
    let mut hash = Sha256::new();
    for source in SOURCES {
        let code = source
            .split("\n#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        for line in code.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            hash.update(line);
            hash.update("\n");
        }
    }
    hex(&hash.finalize())
}
