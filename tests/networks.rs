//! Every network against its reference, on the same weights and inputs.

mod golden;

use candle_core::{Device, IndexOp, Tensor, Var};
use candle_nn::VarMap;
use golden::{check, noise, reference, weight, weights};
use undertone::error::Result;
use undertone::networks::mrcmv::{self, Mrcmv, Norm, Pool, Presence, QueryInput, QueryOutput};

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
            noise("slow", (2, 8, config.slow_dim)),
            noise("fast", (2, 64, config.fast_dim)),
        )),
        voice: Some(noise("voice", (2, 72, config.d))),
    }
}

fn check_query(case: &str, output: &QueryOutput) {
    let expected = reference("mrcmv");
    check(case, &output.embedding, &expected[&format!("{case}.query")]);
    check(case, &output.voice_share, &expected[&format!("{case}.share")]);
}

fn check_mrcmv(case: &str, config: &mrcmv::Config) -> Result<()> {
    let network = Mrcmv::new(config, weights())?;
    check_query(case, &network.query(&query_input(config), 0.0)?);
    let bgm = network.bgm(&noise("bgm", (2, 72, config.d)))?;
    check(case, &bgm, &reference("mrcmv")[&format!("{case}.bgm")]);
    Ok(())
}

#[test]
fn mrcmv_equals_its_equations() -> Result<()> {
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
    let config = small_mrcmv();
    let network = Mrcmv::new(&config, weights())?;
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
    let config = small_mrcmv();
    let network = Mrcmv::new(&config, weights())?;
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
        picture: Some(Tensor::new(&[1.0_f32, 0.0], &Device::Cpu)?),
        voice: Some(Tensor::new(&[0.0_f32, 1.0], &Device::Cpu)?),
    })
}

#[test]
fn gradients_of_mrcmv_equal_pytorchs() -> Result<()> {
    let config = small_mrcmv();
    let variables = VarMap::new();
    let vb = candle_nn::VarBuilder::from_varmap(&variables, candle_core::DType::F32, &Device::Cpu);
    let network = Mrcmv::new(&config, vb)?;
    let named: Vec<(String, Var)> = {
        let data = variables.data().lock().expect("variables");
        data.iter()
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect()
    };
    for (name, var) in &named {
        var.set(&weight(name, var.shape()))?;
    }
    let query = network
        .query_present(&query_input(&config), &dropout()?, 0.0)?
        .embedding;
    let bgm = network.bgm(&noise("bgm", (2, 72, config.d)))?;
    let loss = ((&query * noise("towards_query", query.shape()))?.sum_all()?
        + (&bgm * noise("towards_bgm", bgm.shape()))?.sum_all()?)?;
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
    let config = small_mrcmv();
    let zeros = candle_nn::VarBuilder::zeros(candle_core::DType::F32, &Device::Cpu);
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
