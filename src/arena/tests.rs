//! Nothing trivial identifies a pair: probes that must stay at chance, and a corpus of two videos from end to end.

use super::draft::{Draft, Tools};
use super::draw::stream;
use super::generate::{GenerateRequest, best, generate};
use super::music::{self, Player};
use super::sound::{Biquad, active_rms, rms, samples};
use super::speech::{self, Engine};
use crate::error::Result;
use crate::jobs::Monitor;
use crate::media::{self, AudioFormat};
use crate::retrieval::rank_of;
use crate::training::corpus::{Corpus, Split};

/// What every machine has: drafts need no program to be drawn.
fn tools() -> Tools {
    Tools {
        engines: Engine::ALL.to_vec(),
        fonts: Vec::new(),
    }
}

fn drafts(null: bool, split: Split, count: usize) -> Vec<Draft> {
    (1..=count)
        .map(|number| Draft::new(11, null, split, number, &tools()))
        .collect()
}

/// Where the truth stands among all candidates on average, 0 first and 1 last; 0.5 is chance.
fn mean_place(scores: &[Vec<f32>]) -> f64 {
    let places = scores
        .iter()
        .enumerate()
        .map(|(truth, row)| (rank_of(row, truth) - 1) as f64 / (row.len() - 1) as f64);
    places.sum::<f64>() / scores.len() as f64
}

/// Ranks by how near one number of each query is to one of each candidate.
fn nearness(queries: &[f32], candidates: &[f32]) -> Vec<Vec<f32>> {
    let row = |query: &f32| {
        candidates
            .iter()
            .map(|candidate| -(query - candidate).abs())
            .collect()
    };
    queries.iter().map(row).collect()
}

/// Correlation of two columns.
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f32, f32) -> f32| a.iter().zip(b).map(|(&x, &y)| f(x - ma, y - mb)).sum::<f32>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt().max(1e-12)
}

#[test]
fn lengths_levels_and_codecs_are_drawn_without_regard_to_the_story() {
    let drafts = drafts(false, Split::Train, 600);
    let column = |of: &dyn Fn(&Draft) -> f32| drafts.iter().map(of).collect::<Vec<f32>>();
    let arousal = column(&|draft| draft.story.middle().arousal);
    let valence = column(&|draft| draft.story.middle().valence);
    let length = column(&|draft| draft.duration_s as f32);
    let rest = column(&|draft| (draft.track_s - draft.in_point_s) as f32);
    let free: [(&str, Vec<f32>); 6] = [
        ("bed", column(&|draft| draft.desk.bed_db)),
        ("sounds", column(&|draft| draft.desk.sounds_db)),
        ("level", column(&|draft| draft.desk.level_db)),
        ("codec", column(&|draft| draft.bitrates.sound as f32)),
        ("in point", column(&|draft| draft.in_point_s as f32)),
        (
            "container",
            column(&|draft| f32::from(u8::from(draft.extension == "webm"))),
        ),
    ];
    let check = |name: &str, a: &[f32], b: &[f32]| {
        // Four standard errors.
        let r = correlation(a, b);
        assert!(r.abs() < 4.0 / (600f32).sqrt(), "{name}: {r}");
    };
    check("lengths", &length, &rest);
    for (name, values) in &free {
        for other in [&arousal, &valence, &length, &rest] {
            check(name, values, other);
        }
    }
    for other in [&arousal, &valence] {
        check("video's length", &length, other);
        check("track's length", &rest, other);
    }
    let place = mean_place(&nearness(&length, &rest));
    assert!((place - 0.5).abs() < 0.06, "lengths rank the truth at {place}");
    assert!(drafts.iter().all(|draft| draft.duration_s >= 32.0));
    assert!(
        drafts
            .iter()
            .all(|draft| draft.track_s - draft.in_point_s > draft.duration_s)
    );
}

#[test]
fn the_null_corpus_has_nothing_to_find() {
    let found = |null: bool| {
        let told: Vec<_> = drafts(null, Split::Test, 162)
            .into_iter()
            .map(|draft| draft.told)
            .collect();
        best(&told)
    };
    let (bound, null) = (found(false), found(true));
    assert!(bound.r1 > 60.0 && bound.r10 > 95.0, "{bound:?}");
    assert!(null.r10 < 13.0, "{null:?}");
}

#[test]
fn a_draft_does_not_depend_on_how_many_there_are() {
    let (few, many) = (drafts(false, Split::Test, 3), drafts(false, Split::Test, 9));
    for (a, b) in few.iter().zip(&many) {
        assert_eq!((&a.id, &a.told, a.duration_s), (&b.id, &b.told, b.duration_s));
    }
    assert_ne!(many[0].told, many[1].told);
}

/// The envelope's movements faster than a step of the story: levels of 50 ms less their mean over 4 s.
fn fast_envelope(sound: &[f32]) -> Vec<f32> {
    let levels: Vec<f32> = sound
        .chunks(samples(0.05))
        .map(|block| (rms(block) + 1e-4).ln())
        .collect();
    let half = 40;
    (0..levels.len())
        .map(|at| {
            let near = &levels[at.saturating_sub(half)..(at + half).min(levels.len())];
            levels[at] - near.iter().sum::<f32>() / near.len() as f32
        })
        .collect()
}

/// Where a sound's spectrum ends: level above 12 kHz against the whole, dB; codecs and microphones leave it.
fn edge_db(sound: &[f32]) -> f32 {
    let mut low = sound.to_vec();
    Biquad::low_pass(12_000.0).run(&mut low);
    let high: Vec<f32> = sound.iter().zip(&low).map(|(x, y)| x - y).collect();
    20.0 * ((rms(&high) + 1e-7) / (rms(sound) + 1e-7)).log10()
}

/// Voices and tracks of videos as they are rendered, the first `seconds` of each, mono.
fn rendered(count: usize, seconds: f64) -> Result<Vec<(Vec<f32>, Vec<f32>)>> {
    let monitor = Monitor::silent();
    drafts(false, Split::Test, count)
        .into_iter()
        .map(|draft| {
            let lot = |name: &str| stream(5, &format!("{} {name}", draft.id));
            let narrator = speech::Narrator::draw(draft.split, &[Engine::Espeak], &mut lot("narrator"));
            let voice = speech::narrate(
                &narrator,
                &draft.told.voice,
                draft.split,
                seconds,
                &mut lot("narration"),
                &monitor,
            )?;
            let length_s = draft.in_point_s + seconds;
            let score = music::compose(&draft.track, length_s, draft.split, &mut lot("score"));
            let player = Player::Own(draft.split);
            let track = music::perform(&score, player, &draft.track, &mut lot("performance"), &monitor)?;
            let heard = &track[2 * samples(draft.in_point_s)..];
            let mono = heard
                .chunks_exact(2)
                .map(|pair| f32::midpoint(pair[0], pair[1]))
                .collect();
            Ok((voice, mono))
        })
        .collect()
}

#[test]
fn levels_envelopes_and_spectral_edges_rank_no_better_than_chance() -> Result<()> {
    if !Engine::Espeak.is_installed() {
        eprintln!("skipped: espeak-ng is not installed");
        return Ok(());
    }
    let pairs = rendered(20, 16.0)?;
    let near = |of: &dyn Fn(&[f32]) -> f32| {
        let of_voice: Vec<f32> = pairs.iter().map(|(voice, _)| of(voice)).collect();
        let of_track: Vec<f32> = pairs.iter().map(|(_, track)| of(track)).collect();
        nearness(&of_voice, &of_track)
    };
    let envelopes: Vec<(Vec<f32>, Vec<f32>)> = pairs
        .iter()
        .map(|(voice, track)| (fast_envelope(voice), fast_envelope(track)))
        .collect();
    let together: Vec<Vec<f32>> = envelopes
        .iter()
        .map(|(voice, _)| {
            envelopes
                .iter()
                .map(|(_, track)| correlation(voice, track))
                .collect()
        })
        .collect();
    let apart: Vec<Vec<f32>> = together
        .iter()
        .map(|row| row.iter().map(|r| -r).collect())
        .collect();
    let probes = [
        ("level", near(&|sound| active_rms(sound).ln())),
        (
            "peak",
            near(&|sound| sound.iter().fold(0.0, |a, x| x.abs().max(a))),
        ),
        ("edge", near(&edge_db)),
        ("envelopes together", together),
        ("envelopes apart", apart),
    ];
    for (name, scores) in &probes {
        let place = mean_place(scores);
        // Three standard errors of the mean of 20 uniform places.
        assert!((place - 0.5).abs() < 0.2, "{name} ranks the truth at {place:.2}");
    }
    Ok(())
}

#[test]
fn two_videos_from_end_to_end() -> Result<()> {
    if !Engine::Espeak.is_installed() {
        eprintln!("skipped: espeak-ng is not installed");
        return Ok(());
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let request = GenerateRequest {
        train: 1,
        test: 1,
        ..GenerateRequest::new(&folder.path().join("arena"))
    };
    std::fs::create_dir_all(&request.out).expect("folder");
    let made = generate(&request, &Monitor::silent())?;
    assert_eq!((made.train, made.val, made.test, made.kept), (1, 0, 1, 0));
    let corpus = Corpus::open(&request.out)?;
    assert!(corpus.rejected.is_empty());
    for item in &corpus.items {
        let info = media::probe(&item.video)?;
        assert!((33.0..60.2).contains(&info.duration_s) && !info.video.is_empty());
        let clip = |path: &std::path::Path| {
            media::decode_audio(path, AudioFormat::MIX, 0.0, Some(8.0), &Monitor::silent())
        };
        let voice = clip(item.voice.as_deref().expect("voice"))?;
        let mix = clip(&item.video)?;
        let left = |sound: &[f32]| sound.iter().step_by(2).copied().collect::<Vec<f32>>();
        let length = voice.len().min(mix.len());
        let likeness = correlation(&left(&voice[..length]), &left(&mix[..length]));
        assert!(likeness > 0.8, "the voice is in front and in step: {likeness}");
        let track = media::probe(item.bgm.as_deref().expect("BGM"))?.duration_s;
        assert!(track > info.duration_s, "the track is longer than the video");
        assert_eq!(item.tags.len(), 2);
    }
    let again = generate(&request, &Monitor::silent())?;
    assert_eq!(again.kept, 2);
    let other = GenerateRequest { seed: 1, ..request };
    let refused = generate(&other, &Monitor::silent()).expect_err("another seed");
    assert!(refused.to_string().contains("another seed"), "{refused}");
    assert_eq!(made.generator.len(), 64);
    Ok(())
}
