//! What golden tests share: weights and inputs made as `noise.py` makes them, where they compute, and the comparison.
//!
//! They compute on the CPU, or on what `UNDERTONE_TEST_DEVICE` names (`cuda`, `metal`); where that is not there, they say
//! so and check nothing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use undertone::device::{DeviceChoice, Selected, select};

/// The bound on max|a - b| / max|b| of every tensor in f32 on the CPU.
pub(crate) const TOLERANCE: f64 = 1e-4;
/// The same on CUDA and Metal. cuDNN may convolve f32 in TF32, whose 10-bit mantissa rounds to 2^-11: this is ten times
/// that, for the way through all layers.
pub(crate) const TOLERANCE_ON_A_GPU: f64 = 5e-3;

/// Names the device that golden tests compute on.
const VARIABLE: &str = "UNDERTONE_TEST_DEVICE";

static SELECTED: LazyLock<Result<Selected, String>> = LazyLock::new(|| {
    let choice = match std::env::var(VARIABLE) {
        Ok(name) => name.parse().expect(VARIABLE),
        Err(_) => DeviceChoice::Cpu,
    };
    select(choice).map_err(|error| error.to_string())
});

/// Whether the device is there; says what is skipped where it is not.
pub(crate) fn device_is_there(test: &str) -> bool {
    match &*SELECTED {
        Ok(_) => true,
        Err(reason) => {
            println!(
                "skipped: {}, because {reason}",
                test.trim_end_matches("::{{closure}}")
            );
            false
        }
    }
}

/// Where golden tests compute.
pub(crate) fn device() -> Device {
    match &*SELECTED {
        Ok(selected) => selected.device.clone(),
        Err(reason) => panic!("{reason}"),
    }
}

/// Leaves a golden test whose device is not there.
#[allow(
    unused_macros,
    reason = "not every file of tests computes where it is told to"
)]
macro_rules! needs_device {
    () => {
        if !$crate::golden::device_is_there(std::any::type_name_of_val(&|| ())) {
            return Ok(());
        }
    };
}
#[allow(
    unused_imports,
    reason = "not every file of tests computes where it is told to"
)]
pub(crate) use needs_device;

/// As [`noise`], where the test computes.
pub(crate) fn input(name: &str, shape: impl Into<Shape>) -> Tensor {
    noise(name, shape).to_device(&device()).expect("a tensor")
}

/// Uniform in [-1, 1), in steps of 2^-23: splitmix64 from the FNV-1a hash of the name.
pub(crate) fn noise(name: &str, shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    let values: Vec<f32> = (1..=shape.elem_count() as u64)
        .map(|i| {
            let mut z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            ((z >> 40) as f64 / (1 << 23) as f64 - 1.0) as f32
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
}

/// The parameter `name`: fan-in scaled noise, and statistics of batch norm near (0, 1).
pub(crate) fn weight(name: &str, shape: &Shape) -> Tensor {
    let noise = noise(name, shape.clone()).to_dtype(DType::F64).expect("f64");
    let scaled = if name.ends_with("running_var") || name.ends_with("moving_variance") {
        noise.affine(0.5, 1.0)
    } else if shape.rank() == 1 && (name.ends_with("weight") || name.ends_with("gamma")) {
        noise.affine(0.25, 1.0)
    } else if shape.rank() == 1 {
        noise.affine(0.25, 0.0)
    } else {
        let fan_in = fan_in(name, shape.dims());
        noise.affine((6.0 / fan_in as f64).sqrt(), 0.0)
    };
    scaled
        .and_then(|scaled| scaled.to_dtype(DType::F32))
        .expect("f32")
}

/// Values that one output of a layer sums: PyTorch lays the outputs first, TensorFlow last, and second to last in a
/// transposed convolution.
fn fan_in(name: &str, dims: &[usize]) -> usize {
    if name.ends_with(".kernel") {
        let inputs = dims[if name.contains("transpose") { 3 } else { 2 }];
        dims[0] * dims[1] * inputs
    } else {
        dims[1..].iter().product()
    }
}

/// Gives a network whatever parameter it asks for.
struct Weights;

impl SimpleBackend for Weights {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        _: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        weight(name, &shape).to_device(device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Err(candle_core::Error::CannotFindTensor {
            path: name.to_owned(),
        })
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// A source of [`weight`]s for a network's `new`, on the CPU.
pub(crate) fn weights() -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(Weights), DType::F32, Device::Cpu)
}

/// As [`weights`], where golden tests compute.
pub(crate) fn weights_here() -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(Weights), DType::F32, device())
}

/// The reference's tensors in `tests/golden/<name>.safetensors`.
pub(crate) fn reference(name: &str) -> HashMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.safetensors"));
    candle_core::safetensors::load(path, &Device::Cpu).expect("a fixture")
}

/// Fails unless max|a - b| / max|b| is within the device's tolerance.
#[track_caller]
pub(crate) fn check(name: &str, actual: &Tensor, expected: &Tensor) {
    assert_eq!(actual.dims(), expected.dims(), "{name}");
    let values = |tensor: &Tensor| -> Vec<f32> {
        tensor
            .flatten_all()
            .and_then(|flat| flat.to_vec1())
            .expect("f32 values")
    };
    let tolerance = match actual.device() {
        Device::Cpu => TOLERANCE,
        _ => TOLERANCE_ON_A_GPU,
    };
    let (a, b) = (values(actual), values(expected));
    let largest = b
        .iter()
        .fold(0.0_f64, |largest, &b| largest.max(f64::from(b).abs()));
    let worst = a
        .iter()
        .zip(&b)
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs())
        .fold(0.0_f64, |worst, error| {
            if error.is_nan() {
                f64::INFINITY
            } else {
                worst.max(error)
            }
        });
    let error = worst / largest.max(f64::MIN_POSITIVE);
    println!("{name}: {error:.1e} of {largest:.3}");
    assert!(error <= tolerance, "{name}: error {error:.1e}");
}
