use std::collections::HashSet;

use super::*;
use crate::arena::draw::stream;
use crate::arena::sound::rms;
use crate::arena::story::{Mood, Scene, Side, Story};

fn steady(valence: f32, arousal: f32) -> Telling {
    Telling {
        scene: Scene::Journey,
        path: vec![Mood { valence, arousal }],
        shift_s: 0.0,
        before_s: 0.0,
    }
}

fn piece(telling: &Telling, split: Split, seed: u64) -> Score {
    compose(telling, 40.0, split, &mut stream(seed, "piece"))
}

fn mean(valence: f32, arousal: f32, of: impl Fn(&Score) -> f32) -> f32 {
    (0..12)
        .map(|seed| of(&piece(&steady(valence, arousal), Split::Train, seed)))
        .sum::<f32>()
        / 12.0
}

fn pitched(score: &Score) -> impl Iterator<Item = &score::Note> {
    score
        .parts
        .iter()
        .filter(|part| !part.drums)
        .flat_map(|part| &part.notes)
}

#[test]
fn the_directions_are_those_of_the_literature() {
    let notes = |score: &Score| score.parts.iter().map(|part| part.notes.len()).sum::<usize>() as f32;
    let velocity = |score: &Score| {
        pitched(score).map(|note| f32::from(note.velocity)).sum::<f32>() / pitched(score).count() as f32
    };
    let length =
        |score: &Score| pitched(score).map(|note| note.length_s).sum::<f32>() / pitched(score).count() as f32;
    let register = |score: &Score| {
        pitched(score).map(|note| f32::from(note.key)).sum::<f32>() / pitched(score).count() as f32
    };
    assert!(mean(0.0, 0.8, notes) > 3.0 * mean(0.0, -0.8, notes));
    assert!(mean(0.0, 0.8, velocity) > 25.0 + mean(0.0, -0.8, velocity));
    assert!(mean(0.0, 0.8, length) < 0.5 * mean(0.0, -0.8, length));
    assert!(mean(0.8, 0.0, register) > 4.0 + mean(-0.8, 0.0, register));
}

/// What a piece is made of whatever its key, tempo and instruments: every run of six intervals of its melodies.
fn fingerprint(score: &Score) -> HashSet<[i16; 6]> {
    let mut runs = HashSet::new();
    for part in score.parts.iter().filter(|part| !part.drums) {
        let mut notes: Vec<&score::Note> = part.notes.iter().collect();
        notes.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        let intervals: Vec<i16> = notes
            .windows(2)
            .filter(|pair| pair[1].start_s - pair[0].start_s > 0.03)
            .map(|pair| i16::from(pair[1].key) - i16::from(pair[0].key))
            .collect();
        let moving = |run: &&[i16]| run.iter().any(|&step| step != run[0]);
        runs.extend(
            intervals
                .windows(6)
                .filter(moving)
                .map(|run| std::array::from_fn::<i16, 6, _>(|at| run[at])),
        );
    }
    runs
}

/// Part of `score`'s runs that `other` has too, 0..=1.
fn shared(score: &Score, other: &Score) -> f64 {
    let (own, theirs) = (fingerprint(score), fingerprint(other));
    own.intersection(&theirs).count() as f64 / own.len().max(1) as f64
}

#[test]
fn no_track_is_another_and_no_split_shares_a_composition() {
    let pieces = |split: Split, count: u64| -> Vec<Score> {
        (0..count)
            .map(|seed| {
                let mut rng = stream(seed, split.word());
                let story = Story::draw(&mut rng);
                let telling = Telling::of(&story, Side::Bgm, &mut rng);
                compose(&telling, 60.0, split, &mut rng)
            })
            .collect()
    };
    let all: Vec<Score> = [pieces(Split::Train, 24), pieces(Split::Test, 12)].concat();
    for (place, score) in all.iter().enumerate() {
        for other in &all[place + 1..] {
            let part = shared(score, other);
            assert!(part < 0.35, "two tracks share {part} of their melodies");
        }
        assert_eq!(shared(score, score), 1.0);
    }
}

#[test]
fn our_own_timbres_answer_the_mood_and_fill_the_time() -> Result<()> {
    let sound = |valence: f32, arousal: f32| -> Result<Vec<f32>> {
        let telling = steady(valence, arousal);
        let score = piece(&telling, Split::Test, 3);
        let mut rng = stream(3, "sound");
        perform(
            &score,
            Player::Own(Split::Test),
            &telling,
            &mut rng,
            &Monitor::silent(),
        )
    };
    let brightness = |stereo: &[f32]| {
        let mut left: Vec<f32> = stereo.iter().step_by(2).copied().collect();
        let whole = rms(&left);
        Biquad::high_shelf(2500.0, -40.0).run(&mut left);
        1.0 - rms(&left) / whole
    };
    let (calm, excited) = (sound(-0.5, -0.8)?, sound(0.5, 0.8)?);
    assert_eq!(calm.len(), 2 * 40 * RATE as usize);
    assert!(excited.iter().all(|x| x.abs() <= 1.0));
    assert!(brightness(&excited) > brightness(&calm));
    // Mastering leaves the level to chance.
    for stereo in [&calm, &excited] {
        let db = 20.0 * active_rms(stereo).log10();
        assert!((-22.0..-12.0).contains(&db), "{db}");
    }
    Ok(())
}
