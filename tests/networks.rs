//! Every network against its reference, on the same weights and inputs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they skip and measure"
)]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod golden;

use candle_core::{Device, IndexOp, Tensor, Var};
use candle_nn::VarMap;
use golden::{check, device, input, needs_device, noise, reference, weight, weights_here};
use undertone::error::Result;
use undertone::networks::mrcmv::{self, Mrcmv, Norm, Pool, Presence, QueryInput, QueryOutput};
use undertone::networks::slowfast::{self, SlowFast};
use undertone::networks::vggish::{self, Vggish};

fn small_mrcmv() -> mrcmv::Config {
    mrcmv::Config {
        slow_dim: 24,
        fast_dim: 6,
        d: 16,
        heads: 4,
        d_e: 20,
        ..mrcmv::Config::default()
    }
}

fn query_input(config: &mrcmv::Config) -> QueryInput {
    QueryInput {
        picture: Some((
            input("slow", (2, 8, config.slow_dim)),
            input("fast", (2, 64, config.fast_dim)),
        )),
        voice: Some(input("voice", (2, 72, config.d))),
    }
}

fn check_query(case: &str, output: &QueryOutput) {
    let expected = reference("mrcmv");
    check(case, &output.embedding, &expected[&format!("{case}.query")]);
    check(case, &output.voice_share, &expected[&format!("{case}.share")]);
}

fn check_mrcmv(case: &str, config: &mrcmv::Config) -> Result<()> {
    let network = Mrcmv::new(config, weights_here())?;
    let mut stages = 0;
    let expected = reference("mrcmv");
    let mut see = |stage: &str, actual: &Tensor| {
        let name = format!("{case}.{stage}");
        if let Some(expected) = expected.get(&name) {
            check(&name, actual, expected);
            stages += 1;
        }
    };
    let query = network.query_seeing(&query_input(config), &Presence::default(), 0.0, &mut see)?;
    let bgm = network.bgm_seeing(&input("bgm", (2, 72, config.d)), &mut see)?;
    // Five modules with their heads, the layer before and the gate behind them.
    assert_eq!(stages, if case == "small" { 12 } else { 0 }, "{case}");
    check_query(case, &query);
    check(case, &bgm, &reference("mrcmv")[&format!("{case}.bgm")]);
    Ok(())
}

#[test]
fn mrcmv_equals_its_equations() -> Result<()> {
    needs_device!();
    let small = small_mrcmv();
    check_mrcmv("small", &small)?;
    check_mrcmv("full", &mrcmv::Config::default())?;
    check_mrcmv(
        "no_sa",
        &mrcmv::Config {
            sa: false,
            ..small.clone()
        },
    )?;
    check_mrcmv(
        "no_cma",
        &mrcmv::Config {
            cma: false,
            ..small.clone()
        },
    )?;
    check_mrcmv(
        "no_gate",
        &mrcmv::Config {
            gate: false,
            ..small.clone()
        },
    )?;
    check_mrcmv(
        "before_sa",
        &mrcmv::Config {
            pool: Pool::BeforeSa,
            ..small.clone()
        },
    )?;
    check_mrcmv(
        "unit",
        &mrcmv::Config {
            norm: Norm::Unit,
            ..small.clone()
        },
    )?;
    check_mrcmv(
        "none",
        &mrcmv::Config {
            norm: Norm::None,
            ..small.clone()
        },
    )
}

#[test]
fn mrcmv_balances_the_gated_terms() -> Result<()> {
    needs_device!();
    let config = small_mrcmv();
    let network = Mrcmv::new(&config, weights_here())?;
    for (case, balance) in [
        ("picture_only", -1.0),
        ("toward_picture", -0.5),
        ("toward_voice", 0.25),
        ("voice_only", 1.0),
    ] {
        check_query(case, &network.query(&query_input(&config), balance)?);
    }
    Ok(())
}

#[test]
fn mrcmv_knows_absent_modalities() -> Result<()> {
    needs_device!();
    let config = small_mrcmv();
    let network = Mrcmv::new(&config, weights_here())?;
    let both = query_input(&config);
    let no_voice = QueryInput {
        voice: None,
        ..both.clone()
    };
    check_query("no_voice", &network.query(&no_voice, 0.0)?);
    let no_picture = QueryInput {
        picture: None,
        ..both.clone()
    };
    check_query("no_picture", &network.query(&no_picture, 0.0)?);
    let neither = QueryInput {
        picture: None,
        voice: None,
    };
    assert!(network.query(&neither, 0.0).is_err());
    check_query("dropout", &network.query_present(&both, &dropout()?, 0.0)?);
    Ok(())
}

/// The first query of two lacks its voice, the second its picture.
fn dropout() -> Result<Presence> {
    Ok(Presence {
        picture: Some(Tensor::new(&[1.0_f32, 0.0], &device())?),
        voice: Some(Tensor::new(&[0.0_f32, 1.0], &device())?),
    })
}

#[test]
fn gradients_of_mrcmv_equal_pytorchs() -> Result<()> {
    needs_device!();
    let config = small_mrcmv();
    let variables = VarMap::new();
    let vb = candle_nn::VarBuilder::from_varmap(&variables, candle_core::DType::F32, &device());
    let network = Mrcmv::new(&config, vb)?;
    let named: Vec<(String, Var)> = {
        let data = variables.data().lock().expect("variables");
        data.iter()
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect()
    };
    for (name, var) in &named {
        var.set(&weight(name, var.shape()).to_device(&device())?)?;
    }
    let query = network
        .query_present(&query_input(&config), &dropout()?, 0.0)?
        .embedding;
    let bgm = network.bgm(&input("bgm", (2, 72, config.d)))?;
    let loss = ((&query * input("towards_query", query.shape()))?.sum_all()?
        + (&bgm * input("towards_bgm", bgm.shape()))?.sum_all()?)?;
    let gradients = loss.backward()?;
    let expected = reference("mrcmv");
    assert_eq!(named.len(), 30);
    for (name, var) in &named {
        let gradient = gradients.get(var).expect("a gradient");
        check(name, gradient, &expected[&format!("gradient.{name}")]);
    }
    Ok(())
}

#[test]
fn an_embedding_of_zeros_is_finite() -> Result<()> {
    needs_device!();
    let config = small_mrcmv();
    let zeros = candle_nn::VarBuilder::zeros(candle_core::DType::F32, &device());
    let network = Mrcmv::new(&config, zeros)?;
    let output = network.query(&query_input(&config), 0.0)?;
    assert_eq!(output.embedding.i(0)?.to_vec1::<f32>()?, vec![0.0; config.d_e]);
    assert!(
        output
            .voice_share
            .to_vec1::<f32>()?
            .iter()
            .all(|share| share.is_nan())
    );
    Ok(())
}

#[test]
fn vggish_equals_torchvggish() -> Result<()> {
    needs_device!();
    let expected = reference("vggish");
    let patches = (input("patches", (3, 1, 96, 64)) * 4.0)?;
    let config = vggish::Config {
        width: 0.125,
        ..vggish::Config::default()
    };
    let network = Vggish::new(&config, weights_here())?;
    let mut pools: std::collections::BTreeMap<usize, Vec<Tensor>> = std::collections::BTreeMap::new();
    let embedding = network.forward_seeing(&patches, |place, x| {
        let means = x.mean((2, 3)).expect("means");
        pools.entry(place).or_default().push(means);
    })?;
    assert_eq!(pools.len(), 4);
    for (place, means) in pools {
        let name = format!("features.{place}");
        check(&name, &Tensor::cat(&means, 0)?, &expected[&name]);
    }
    check("original", &embedding, &expected["original"]);
    let config = vggish::Config {
        relu_last: true,
        ..config
    };
    let network = Vggish::new(&config, weights_here())?;
    check("relu_last", &network.forward(&patches)?, &expected["relu_last"]);
    assert!(network.forward(&input("patches", (3, 1, 64, 96))).is_err());
    let broken = vggish::Config {
        width: 0.01,
        ..config
    };
    assert!(Vggish::new(&broken, weights_here()).is_err());
    Ok(())
}

/// What the recipe teaches the ear with is what the program gives it.
#[test]
fn chroma_equals_the_recipes() -> Result<()> {
    const RATE: usize = 16_000;
    const CHORDS: [[f64; 4]; 4] = [
        [45.0, 57.0, 60.0, 64.0],
        [50.0, 57.0, 62.0, 65.0],
        [52.0, 56.0, 59.0, 64.0],
        [41.0, 57.0, 60.0, 65.0],
    ];
    let hiss: Vec<f32> = noise("hiss", 32 * RATE).to_vec1()?;
    let clip: Vec<f32> = hiss
        .iter()
        .enumerate()
        .map(|(at, hiss)| {
            let time = (at % (2 * RATE)) as f64 / RATE as f64;
            let chord = CHORDS[at / (2 * RATE) % CHORDS.len()];
            let playing: f64 = chord
                .iter()
                .flat_map(|key| [1.0, 2.0, 3.0].map(|partial| (key, partial)))
                .map(|(key, partial)| {
                    let hz = 440.0 * ((key + 0.25 - 69.0) / 12.0).exp2() * partial;
                    (std::f64::consts::TAU * hz * time).sin() / partial
                })
                .sum();
            (0.05 * playing * (-time).exp() + 0.002 * f64::from(*hiss)) as f32
        })
        .collect();
    let chroma = Tensor::from_vec(undertone::signal::chroma::chroma(&clip), (72, 12), &Device::Cpu)?;
    let expected = &reference("chroma")["chroma"];
    let error = (chroma - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(error < 1e-3, "{error:.1e}");
    Ok(())
}

#[test]
fn vggish_at_full_width_equals_torchvggish() -> Result<()> {
    needs_device!();
    let patches = (input("patches", (3, 1, 96, 64)) * 4.0)?.narrow(0, 0, 2)?;
    let network = Vggish::new(&vggish::Config::default(), weights_here())?;
    check("full", &network.forward(&patches)?, &reference("vggish")["full"]);
    Ok(())
}

/// Runs SlowFast on clips of `size` x `size` and checks whatever stages the reference has.
fn check_slowfast(case: &str, config: &slowfast::Config, size: usize, batch: usize) -> Result<()> {
    let expected = reference("slowfast");
    let network = SlowFast::new(config, weights_here())?;
    let slow = input("slow", (batch, 3, 8, size, size));
    let fast = input("fast", (batch, 3, 64, size, size));
    let check_stage = |stage: usize, pathway: &str, actual: &Tensor| {
        let name = format!("{case}.{stage}.{pathway}");
        if let Some(expected) = expected.get(&name) {
            check(&name, actual, expected);
        }
    };
    let rows = |x: &Tensor| {
        x.mean((3, 4))
            .and_then(|rows| rows.transpose(1, 2))
            .expect("rows")
    };
    let (slow, fast) = network.forward_seeing(&slow, &fast, |stage, slow, fast| {
        check_stage(stage, "slow", &rows(slow));
        check_stage(stage, "fast", &rows(fast));
    })?;
    assert_eq!((slow.dim(2)?, fast.dim(2)?), config.dims());
    check(case, &slow, &expected[&format!("{case}.4.slow")]);
    check(case, &fast, &expected[&format!("{case}.4.fast")]);
    Ok(())
}

#[test]
fn slowfast_equals_pytorchvideo() -> Result<()> {
    needs_device!();
    let narrow = slowfast::Config {
        width: 0.125,
        ..slowfast::Config::default()
    };
    check_slowfast("r50", &narrow, 64, 2)?;
    check_slowfast("odd", &narrow, 45, 1)?;
    check_slowfast(
        "r50_kernel_7",
        &slowfast::Config {
            fusion_kernel: 7,
            ..narrow.clone()
        },
        32,
        1,
    )?;
    check_slowfast("r101", &slowfast::Config { depth: 101, ..narrow }, 32, 1)
}

#[test]
fn slowfast_at_full_width_equals_pytorchvideo() -> Result<()> {
    needs_device!();
    check_slowfast("full", &slowfast::Config::default(), 32, 1)
}

#[test]
fn slowfast_refuses_what_fits_no_network() -> Result<()> {
    needs_device!();
    let check = |config: slowfast::Config| {
        let error = SlowFast::new(&config, weights_here()).expect_err("no network");
        assert!(error.to_string().contains("slowfast"), "{error}");
    };
    let default = slowfast::Config::default;
    check(slowfast::Config {
        depth: 34,
        ..default()
    });
    check(slowfast::Config {
        width: 0.01,
        ..default()
    });
    check(slowfast::Config {
        width: f64::NAN,
        ..default()
    });
    check(slowfast::Config {
        beta_inv: 0,
        ..default()
    });
    check(slowfast::Config {
        fusion_stride: 4,
        ..default()
    });
    let narrow = slowfast::Config {
        width: 0.125,
        ..default()
    };
    let network = SlowFast::new(&narrow, weights_here())?;
    let frames = |count: usize| input("frames", (1, 3, count, 32, 32));
    assert!(network.forward(&frames(8), &frames(32)).is_err());
    Ok(())
}

#[test]
fn frames_are_picked_as_pyslowfast_does() {
    assert_eq!(slowfast::slow_indices(), [0, 9, 18, 27, 36, 45, 54, 63]);
    assert_eq!(slowfast::fast_times_s()[..2], [0.25, 0.75]);
}
