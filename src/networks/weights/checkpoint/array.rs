//! One array of a checkpoint, as f32.

use half::{bf16, f16};

use super::Problem;

/// Element types that checkpoints of the networks here use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 16-bit brain float.
    Bf16,
    /// 16-bit float.
    F16,
    /// 32-bit float.
    F32,
    /// 64-bit float; narrowed to f32.
    F64,
    /// 64-bit integer (counters such as `num_batches_tracked`); taken as f32.
    I64,
    /// 32-bit integer; taken as f32.
    I32,
}

impl Element {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        (0..bytes.len() / self.size())
            .map(|index| self.at(bytes, index))
            .collect()
    }

    /// Element `index` of `bytes`, which hold at least `index + 1` elements.
    fn at(self, bytes: &[u8], index: usize) -> f32 {
        fn take<const N: usize>(bytes: &[u8], index: usize) -> [u8; N] {
            std::array::from_fn(|byte| bytes[index * N + byte])
        }
        match self {
            Self::Bf16 => bf16::from_le_bytes(take(bytes, index)).to_f32(),
            Self::F16 => f16::from_le_bytes(take(bytes, index)).to_f32(),
            Self::F32 => f32::from_le_bytes(take(bytes, index)),
            Self::F64 => f64::from_le_bytes(take(bytes, index)) as f32,
            Self::I64 => i64::from_le_bytes(take(bytes, index)) as f32,
            Self::I32 => i32::from_le_bytes(take(bytes, index)) as f32,
        }
    }
}

/// One array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// `shape`'s product of values.
    pub values: Vec<f32>,
}

impl Array {
    /// Decodes little-endian `bytes`, which must hold exactly `shape` elements.
    pub(super) fn from_bytes(element: Element, shape: Vec<usize>, bytes: &[u8]) -> Result<Self, Problem> {
        if byte_count(element, &shape) != Some(bytes.len()) {
            return Err(format!(
                "an array of shape {shape:?} does not fill its {} bytes",
                bytes.len()
            ));
        }
        Ok(Self {
            shape,
            values: element.decode(bytes),
        })
    }

    /// Decodes a strided view into `storage` (element counts, as PyTorch keeps them). Distinct elements of a view may not
    /// exceed the storage, so that no stride of zero can blow a small file up.
    pub(super) fn from_storage(
        element: Element,
        storage: &[u8],
        offset: usize,
        shape: Vec<usize>,
        strides: &[usize],
    ) -> Result<Self, Problem> {
        let outside = || format!("an array of shape {shape:?} reaches outside its storage");
        let held = storage.len() / element.size();
        let count = byte_count(element, &shape).ok_or_else(outside)? / element.size();
        if strides.len() != shape.len() {
            return Err(format!(
                "an array has {} dimensions but {} strides",
                shape.len(),
                strides.len()
            ));
        }
        if count == 0 {
            return Ok(Self {
                shape,
                values: Vec::new(),
            });
        }
        if count > held {
            return Err(outside());
        }
        let last = shape
            .iter()
            .zip(strides)
            .try_fold(offset, |at, (&size, &stride)| {
                at.checked_add(stride.checked_mul(size - 1)?)
            })
            .ok_or_else(outside)?;
        if last >= held {
            return Err(outside());
        }
        if strides == contiguous(&shape) {
            let from = offset * element.size();
            return Self::from_bytes(element, shape, &storage[from..from + count * element.size()]);
        }
        let mut values = Vec::with_capacity(count);
        let mut index = vec![0; shape.len()];
        for _ in 0..count {
            let at: usize = index.iter().zip(strides).map(|(&i, &stride)| i * stride).sum();
            values.push(element.at(storage, offset + at));
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(Self { shape, values })
    }
}

/// Bytes of `shape` elements; `None` when the number does not fit.
fn byte_count(element: Element, shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(element.size(), |product, &size| product.checked_mul(size))
}

fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn a_transposed_view_is_read_in_its_order() {
        let storage = bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let array = Array::from_storage(Element::F32, &storage, 1, vec![3, 2], &[1, 3]).expect("inside");
        assert_eq!(array.values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn no_view_leaves_or_outgrows_its_storage() {
        let storage = bytes(&[1.0; 4]);
        let view = |offset, shape: &[usize], strides: &[usize]| {
            Array::from_storage(Element::F32, &storage, offset, shape.to_vec(), strides)
        };
        assert!(view(1, &[4], &[1]).is_err());
        assert!(view(0, &[2, 2], &[usize::MAX, 1]).is_err());
        assert!(view(0, &[usize::MAX, 2], &[0, 0]).is_err());
        assert!(
            view(0, &[1000], &[0]).is_err(),
            "a stride of zero repeats nothing"
        );
        assert!(view(usize::MAX, &[1], &[1]).is_err());
        assert!(view(0, &[2], &[1, 1]).is_err());
        assert_eq!(view(9, &[0], &[1]).expect("empty").values, [0.0; 0]);
    }

    #[test]
    fn narrow_types_widen() {
        let half = f16::from_f32(1.5).to_le_bytes();
        assert_eq!(
            Array::from_bytes(Element::F16, vec![], &half)
                .expect("a scalar")
                .values,
            [1.5]
        );
        assert!(Array::from_bytes(Element::F16, vec![2], &half).is_err());
    }
}
