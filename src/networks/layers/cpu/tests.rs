//! Each algorithm against the definition, also where another one would be chosen.

use candle_core::{Device, Tensor};
use proptest::prelude::*;

use super::super::geometry::Geometry;
use super::super::tests::{Case, by_definition, cases, difference, noise};
use super::epilogue::Epilogue;
use super::kernel::Kernel;
use super::temporal::Temporal;
use super::winograd::Winograd;
use super::{direct, product};

/// A case with its values, and a bias and a sum behind it.
struct Problem {
    case: Case,
    x: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    sum: Vec<f32>,
    output: [usize; 3],
    expected: Tensor,
}

impl Problem {
    fn new(case: Case) -> Self {
        let (x, weight) = (case.input(), case.weight());
        let plain = by_definition(&x, &weight, &case.geometry);
        let (bias, sum) = (noise(&[case.outputs], 3), noise(plain.dims(), 4));
        let expected = bias
            .reshape((1, (), 1, 1, 1))
            .and_then(|bias| plain.broadcast_add(&bias))
            .and_then(|y| (y + &sum)?.relu())
            .expect("arithmetic");
        let (_, _, frames, height, width) = plain.dims5().expect("five axes");
        Self {
            case,
            x: values(&x),
            weights: values(&weight),
            bias: values(&bias),
            sum: values(&sum),
            output: [frames, height, width],
            expected,
        }
    }

    fn inputs(&self) -> usize {
        self.case.input[1]
    }

    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue {
            bias: Some(&self.bias),
            sum: Some(&self.sum),
            floor: 0.0,
        }
    }

    /// How far the outputs that `algorithm` gives for x, batch and input and output sizes are from the definition's.
    fn error(&self, algorithm: impl Fn(&[f32], usize, [usize; 3], [usize; 3]) -> Vec<f32>) -> f32 {
        let [batch, _, frames, height, width] = self.case.input;
        let y = algorithm(&self.x, batch, [frames, height, width], self.output);
        let y = Tensor::from_vec(y, self.expected.dims(), &Device::Cpu).expect("as many outputs");
        difference(&y, &self.expected)
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor
        .flatten_all()
        .and_then(|flat| flat.to_vec1())
        .expect("f32 values")
}

/// Shapes of any 3 x 3 or three-frame kernel of stride 1, with any padding up to the kernel's reach.
fn shortcuts(kernel: [usize; 3]) -> impl Strategy<Value = Case> {
    let padding = kernel.map(|taps| (0..taps, 0..taps));
    (padding, [1_usize..3, 1..20, 1..11, 1..22, 1..22], 1_usize..20)
        .prop_map(move |(padding, input, outputs)| Case {
            geometry: Geometry {
                padding,
                ..Geometry::volume(kernel)
            },
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
    fn direct_is_a_convolution(case in cases()) {
        let problem = Problem::new(case);
        let kernel = Kernel::new(&problem.weights, problem.inputs(), problem.case.outputs, &problem.case.geometry);
        let error = problem.error(|x, batch, input, output| {
            let mut y = vec![0.0; problem.sum.len()];
            direct::run(&kernel, x, batch, input, output, problem.epilogue(), &mut y);
            y
        });
        prop_assert!(error < 1e-5, "{:?}: {error:.1e}", problem.case);
    }

    #[test]
    fn the_product_of_matrices_is_a_convolution(mut case in cases(), outputs in 5_usize..40) {
        case.outputs = outputs;
        let problem = Problem::new(case);
        let kernel = Kernel::new(&problem.weights, problem.inputs(), outputs, &problem.case.geometry);
        let error = problem.error(|x, batch, input, output| {
            let mut y = vec![0.0; problem.sum.len()];
            product::run(&kernel, x, batch, input, output, problem.epilogue(), &mut y);
            y
        });
        prop_assert!(error < 1e-5, "{:?}: {error:.1e}", problem.case);
    }

    #[test]
    fn winograd_is_a_convolution(case in shortcuts([1, 3, 3])) {
        let problem = Problem::new(case);
        let winograd = Winograd::new(&problem.weights, problem.inputs(), problem.case.outputs, &problem.case.geometry);
        let error = problem.error(|x, batch, input, output| winograd.run(x, batch, input, output, problem.epilogue()));
        prop_assert!(error < 1e-5, "{:?}: {error:.1e}", problem.case);
    }

    #[test]
    fn winograd_along_time_is_a_convolution(mut case in shortcuts([3, 1, 1]), outputs in 5_usize..40) {
        case.outputs = outputs;
        let problem = Problem::new(case);
        let temporal = Temporal::new(&problem.weights, problem.inputs(), outputs, &problem.case.geometry);
        let error = problem.error(|x, batch, input, output| temporal.run(x, batch, input, output, problem.epilogue()));
        prop_assert!(error < 1e-5, "{:?}: {error:.1e}", problem.case);
    }

    #[test]
    fn packed_weights_come_back(case in cases()) {
        let weights = values(&case.weight());
        let kernel = Kernel::new(&weights, case.input[1], case.outputs, &case.geometry);
        prop_assert_eq!(kernel.unpack(), weights);
    }
}
