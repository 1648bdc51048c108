//! The weights that learn, by name and in the order of their names, so that everything drawn or saved
//! comes out alike in every run.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// Named variables on one device.
#[derive(Debug, Clone)]
pub struct Variables {
    vars: BTreeMap<String, Var>,
    device: Device,
}

impl Variables {
    /// The parameters that `build` asks its [`VarBuilder`] for, with values drawn as PyTorch draws them for linear layers
    /// and convolutions: weight and bias uniform in +-1 / sqrt(fan in). Every other tensor has the constant that its
    /// layer starts with. A value depends on `seed` and the order of the names, on nothing else.
    ///
    /// # Errors
    /// When `build` fails or the device does.
    pub fn drawn(
        device: &Device,
        seed: u64,
        build: impl FnOnce(VarBuilder<'_>) -> Result<()>,
    ) -> Result<Self> {
        // candle's own map finds names, shapes and constants out; what it draws is thrown away.
        let map = VarMap::new();
        build(VarBuilder::from_varmap(&map, DType::F32, device))?;
        let first: BTreeMap<String, Tensor> = map
            .data()
            .lock()
            .map_err(|_| Error::internal("a network panicked while it was built"))?
            .iter()
            .map(|(name, var)| (name.clone(), var.as_detached_tensor()))
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut variables = Self {
            vars: BTreeMap::new(),
            device: device.clone(),
        };
        for (name, constant) in &first {
            let weight = name
                .strip_suffix(".bias")
                .map_or_else(|| name.clone(), |layer| format!("{layer}.weight"));
            match first.get(&weight).map(Tensor::dims) {
                Some([_, inputs @ ..]) if !inputs.is_empty() => {
                    variables.draw(name, constant.dims(), inputs.iter().product(), &mut rng)?;
                }
                _ => variables.insert(name, constant)?,
            }
        }
        Ok(variables)
    }

    /// Adds a parameter uniform in +-1 / sqrt(`fan_in`).
    ///
    /// # Errors
    /// When the device fails.
    pub fn draw(&mut self, name: &str, shape: &[usize], fan_in: usize, rng: &mut ChaCha8Rng) -> Result<()> {
        let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| rng.random_range(-bound..=bound))
            .collect();
        self.insert(name, &Tensor::from_vec(values, shape, &self.device)?)
    }

    /// Adds a parameter with the values of `tensor`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn insert(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        let var = Var::from_tensor(&tensor.to_device(&self.device)?.to_dtype(DType::F32)?)?;
        self.vars.insert(name.to_owned(), var);
        Ok(())
    }

    /// Replaces the values of a parameter; networks built on it see them.
    ///
    /// # Errors
    /// When there is no such parameter or its shape is another.
    pub fn set(&self, name: &str, tensor: &Tensor) -> Result<()> {
        let var = self
            .vars
            .get(name)
            .ok_or_else(|| Error::internal(format!("there is no parameter {name}")))?;
        if var.dims() != tensor.dims() {
            return Err(Error::internal(format!(
                "parameter {name} has the shape {:?}, not {:?}",
                var.dims(),
                tensor.dims()
            )));
        }
        Ok(var.set(&tensor.to_device(&self.device)?)?)
    }

    /// One parameter.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.vars
            .get(name)
            .map(Var::as_tensor)
            .ok_or_else(|| Error::internal(format!("there is no parameter {name}")))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.vars.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// Builds networks whose tensors are these variables.
    pub fn builder(&self) -> VarBuilder<'static> {
        self.builder_with(HashMap::new())
    }

    /// Builds networks whose tensors are these variables and, where there is none of a name, `constants`, which do not
    /// learn.
    pub fn builder_with(&self, mut constants: HashMap<String, Tensor>) -> VarBuilder<'static> {
        constants.extend(
            self.vars
                .iter()
                .map(|(name, var)| (name.clone(), var.as_tensor().clone())),
        );
        VarBuilder::from_tensors(constants, DType::F32, &self.device)
    }

    /// Copies of the values, apart from the variables.
    ///
    /// # Errors
    /// When the device fails.
    pub fn snapshot(&self) -> Result<BTreeMap<String, Tensor>> {
        self.vars
            .iter()
            .map(|(name, var)| Ok((name.clone(), var.as_detached_tensor().copy()?)))
            .collect()
    }

    /// Where they are.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Variables {
        Variables::drawn(&Device::Cpu, seed, |vb| {
            vb.get((8, 4), "fc.weight")?;
            vb.get(8, "fc.bias")?;
            vb.get(4, "absent")?;
            Ok(())
        })
        .expect("variables")
    }

    #[test]
    fn values_are_drawn_as_for_a_linear_layer_and_repeat() {
        let values = |variables: &Variables, name: &str| -> Vec<f32> {
            let tensor = variables
                .get(name)
                .expect("parameter")
                .flatten_all()
                .expect("flat");
            tensor.to_vec1().expect("values")
        };
        let first = drawn(1);
        for name in ["fc.weight", "fc.bias"] {
            let drawn_values = values(&first, name);
            assert!(
                drawn_values
                    .iter()
                    .all(|value| value.abs() <= 0.5 && *value != 0.0)
            );
            assert_eq!(drawn_values, values(&drawn(1), name));
            assert_ne!(drawn_values, values(&drawn(2), name));
        }
        assert_eq!(values(&first, "absent"), [0.0; 4]);
    }

    #[test]
    fn a_network_sees_new_values() {
        let variables = drawn(1);
        let seen = variables.builder().get(4, "absent").expect("tensor");
        variables
            .set(
                "absent",
                &Tensor::new(&[1f32, 2., 3., 4.], &Device::Cpu).expect("tensor"),
            )
            .expect("set");
        assert_eq!(seen.to_vec1::<f32>().expect("values"), [1., 2., 3., 4.]);
        assert!(
            variables
                .set("absent", &Tensor::new(&[1f32], &Device::Cpu).expect("tensor"))
                .is_err()
        );
    }
}
