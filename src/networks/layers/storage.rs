//! What custom operations see of a tensor on the CPU.

use candle_core::{CpuStorage, Layout, Shape};

/// The f32 values of a contiguous tensor, and its shape.
///
/// # Errors
/// When the tensor is of another type or not contiguous.
pub(super) fn contiguous<'a>(
    storage: &'a CpuStorage,
    layout: &'a Layout,
) -> candle_core::Result<(&'a [f32], &'a Shape)> {
    let CpuStorage::F32(values) = storage else {
        candle_core::bail!("a layer got a tensor that is not f32")
    };
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("a layer got a tensor that is not contiguous")
    };
    Ok((&values[start..end], layout.shape()))
}
