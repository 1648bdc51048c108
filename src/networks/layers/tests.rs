//! Every path of the convolution against the definition of one.

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;

use super::{Activation, Conv, Geometry, composed};
use crate::error::Result;

/// Reproducible values in [-1, 1).
pub(super) fn noise(shape: &[usize], seed: u32) -> Tensor {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor
        .flatten_all()
        .and_then(|flat| flat.to_vec1())
        .expect("f32 values")
}

/// max|a - b| / max|b|.
pub(super) fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (values(a), values(b));
    let largest = b.iter().fold(1e-6_f32, |largest, b| largest.max(b.abs()));
    a.iter()
        .zip(&b)
        .fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()))
        / largest
}

/// The definition, in f64.
pub(super) fn by_definition(x: &Tensor, weight: &Tensor, geometry: &Geometry) -> Tensor {
    let (batch, channels, time, height, width) = x.dims5().expect("five axes");
    let outputs = weight.dim(0).expect("outputs");
    let [out_t, out_h, out_w] = geometry.output([time, height, width]).expect("an output");
    let [kt, kh, kw] = geometry.kernel;
    let (x, w) = (values(x), values(weight));
    let at = |axis: usize, out: usize, tap: usize, size: usize| {
        (out * geometry.stride[axis] + tap * geometry.dilation[axis])
            .checked_sub(geometry.padding[axis].0)
            .filter(|&at| at < size)
    };
    let mut y = Vec::new();
    for n in 0..batch {
        for o in 0..outputs {
            for (t, h, v) in
                (0..out_t).flat_map(|t| (0..out_h).flat_map(move |h| (0..out_w).map(move |v| (t, h, v))))
            {
                let mut sum = 0.0_f64;
                for c in 0..channels {
                    for (i, j, k) in
                        (0..kt).flat_map(|i| (0..kh).flat_map(move |j| (0..kw).map(move |k| (i, j, k))))
                    {
                        if let (Some(t), Some(h), Some(v)) =
                            (at(0, t, i, time), at(1, h, j, height), at(2, v, k, width))
                        {
                            let x = x[(((n * channels + c) * time + t) * height + h) * width + v];
                            let w = w[(((o * channels + c) * kt + i) * kh + j) * kw + k];
                            sum += f64::from(x) * f64::from(w);
                        }
                    }
                }
                y.push(sum as f32);
            }
        }
    }
    Tensor::from_vec(y, (batch, outputs, out_t, out_h, out_w), &Device::Cpu).expect("a tensor")
}

fn variable(tensor: &Tensor) -> candle_core::Var {
    candle_core::Var::from_tensor(tensor).expect("a variable")
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) geometry: Geometry,
    pub(super) input: [usize; 5],
    pub(super) outputs: usize,
}

impl Case {
    pub(super) fn input(&self) -> Tensor {
        noise(&self.input, 1)
    }

    pub(super) fn weight(&self) -> Tensor {
        let [t, h, w] = self.geometry.kernel;
        noise(&[self.outputs, self.input[1], t, h, w], 2)
    }
}

/// Convolutions with any kernel up to 3 x 4 x 4 whose output is not empty.
pub(super) fn cases() -> impl Strategy<Value = Case> {
    let geometry = (
        [1_usize..4, 1..5, 1..5],
        [1_usize..4, 1..4],
        [1_usize..3, 1..3],
        [(0_usize..3, 0_usize..3), (0..3, 0..3), (0..3, 0..3)],
    )
        .prop_map(|(kernel, stride, dilation, padding)| Geometry {
            kernel,
            stride: [stride[0], stride[1], stride[1]],
            dilation: [dilation[0], dilation[1], dilation[1]],
            padding,
        });
    let input = [1_usize..3, 1..5, 1..6, 1..12, 1..12];
    (geometry, input, 1_usize..8)
        .prop_map(|(geometry, input, outputs)| Case {
            geometry,
            input,
            outputs,
        })
        .prop_filter("no output", |case| {
            case.geometry
                .output([case.input[2], case.input[3], case.input[4]])
                .is_ok()
        })
}

proptest! {
    #[test]
    fn the_composed_path_is_a_convolution(case in cases()) {
        let (x, weight) = (case.input(), case.weight());
        let y = composed::convolve(&x, &weight, &case.geometry).expect("a convolution");
        prop_assert!(difference(&y, &by_definition(&x, &weight, &case.geometry)) < 1e-5);
    }

    #[test]
    fn gradients_are_those_of_the_composed_path(case in cases()) {
        let (x, weight) = (variable(&case.input()), variable(&case.weight()));
        let conv = Conv::new(weight.as_tensor(), None, None, case.geometry, Activation::None).expect("a layer");
        let ours = conv.forward(x.as_tensor()).expect("a convolution");
        let theirs = composed::convolve(x.as_tensor(), weight.as_tensor(), &case.geometry).expect("a convolution");
        prop_assert!(difference(&ours, &theirs) < 1e-5);
        let towards = noise(ours.dims(), 5);
        let gradients = |y: &Tensor| {
            let loss = (y * &towards).and_then(|products| products.sum_all()).expect("a loss");
            loss.backward().expect("gradients")
        };
        let (ours, theirs) = (gradients(&ours), gradients(&theirs));
        for variable in [&x, &weight] {
            let (ours, theirs) = (ours.get(variable).expect("ours"), theirs.get(variable).expect("theirs"));
            prop_assert!(difference(ours, theirs) < 1e-4);
        }
    }

    #[test]
    fn the_layer_is_a_convolution_with_what_follows(case in cases()) {
        let (x, weight) = (case.input(), case.weight());
        let bias = noise(&[case.outputs], 3);
        let plain = by_definition(&x, &weight, &case.geometry);
        let sum = noise(plain.dims(), 4);
        let expected = plain
            .broadcast_add(&bias.reshape((1, (), 1, 1, 1)).expect("bias"))
            .and_then(|y| (y + &sum)?.relu())
            .expect("arithmetic");
        let conv = Conv::new(&weight, Some(bias), None, case.geometry, Activation::Relu).expect("a layer");
        let y = conv.forward_add(&x, &sum).expect("a convolution");
        prop_assert!(difference(&y, &expected) < 1e-5);
    }
}

/// Shapes as the networks have them: many channels, many columns between frames, thin edges.
#[test]
fn shapes_of_the_networks_are_convolutions() -> Result<()> {
    let check = |input: [usize; 5], outputs: usize, geometry: Geometry| -> Result<()> {
        let case = Case {
            geometry,
            input,
            outputs,
        };
        let (x, weight) = (case.input(), case.weight());
        let conv = Conv::new(&weight, None, None, geometry, Activation::None)?;
        let error = difference(&conv.forward(&x)?, &by_definition(&x, &weight, &geometry));
        assert!(error < 1e-5, "{case:?}: {error:.1e}");
        Ok(())
    };
    check([1, 100, 2, 9, 9], 20, Geometry::plane(3, 3).centred())?;
    check([2, 300, 3, 7, 7], 17, Geometry::volume([3, 1, 1]).centred())?;
    check([1, 900, 2, 5, 5], 9, Geometry::plane(1, 1))?;
    // Products of matrices: more columns than a job takes, more sums than a part, columns that end within a tile.
    check([2, 40, 3, 15, 17], 70, Geometry::plane(1, 1))?;
    check([1, 700, 1, 9, 7], 64, Geometry::plane(1, 1).with_stride(2))?;
    check(
        [2, 33, 16, 5, 5],
        65,
        Geometry::volume([5, 1, 1]).with_time_stride(8).centred(),
    )?;
    check(
        [2, 70, 3, 7, 5],
        260,
        Geometry::plane(3, 3).with_stride(2).centred(),
    )?;
    // Winograd's algorithm along time, whole and cut tiles.
    for frames in [1, 4, 6, 9] {
        check([2, 65, frames, 7, 9], 70, Geometry::volume([3, 1, 1]).centred())?;
    }
    check(
        [1, 12, 3, 30, 130],
        12,
        Geometry::plane(3, 3).with_stride(2).centred(),
    )?;
    check(
        [1, 3, 6, 40, 41],
        9,
        Geometry::volume([5, 7, 7]).with_stride(2).centred(),
    )?;
    check(
        [1, 6, 16, 6, 6],
        4,
        Geometry::volume([5, 1, 1]).with_time_stride(8).centred(),
    )?;
    check([1, 40, 3, 7, 8], 30, Geometry::plane(1, 1).with_stride(2))?;
    check(
        [1, 2, 1, 64, 70],
        16,
        Geometry::plane(5, 5).with_stride(2).same(64, 70),
    )?;
    check([3, 1, 1, 96, 64], 8, Geometry::plane(3, 3).centred())?;
    // Fast enough kernels for Winograd's algorithm: whole and cut tiles, many images, uneven padding.
    for (height, width) in [(1, 1), (4, 4), (7, 7), (8, 13), (20, 9)] {
        check([3, 33, 2, height, width], 37, Geometry::plane(3, 3).centred())?;
    }
    let uneven = Geometry::plane(3, 3).with_plane_padding((0, 1), (2, 0));
    check([1, 40, 1, 9, 10], 32, uneven)?;
    check([1, 32, 3, 6, 5], 32, Geometry::plane(3, 3))
}

/// A convolution is linear in its input and in its weights, so a difference quotient of any length is exact: the gradients
/// are checked against the forward pass, wherever candle's own gradient may err.
#[test]
fn gradients_are_difference_quotients() -> Result<()> {
    let check = |input: [usize; 5], outputs: usize, geometry: Geometry| -> Result<()> {
        let case = Case {
            geometry,
            input,
            outputs,
        };
        let (x, weight) = (variable(&case.input()), variable(&case.weight()));
        let conv = |x: &Tensor, weight: &Tensor| {
            Conv::new(weight, None, None, geometry, Activation::None)?.forward(x)
        };
        let y = conv(x.as_tensor(), weight.as_tensor())?;
        let towards = noise(y.dims(), 5);
        let loss = |y: &Tensor| -> Result<f32> { Ok((y * &towards)?.sum_all()?.to_scalar()?) };
        let gradients = (&y * &towards)?.sum_all()?.backward()?;
        for (seed, variable) in [(6, &x), (7, &weight)] {
            let step = noise(variable.dims(), seed);
            let gradient = gradients.get(variable).expect("a gradient");
            let along: f32 = (gradient * &step)?.sum_all()?.to_scalar()?;
            let moved = if seed == 6 {
                conv(&step, weight.as_tensor())?
            } else {
                conv(x.as_tensor(), &step)?
            };
            let expected = loss(&moved)?;
            let scale = y.elem_count() as f32;
            assert!(
                (along - expected).abs() < 1e-4 * scale.sqrt() * expected.abs().max(1.0),
                "{case:?}"
            );
        }
        Ok(())
    };
    for (height, width) in [(7, 7), (7, 8), (8, 7), (8, 8), (9, 6)] {
        check(
            [2, 5, 1, height, width],
            6,
            Geometry::plane(3, 3).with_stride(2).centred(),
        )?;
    }
    check([1, 36, 2, 7, 9], 40, Geometry::plane(3, 3).centred())?;
    check(
        [1, 3, 4, 21, 20],
        9,
        Geometry::volume([5, 7, 7]).with_stride(2).centred(),
    )?;
    check(
        [1, 6, 16, 5, 5],
        12,
        Geometry::volume([5, 1, 1]).with_time_stride(8).centred(),
    )?;
    check([2, 9, 3, 6, 5], 20, Geometry::volume([3, 1, 1]).centred())?;
    check([2, 64, 5, 3, 4], 65, Geometry::volume([3, 1, 1]).centred())?;
    check(
        [1, 1, 1, 16, 18],
        2,
        Geometry::plane(4, 4).with_dilation(2).same(16, 18),
    )?;
    check([1, 9, 1, 8, 9], 20, Geometry::plane(1, 1).with_stride(2))
}

#[test]
fn the_largest_channels_are_within_the_tolerance() -> Result<()> {
    let geometry = Geometry::plane(3, 3).centred();
    let (x, weight) = (noise(&[1, 512, 1, 7, 7], 1), noise(&[64, 512, 1, 3, 3], 2));
    let conv = Conv::new(&weight, None, None, geometry, Activation::None)?;
    let error = difference(&conv.forward(&x)?, &by_definition(&x, &weight, &geometry));
    assert!(error < 1e-5, "{error:.1e}");
    Ok(())
}

#[test]
fn gradients_pass_a_layer_that_is_not_trained() -> Result<()> {
    let geometry = Geometry::plane(3, 3).centred();
    for channels in [3, 40] {
        let weight = noise(&[channels, channels, 3, 3], 2);
        let bias = noise(&[channels], 3);
        let conv = Conv::new(&weight, Some(bias), None, geometry, Activation::Relu)?;
        let x = candle_core::Var::from_tensor(&noise(&[1, channels, 5, 7], 1))?;
        let tracked = conv.forward(x.as_tensor())?;
        assert!(difference(&tracked, &conv.forward(&x.as_tensor().detach())?) < 1e-5);
        assert!(tracked.sum_all()?.backward()?.get(&x).is_some());
    }
    Ok(())
}

#[test]
fn planes_are_volumes_of_one_frame() -> Result<()> {
    let geometry = Geometry::plane(3, 3).centred();
    let (x, weight) = (noise(&[2, 3, 5, 7], 1), noise(&[4, 3, 3, 3], 2));
    let conv = Conv::new(&weight, None, None, geometry, Activation::None)?;
    let y = conv.forward(&x)?;
    assert_eq!(y.dims(), [2, 4, 5, 7]);
    let expected = by_definition(&x.unsqueeze(2)?, &weight.unsqueeze(2)?, &geometry);
    assert!(difference(&y.unsqueeze(2)?, &expected) < 1e-5);
    Ok(())
}

#[test]
fn batch_norm_is_folded_or_trained_with_the_same_result() -> Result<()> {
    let geometry = Geometry::plane(3, 3).centred();
    let (x, weight) = (noise(&[1, 3, 5, 7], 1), noise(&[4, 3, 3, 3], 2));
    let norm = |gamma: Tensor| -> Result<super::BatchNorm> {
        let var = (noise(&[4], 6) + 2.0)?;
        Ok(super::BatchNorm::from_tensors(
            gamma,
            noise(&[4], 4),
            noise(&[4], 5),
            var,
            1e-5,
        ))
    };
    let plain = Conv::new(&weight, None, None, geometry, Activation::None)?.forward(&x)?;
    let expected = norm(noise(&[4], 3))?.forward(&plain)?;
    let by_broadcast = norm(variable(&noise(&[4], 3)).as_tensor().clone())?.forward(&plain)?;
    assert!(difference(&expected, &by_broadcast) < 1e-6);
    let folded = Conv::new(
        &weight,
        None,
        Some(norm(noise(&[4], 3))?),
        geometry,
        Activation::None,
    )?;
    assert!(difference(&folded.forward(&x)?, &expected) < 1e-5);

    let gamma = candle_core::Var::from_tensor(&noise(&[4], 3))?;
    let trained = Conv::new(
        &weight,
        None,
        Some(norm(gamma.as_tensor().clone())?),
        geometry,
        Activation::None,
    )?;
    let y = trained.forward(&x)?;
    assert!(difference(&y, &expected) < 1e-5);
    let gradients = y.sum_all()?.backward()?;
    assert!(gradients.get(&gamma).is_some());
    gamma.set(&Tensor::zeros(4, DType::F32, &Device::Cpu)?)?;
    assert!(difference(&trained.forward(&x)?, &expected) > 0.1);
    Ok(())
}

#[test]
fn what_follows_has_the_gradients_of_candles_operations() -> Result<()> {
    let geometry = Geometry::volume([1, 3, 3]).centred();
    let x = variable(&noise(&[2, 3, 2, 5, 9], 1));
    let weight = variable(&noise(&[4, 3, 1, 3, 3], 2));
    let [bias, gamma, beta] = [3, 4, 5].map(|seed| variable(&noise(&[4], seed)));
    let sum = variable(&noise(&[2, 4, 2, 5, 9], 6));
    let (mean, var) = (noise(&[4], 7), (noise(&[4], 8) + 2.0)?);
    let loss_weights = noise(&[2, 4, 2, 5, 9], 9);
    for (summed, activation) in [
        (true, Activation::Relu),
        (true, Activation::None),
        (false, Activation::Relu),
    ] {
        let norm = super::BatchNorm::from_tensors(
            gamma.as_tensor().clone(),
            beta.as_tensor().clone(),
            mean.clone(),
            var.clone(),
            1e-5,
        );
        let conv = Conv::new(
            weight.as_tensor(),
            Some(bias.as_tensor().clone()),
            Some(norm.clone()),
            geometry,
            activation,
        )?;
        let ours = if summed {
            conv.forward_add(x.as_tensor(), sum.as_tensor())?
        } else {
            conv.forward(x.as_tensor())?
        };
        let plain = composed::convolve(x.as_tensor(), weight.as_tensor(), &geometry)?;
        let plain = plain.broadcast_add(&bias.reshape((1, 4, 1, 1, 1))?)?;
        let mut theirs = norm.forward(&plain)?;
        if summed {
            theirs = (theirs + sum.as_tensor())?;
        }
        if activation == Activation::Relu {
            theirs = theirs.relu()?;
        }
        assert!(difference(&ours, &theirs) < 1e-5);
        let ours = (ours * &loss_weights)?.sum_all()?.backward()?;
        let theirs = (theirs * &loss_weights)?.sum_all()?.backward()?;
        for var in [&x, &weight, &bias, &gamma, &beta, &sum] {
            match (ours.get(var), theirs.get(var)) {
                (Some(ours), Some(theirs)) => assert!(difference(ours, theirs) < 1e-4),
                (None, None) => assert!(!summed),
                _ => panic!("a gradient is missing"),
            }
        }
    }
    Ok(())
}
