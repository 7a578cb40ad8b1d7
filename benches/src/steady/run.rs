//! [`Run`], the writing itself, and what is seen meanwhile.

use crate::histogram::Histogram;
use crate::machine::status_mib;
use connectory::{Creation, FileStorage, NewConnection, Store};
use connectory_benches::{Outcome, Summary, bytes_on_disk, names};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// For so long calls are summed up together.
pub(crate) const WINDOW: Duration = Duration::from_millis(250);
/// Creates for each control.
const CREATES_EACH: u64 = 16;
/// Creates before the clock runs, from which it is known how many bytes one writes.
const TRIALS: usize = 64;
/// The length of a log, unless set; of the control's file too.
const LOG_BYTES: u64 = 16 << 20;
/// Creates in one commit of those that are there before.
const BATCH: usize = 10_000;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) lasts: Duration,
    /// Connections in the store before.
    pub(crate) size: usize,
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Run {
    /// Bytes that a create writes, and a control with it.
    pub(crate) bytes_each: usize,
    pub(crate) start: Sample,
    pub(crate) windows: Vec<Window>,
    pub(crate) closed: Sample,
    pub(crate) closing: Duration,
    /// Calls in windows without and with a checkpoint.
    pub(crate) creates: [Histogram; 2],
    pub(crate) controls: [Histogram; 2],
}

/// What can be seen at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) connections: u64,
    pub(crate) resident_mib: f64,
    /// What the store's file takes on the disk; it may claim to be longer.
    pub(crate) store_bytes: u64,
    pub(crate) log_bytes: u64,
    store_written: SystemTime,
}

/// What happened between two samples.
#[derive(Debug)]
pub(crate) struct Window {
    /// When it began and ended, since the first began.
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) creates: Summary,
    pub(crate) controls: Summary,
    /// Whether the store's own file was written, which only checkpoints do, after they have gathered what to write.
    pub(crate) has_checkpoint: bool,
    pub(crate) end: Sample,
}

/// Sums up the calls, counts them in the histogram, and forgets them.
fn sum_up(times: &mut Vec<Duration>, histogram: &mut Histogram) -> Summary {
    let summary = Summary::of(times);
    for time in times.drain(..) {
        histogram.add(time);
    }
    summary
}

/// An open store, and how it is filled and watched.
struct Subject {
    storage: FileStorage,
    store: Store,
    random: fastrand::Rng,
}

impl Subject {
    fn request(&mut self) -> Outcome<NewConnection> {
        let (profile, domain) = names(&mut self.random);
        Ok(NewConnection::new(domain.parse()?, profile.parse()?))
    }

    /// Makes the connections that are there before, then closes and opens the store.
    fn fill(&mut self, size: usize) -> Outcome<()> {
        for from in (0..size).step_by(BATCH) {
            eprintln!("filling: {from} of {size}");
            let requests = from..size.min(from + BATCH);
            let requests = requests.map(|_| self.request()).collect::<Outcome<Vec<_>>>()?;
            for creation in self.store.create_many(requests) {
                is_created(&creation?)?;
            }
        }
        self.store.close()?;
        self.store = Store::open(self.storage.path())?;
        Ok(())
    }

    /// One create, and how long it took.
    fn create(&mut self) -> Outcome<Duration> {
        let request = self.request()?;
        let start = Instant::now();
        let creation = self.store.create(request)?;
        let time = start.elapsed();
        is_created(&creation)?;
        Ok(time)
    }

    /// The bytes that one create writes, by the system's account: the median of some.
    fn bytes_each(&mut self) -> Outcome<usize> {
        // The first one opens the log.
        self.create()?;
        let mut bytes = Vec::new();
        for _ in 0..TRIALS {
            let before = bytes_written()?;
            self.create()?;
            bytes.push(bytes_written()? - before);
        }
        bytes.sort_unstable();
        Ok(usize::try_from(bytes[TRIALS / 2])?)
    }

    fn sample(&self) -> Outcome<Sample> {
        sample(&self.storage, self.store.stats()?.connections)
    }
}

fn is_created(creation: &Creation) -> Outcome<()> {
    match creation {
        Creation::Created(_) => Ok(()),
        other => Err(format!("a random pair was taken: {other:?}").into()),
    }
}

/// The bytes that this process has written to files.
fn bytes_written() -> Outcome<u64> {
    let account = std::fs::read_to_string("/proc/self/io")?;
    let written = account.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(written.ok_or("the system does not say what was written")?.parse()?)
}

fn sample(storage: &FileStorage, connections: u64) -> Outcome<Sample> {
    Ok(Sample {
        connections,
        resident_mib: status_mib("VmRSS").ok_or("the system does not say what memory is taken")?,
        store_bytes: bytes_on_disk(storage.path())?,
        log_bytes: bytes_on_disk(&storage.log_path())?,
        store_written: std::fs::metadata(storage.path())?.modified()?,
    })
}

/// What the disk does by itself: writes over a file of zeros that is as long as the log, synced one by one.
struct Control {
    file: File,
    bytes: Vec<u8>,
    at: u64,
}

impl Control {
    fn new(path: &Path, bytes: usize) -> Outcome<Self> {
        let file = File::create(path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..LOG_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes: vec![7; bytes], at: 0 })
    }

    /// One write, and how long it took.
    fn write(&mut self) -> Outcome<Duration> {
        let length = self.bytes.len() as u64;
        if self.at + length > LOG_BYTES {
            self.at = 0;
        }
        let start = Instant::now();
        self.file.write_all_at(&self.bytes, self.at)?;
        self.file.sync_data()?;
        let time = start.elapsed();
        self.at += length;
        Ok(time)
    }
}

impl Run {
    /// Does what is planned.
    pub(crate) fn of(plan: &Plan<'_>) -> Outcome<Self> {
        let storage = FileStorage::new(plan.directory.join("steady.connectory"));
        let store = Store::open(storage.path())?;
        let mut subject = Subject { storage, store, random: fastrand::Rng::with_seed(plan.seed) };
        if plan.size > 0 {
            subject.fill(plan.size)?;
        }
        let bytes_each = subject.bytes_each()?;
        let control = Control::new(&plan.directory.join("control"), bytes_each)?;
        let mut run = Self {
            bytes_each,
            start: subject.sample()?,
            windows: Vec::new(),
            closed: subject.sample()?,
            closing: Duration::ZERO,
            creates: Default::default(),
            controls: Default::default(),
        };
        eprintln!("writing for {} seconds, {bytes_each} bytes each", plan.lasts.as_secs());
        run.write(&mut subject, control, plan.lasts)?;
        let connections = subject.store.stats()?.connections;
        let begun = Instant::now();
        subject.store.close()?;
        run.closing = begun.elapsed();
        run.closed = sample(&subject.storage, connections)?;
        Ok(run)
    }

    fn write(
        &mut self,
        subject: &mut Subject,
        mut control: Control,
        lasts: Duration,
    ) -> Outcome<()> {
        let (mut creates, mut controls) = (Vec::new(), Vec::new());
        let begun = Instant::now();
        let (mut from, mut next) = (Duration::ZERO, WINDOW);
        let mut before = self.start;
        for n in 1.. {
            creates.push(subject.create()?);
            if n % CREATES_EACH == 0 {
                controls.push(control.write()?);
            }
            let to = begun.elapsed();
            if to < next {
                continue;
            }
            let end = subject.sample()?;
            let has_checkpoint = end.store_written != before.store_written;
            let which = usize::from(has_checkpoint);
            let creates = sum_up(&mut creates, &mut self.creates[which]);
            let controls = sum_up(&mut controls, &mut self.controls[which]);
            self.windows.push(Window { from, to, creates, controls, has_checkpoint, end });
            if to >= lasts {
                break;
            }
            // A stall may have lasted for several.
            while next <= to {
                next += WINDOW;
            }
            (from, before) = (to, end);
        }
        Ok(())
    }

    /// The sample after so many hundredths of the time.
    pub(crate) fn sample_after(&self, percent: u32) -> Sample {
        let lasted = self.windows.last().map_or(Duration::ZERO, |window| window.to);
        let found = self.windows.iter().find(|window| window.to * 100 >= lasted * percent);
        found.map_or(self.start, |window| window.end)
    }

    /// The window in which the slowest call of a kind was, if there was one.
    pub(crate) fn slowest(&self, of: impl Fn(&Window) -> Summary) -> Option<&Window> {
        self.windows.iter().max_by_key(|window| of(window).max)
    }
}
