//! SGD with momentum and AdamW, as PyTorch defines them, with a state that can be saved.
//!
//! candle's SGD has no momentum, and its AdamW keeps its moments to itself, so that no run could be resumed
//! to the same result.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::config::OptimizerConfig;
use super::variables::Variables;
use crate::error::{Error, Result};

/// Moves parameters against their gradients.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    /// Running sums of each parameter, under `<parameter>.<name of the sum>`.
    sums: BTreeMap<String, Tensor>,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl Optimizer {
    /// An optimiser that has taken no step.
    pub fn new(config: OptimizerConfig) -> Self {
        Self {
            config,
            sums: BTreeMap::new(),
        }
    }

    /// Goes on from the running sums of an earlier one.
    pub fn restored(config: OptimizerConfig, sums: BTreeMap<String, Tensor>) -> Self {
        Self { config, sums }
    }

    /// Goes on at another learning rate.
    pub fn set_rate(&mut self, rate: f64) {
        self.config = self.config.at_rate(rate);
    }

    /// The running sums, to be saved.
    pub fn sums(&self) -> &BTreeMap<String, Tensor> {
        &self.sums
    }

    /// One step. A parameter without a gradient stays as it is, and so do its sums.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&mut self, variables: &Variables, gradients: &GradStore) -> Result<()> {
        for (name, var) in variables.iter() {
            if let Some(gradient) = gradients.get(var) {
                match self.config {
                    OptimizerConfig::Sgd { rate, momentum } => {
                        self.sgd(name, var, gradient, rate, momentum)?;
                    }
                    OptimizerConfig::AdamW { rate, weight_decay } => {
                        self.adam_w(name, var, gradient, rate, weight_decay)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// v <- momentum v + g, starting with g; p <- p - rate v.
    fn sgd(&mut self, name: &str, var: &Var, gradient: &Tensor, rate: f64, momentum: f64) -> Result<()> {
        let key = format!("{name}.momentum");
        let velocity = match self.sums.get(&key) {
            Some(velocity) => ((velocity * momentum)? + gradient)?,
            None => gradient.copy()?,
        };
        var.set(&(var.as_detached_tensor() - (&velocity * rate)?)?)?;
        self.sums.insert(key, velocity);
        Ok(())
    }

    fn adam_w(&mut self, name: &str, var: &Var, gradient: &Tensor, rate: f64, decay: f64) -> Result<()> {
        // A parameter that misses a step keeps its own count in PyTorch.
        let count_key = format!("{name}.steps");
        let steps = match self.sums.get(&count_key) {
            Some(count) => count.to_scalar::<f32>()? + 1.0,
            None => 1.0,
        };
        let first = self.moment(&format!("{name}.first"), gradient, BETA_1)?;
        let second = self.moment(&format!("{name}.second"), &gradient.sqr()?, BETA_2)?;
        let first = (first / (1.0 - BETA_1.powf(f64::from(steps))))?;
        let second = (second / (1.0 - BETA_2.powf(f64::from(steps))))?;
        let step = (first / (second.sqrt()? + EPSILON)?)?;
        let kept = (var.as_detached_tensor() * (1.0 - rate * decay))?;
        var.set(&(kept - (step * rate)?)?)?;
        self.sums.insert(count_key, Tensor::new(steps, var.device())?);
        Ok(())
    }

    /// Updates and returns an exponential mean that starts at zero.
    fn moment(&mut self, key: &str, value: &Tensor, beta: f64) -> Result<Tensor> {
        let fresh = (value * (1.0 - beta))?;
        let mean = match self.sums.get(key) {
            Some(mean) => ((mean * beta)? + fresh)?,
            None => fresh,
        };
        self.sums.insert(key.to_owned(), mean.clone());
        Ok(mean)
    }
}

/// Fails when a parameter holds a value that is not finite.
///
/// # Errors
/// Naming the parameter.
pub(super) fn require_finite(variables: &Variables) -> Result<()> {
    for (name, var) in variables.iter() {
        let sum = var.as_detached_tensor().abs()?.sum_all()?.to_scalar::<f32>()?;
        if !sum.is_finite() {
            return Err(Error::internal(format!("parameter {name} is no longer finite")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_nn::optim::{AdamW, Optimizer as _, ParamsAdamW};

    fn variables() -> Variables {
        let mut variables = Variables::drawn(&Device::Cpu, 0, |vb| {
            vb.get(2, "other").map(drop).map_err(Error::from)
        })
        .expect("variables");
        let values = Tensor::new(&[1f32, -2.0, 3.0], &Device::Cpu).expect("tensor");
        variables.insert("p", &values).expect("insert");
        variables
    }

    fn gradients(variables: &Variables) -> GradStore {
        let p = variables.get("p").expect("parameter");
        p.powf(4.0)
            .and_then(|q| q.sum_all())
            .and_then(|sum| sum.backward())
            .expect("gradient")
    }

    fn values(variables: &Variables) -> Vec<f32> {
        variables.get("p").and_then(|p| Ok(p.to_vec1()?)).expect("values")
    }

    #[test]
    fn momentum_follows_pytorch() {
        let variables = variables();
        let config = OptimizerConfig::Sgd {
            rate: 1e-3,
            momentum: 0.9,
        };
        let mut optimizer = Optimizer::new(config);
        let (mut expected, mut velocity) = ([1f64, -2.0, 3.0], [0f64; 3]);
        for _ in 0..3 {
            optimizer.step(&variables, &gradients(&variables)).expect("step");
            for (value, speed) in expected.iter_mut().zip(&mut velocity) {
                *speed = 0.9 * *speed + 4.0 * value.powi(3);
                *value -= 1e-3 * *speed;
            }
        }
        for (value, expected) in values(&variables).into_iter().zip(expected) {
            assert!((f64::from(value) - expected).abs() < 1e-5, "{value} {expected}");
        }
        assert!(!optimizer.sums().contains_key("other.momentum"));
    }

    #[test]
    fn adam_w_equals_candles() {
        let ours = variables();
        let theirs = Var::new(&[1f32, -2.0, 3.0], &Device::Cpu).expect("var");
        let config = OptimizerConfig::AdamW {
            rate: 0.01,
            weight_decay: 0.1,
        };
        let mut optimizer = Optimizer::new(config);
        let params = ParamsAdamW {
            lr: 0.01,
            weight_decay: 0.1,
            ..ParamsAdamW::default()
        };
        let mut reference = AdamW::new(vec![theirs.clone()], params).expect("reference");
        for _ in 0..5 {
            optimizer.step(&ours, &gradients(&ours)).expect("step");
            let loss = theirs.powf(4.0).and_then(|q| q.sum_all()).expect("loss");
            reference.backward_step(&loss).expect("step");
        }
        for (value, expected) in values(&ours)
            .into_iter()
            .zip(theirs.to_vec1::<f32>().expect("values"))
        {
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
    }

    #[test]
    fn a_saved_state_goes_on_alike() {
        for config in [
            OptimizerConfig::default(),
            OptimizerConfig::AdamW {
                rate: 0.01,
                weight_decay: 0.0,
            },
        ] {
            let (whole, parts) = (variables(), variables());
            let mut one = Optimizer::new(config);
            let mut two = Optimizer::new(config);
            for step in 0..4 {
                one.step(&whole, &gradients(&whole)).expect("step");
                if step == 2 {
                    two = Optimizer::restored(config, two.sums().clone());
                }
                two.step(&parts, &gradients(&parts)).expect("step");
            }
            assert_eq!(values(&whole), values(&parts));
        }
    }
}
