//! Made-up features for MRCMV's heads, for tests and measurements.

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use undertone::error::Result;
use undertone::training::{Cut, Example};

/// Items whose music follows from voice and picture: the same few numbers, turned, plus noise. Slow rows are 12 wide, fast
/// ones 6, sounds 16.
pub(crate) fn related(items: usize, seed: u64) -> Result<Vec<Cut>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut cuts = Vec::new();
    for _ in 0..items {
        let mood: Vec<f32> = (0..6).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut rows = |count: usize, width: usize, shift: usize| -> Result<Tensor> {
            let values: Vec<f32> = (0..count * width)
                .map(|at| mood[(at % width + shift) % 6] + rng.random_range(-0.3..0.3))
                .collect();
            Ok(Tensor::from_vec(values, (count, width), &Device::Cpu)?)
        };
        cuts.push(Cut {
            start_s: 0.0,
            picture: Some((rows(8, 12, 1)?, rows(64, 6, 2)?)),
            voices: vec![rows(72, 16, 3)?],
            bgms: vec![rows(72, 16, 4)?],
        });
    }
    Ok(cuts)
}

/// Each cut as an item of its own.
pub(crate) fn examples(cuts: &[Cut]) -> Vec<Example> {
    cuts.iter()
        .enumerate()
        .map(|(index, cut)| Example {
            video: index,
            bgm: index,
            duration_s: 20.0,
            cuts: vec![cut.clone()],
        })
        .collect()
}
