//! The law of operations: whatever is done in whatever order, the store answers as its model does, and a power cut takes
//! nothing away that was answered.

use crate::model::{OPERATIONS, Run};

/// No more operations are done.
const MOST: usize = 50;
/// Numbers below are operations; above them are checkpoints, cuts, and cuts during the next operation.
const ORDINARY: u32 = 240;

/// Does to a store what `input` says: two bytes draw what it is opened with; then each three are an operation, the first
/// which and the others what with.
///
/// # Panics
///
/// Where the store answers otherwise than the model, is not sound, or is not as it was after a power cut.
pub fn operations(input: &[u8]) {
    let Some((opening, script)) = input.split_first_chunk::<2>() else { return };
    let mut run = Run::recorded(u16::from_le_bytes(*opening).into());
    let mut is_cut = false;
    for [which, low, high] in script.as_chunks::<3>().0.iter().take(MOST) {
        let seed = u16::from_le_bytes([*low, *high]).into();
        match u32::from(*which) {
            ordinary @ 0..ORDINARY => {
                let operation = ordinary * OPERATIONS / ORDINARY;
                if is_cut {
                    run.cut_during(operation, seed);
                } else {
                    run.act(operation, seed);
                }
                is_cut = false;
            }
            ORDINARY..246 => run.checkpoint(),
            246..250 => run.cut(seed),
            _ => is_cut = true,
        }
    }
    run.finish();
}
