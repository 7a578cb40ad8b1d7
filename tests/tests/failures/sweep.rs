//! [`Sweep`], one call after the other made to fail, and what was promised looked for each time.

use crate::faults::{Context, DEFAULT_LOG, FILES, Fault, SMALL_LOG, alone, crowd};
use crate::witness::Witness;
use connectory::{CheckpointMode, CommitMode, StoreError};
use connectory_tests::hooked::{Call, File, Image, Unsynced};
use connectory_tests::seed;
use std::io::ErrorKind;

/// What failed in a sweep.
#[derive(Debug, Default)]
struct Tally {
    tried: usize,
    full: usize,
    io: usize,
    unknown: usize,
}

impl Tally {
    fn count(&mut self, failures: &[StoreError]) {
        self.tried += 1;
        for error in failures {
            match error {
                StoreError::StorageFull => self.full += 1,
                StoreError::Io(_) => self.io += 1,
                _ => self.unknown += 1,
            }
        }
    }
}

/// What is swept: the calls that fail, and the store that they fail for.
#[derive(Debug, Clone, Copy)]
struct Sweep {
    mode: CommitMode,
    file: Option<File>,
    call: Option<Call>,
    log_bytes: u64,
    checkpoints: CheckpointMode,
    /// The most calls from one that fails to the next.
    stride: usize,
}

/// Lets the first, second, third ... call fail until one is beyond the last.
fn sweep(rng: &mut fastrand::Rng, sweep: Sweep, tally: &mut Tally) {
    let Sweep { mode, file, call, log_bytes, checkpoints, stride } = sweep;
    // Reads are worth failing only where no cache spares them.
    let reads = call == Some(Call::Read);
    let (image, cache_bytes) = if reads { (crowd(mode), 0) } else { (Image::default(), 1 << 20) };
    let options = alone(log_bytes).cache_bytes(cache_bytes).checkpoint_mode(checkpoints);
    for lasts in [false, true] {
        let mut nth = 1;
        loop {
            // No read fails because the disk is full.
            let full = rng.bool() && !reads;
            let kind = if full { ErrorKind::StorageFull } else { ErrorKind::Other };
            let fault = Fault { file, call, nth, lasts, kind };
            let unsynced = match (call, file) {
                (Some(Call::Sync), Some(File::Log)) => {
                    *rng.choice(&[Unsynced::Waits, Unsynced::IsLost, Unsynced::IsHidden]).unwrap()
                }
                (Some(Call::Sync), _) => rng.choice([Unsynced::Waits, Unsynced::IsLost]).unwrap(),
                _ => Unsynced::Waits,
            };
            let mut witness = Witness::new(mode, &image, options.clone());
            witness.storage.on_failed_sync(unsynced);
            witness.looks = rng.bool();
            if lasts && rng.bool() {
                witness.heal_after = rng.usize(1..8);
            }
            let end = *rng.choice(&[End::Healed, End::Healed, End::Killed, End::PowerCut]).unwrap();
            let write_first = rng.bool();
            let _context = Context(format!(
                "{sweep:?}, {fault:?}, {unsynced:?}, looks {}, heal_after {}, {end:?}, \
                 write_first {write_first}",
                witness.looks, witness.heal_after
            ));
            witness.faults.arm(fault);
            witness.work();
            let untouched = witness.faults.failed() == 0;
            assert!(lasts || witness.failures.len() <= 1, "once: {:?}", witness.failures);
            assert!(!untouched || witness.failures.is_empty(), "{:?}", witness.failures);
            match end {
                End::Healed => witness.faults.heal(),
                End::Killed => witness.crash(witness.storage.image()),
                End::PowerCut => witness.crash(witness.storage.synced()),
            }
            witness.conclude(write_first);
            tally.count(&witness.failures);
            if untouched {
                break;
            }
            nth += rng.usize(1..=stride);
        }
    }
}

/// What comes after the failures.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The store goes on.
    Healed,
    /// The process ends, and another one opens what can be read.
    Killed,
    /// Only what was synced is left.
    PowerCut,
}

pub(crate) fn every_failure_is_survived(mode: CommitMode) {
    let mut rng = fastrand::Rng::with_seed(seed());
    let is_long = std::env::var_os("CONNECTORY_LONG").is_some();
    let mut tally = Tally::default();
    for (log_bytes, checkpoints) in [
        (SMALL_LOG, CheckpointMode::Inline),
        (DEFAULT_LOG, CheckpointMode::Inline),
        (SMALL_LOG, CheckpointMode::Background),
        (SMALL_LOG, CheckpointMode::OnDemand),
    ] {
        let calls = [
            Call::Open,
            Call::Remove,
            Call::Len,
            Call::Read,
            Call::SetLen,
            Call::Write,
            Call::Sync,
        ];
        let of_files =
            FILES.into_iter().flat_map(|file| calls.map(|call| (Some(file), Some(call))));
        for (file, call) in of_files.chain([(None, None)]) {
            let before = tally.tried;
            let stride = match (call, checkpoints) {
                _ if is_long => 1,
                (Some(Call::Read), _) if file == Some(File::Store) => 80,
                (_, CheckpointMode::Background | CheckpointMode::OnDemand) => 12,
                (None, _) => 6,
                _ if file == Some(File::Store) && log_bytes == SMALL_LOG => 3,
                _ => 1,
            };
            let what = Sweep { mode, file, call, log_bytes, checkpoints, stride };
            let began = std::time::Instant::now();
            sweep(&mut rng, what, &mut tally);
            println!("{} failures tried in {:?}: {what:?}", tally.tried - before, began.elapsed());
        }
    }
    println!("{mode:?}: {tally:?} in all");
    assert!(tally.full > 0 && tally.io > 0 && tally.unknown > 0, "{tally:?}");
}
