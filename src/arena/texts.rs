//! What the voice says: short sentences whose words fit the mood and the scene.
//!
//! A sentence belongs to one split by the hash of its words, so that no sentence is both learnt from and tested on.
//! Which words go with which quarter of the plane follows the norms of Warriner, Kuperman and Brysbaert (2013) in
//! direction; a synthesised voice's words reach the listener as sounds only, so nothing rests on them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::draw::pick;
use super::story::{Mood, Scene};
use crate::training::corpus::Split;

/// Words for one quarter of the plane; a sentence is opening, subject, doing, ending.
struct Quarter {
    openings: &'static [&'static str],
    doings: &'static [&'static str],
    endings: &'static [&'static str],
}

const JOYFUL: Quarter = Quarter {
    openings: &[
        "Yes",
        "Look at this",
        "Oh wow",
        "Come on",
        "Here we go",
        "Unbelievable",
        "Hey everybody",
        "Watch this",
        "That is it",
        "Ha",
    ],
    doings: &[
        "just won everything",
        "flies over the wall",
        "lands the perfect shot",
        "is dancing again",
        "takes the crown",
        "jumps right through",
        "found the golden key",
        "scores again and again",
        "makes it at the last second",
    ],
    endings: &[
        "what a party!",
        "I love it!",
        "that was amazing!",
        "best day ever!",
        "give it up for us!",
        "incredible!",
        "let us do it again!",
        "we are on fire!",
    ],
};

const PEACEFUL: Quarter = Quarter {
    openings: &[
        "Well",
        "You know",
        "Take your time",
        "So",
        "Now and then",
        "Breathe in",
        "It is lovely here",
        "My dear friends",
        "All is well",
        "Gently now",
    ],
    doings: &[
        "walks along the water",
        "rests under a tree",
        "finds an old friend",
        "waters the garden",
        "looks at the stars",
        "hums a little song",
        "shares some warm bread",
        "is home at last",
        "watches the clouds go by",
    ],
    endings: &[
        "no need to hurry.",
        "how nice it is.",
        "and everyone is fine.",
        "I could stay all day.",
        "it is so quiet here.",
        "what a gentle morning.",
        "good night, little one.",
        "thank you for being here.",
    ],
};

const TENSE: Quarter = Quarter {
    openings: &[
        "No",
        "Watch out",
        "Behind you",
        "Get back",
        "Stop it",
        "Damn it",
        "Run",
        "They are coming",
        "Hurry up",
        "Enough",
    ],
    doings: &[
        "is breaking the gate",
        "lost half the team",
        "burns everything down",
        "will not let us go",
        "blocks the only way",
        "hits us again",
        "is right behind us",
        "cheated all along",
        "takes another deadly blow",
    ],
    endings: &[
        "get out of there!",
        "this is war!",
        "we are going to die!",
        "I hate this!",
        "shoot, shoot now!",
        "it is a trap!",
        "do not let go!",
        "how dare you!",
    ],
};

const GLOOMY: Quarter = Quarter {
    openings: &[
        "I am sorry",
        "It is over",
        "Once more",
        "In the dark",
        "After all that",
        "Nobody came",
        "Too late",
        "Long ago",
        "So we failed",
        "Well then",
    ],
    doings: &[
        "is gone for good",
        "never came back",
        "waits alone in the rain",
        "lost the only home",
        "buries an old friend",
        "forgot the way",
        "has nothing left",
        "grows cold and still",
        "walks off without a word",
    ],
    endings: &[
        "and it will not return.",
        "I miss those days.",
        "there is nothing to say.",
        "what was it all for.",
        "it hurts.",
        "the light is going out.",
        "we had no chance.",
        "I am so tired.",
    ],
};

const SUBJECTS: [&[&str]; 8] = [
    &[
        "the red team",
        "our knight",
        "the last boss",
        "the blue captain",
        "their archer",
        "the giant",
    ],
    &[
        "the driver",
        "that little thief",
        "the hunter",
        "the black wagon",
        "our runner",
        "the dog",
    ],
    &[
        "the traveller",
        "the old caravan",
        "a lonely rider",
        "the river",
        "our guide",
        "the whole valley",
    ],
    &[
        "the robot",
        "the strange machine",
        "the detective",
        "somebody",
        "the locked door",
        "the writing",
    ],
    &[
        "the champion",
        "the young queen",
        "our school",
        "the winner",
        "the chorus",
        "the judge",
    ],
    &[
        "the baker",
        "my neighbour",
        "the whole village",
        "a merchant",
        "the fisherman",
        "the children",
    ],
    &[
        "the miner",
        "something down here",
        "the ghost",
        "our torch",
        "the stone guard",
        "the spider",
    ],
    &[
        "player one",
        "the pilot",
        "the little ship",
        "the neon city",
        "the goalkeeper",
        "the high score",
    ],
];

/// Sixteenths of all sentences that each split may say.
fn split_of(text: &str) -> Split {
    match Sha256::digest(text.as_bytes())[0] % 16 {
        0..=9 => Split::Train,
        10 | 11 => Split::Val,
        _ => Split::Test,
    }
}

/// A sentence for `mood` and `scene` that belongs to `split`.
pub(super) fn sentence(mood: Mood, scene: Scene, split: Split, rng: &mut ChaCha8Rng) -> String {
    loop {
        // Near an axis words of either side are heard.
        let leans = |value: f32, rng: &mut ChaCha8Rng| value + 0.3 * rng.random_range(-1.0..1.0f32) >= 0.0;
        let quarter = match (leans(mood.valence, rng), leans(mood.arousal, rng)) {
            (true, true) => &JOYFUL,
            (true, false) => &PEACEFUL,
            (false, true) => &TENSE,
            (false, false) => &GLOOMY,
        };
        let (opening, doing) = (pick(rng, quarter.openings), pick(rng, quarter.doings));
        let subject = pick(rng, SUBJECTS[scene.index()]);
        let ending = pick(rng, quarter.endings);
        let text = match rng.random_range(0..4) {
            0 => format!("{opening}, {subject} {doing}."),
            1 => format!("{subject} {doing}, {ending}"),
            2 => format!("{opening}, {subject} {doing}, {ending}"),
            _ => format!("{opening}, {ending}"),
        };
        if split_of(&text) == split {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::draw::stream;
    use std::collections::HashSet;

    #[test]
    fn no_sentence_is_in_two_splits_and_there_are_enough() {
        let said = |split: Split| -> HashSet<String> {
            let mut rng = stream(1, split.word());
            (0..3000)
                .map(|_| {
                    let mood = Mood {
                        valence: rng.random_range(-1.0..1.0),
                        arousal: rng.random_range(-1.0..1.0),
                    };
                    let scene = *pick(&mut rng, &Scene::ALL);
                    sentence(mood, scene, split, &mut rng)
                })
                .collect()
        };
        let all = [Split::Train, Split::Val, Split::Test].map(said);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert!(all[a].is_disjoint(&all[b]));
        }
        assert!(
            all[0].len() > 1500 && all[2].len() > 1000,
            "{} {}",
            all[0].len(),
            all[2].len()
        );
    }
}
