//! [`Message`], what the process with the store tells the one that keeps the ledger, on a pipe.

use crate::Outcome;
use crate::act::Act;
use crate::holdings::Holdings;
use bincode::{Decode, Encode};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;

/// Something told.
#[derive(Debug, Encode, Decode)]
pub(crate) enum Message {
    /// What a worker has, as it was found on opening; from the first to the last.
    Holds(Holdings),
    /// Everything was read and checked; then the process waits for leave to go on.
    Opened { last_change: u64 },
    /// A worker is about to do this.
    Begins { worker: u16, act: Act },
    /// What it began is done, and acknowledged; with the ID of what it created.
    Done { worker: u16, id: Option<String> },
    /// What it began was refused because the store was closed, so it is not done.
    Undone { worker: u16 },
    /// The store is about to be looked after.
    Begun(Upkeep),
    /// What could be seen in the last second.
    Sample(Sample),
    /// Something is not as it must be.
    Wrong(String),
    /// The store is closed, and all is told.
    Closed,
}

/// What is done to the store now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Upkeep {
    Checkpoint,
    /// Closing compacts.
    Close,
    Open,
    Check,
}

/// What could be seen in about a second.
#[derive(Debug, Clone, Default, Encode, Decode)]
pub(crate) struct Sample {
    pub(crate) resident_mib: f64,
    /// What the files take on the disk; 0 where there is none.
    pub(crate) store_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) connections: u64,
    /// For so long.
    pub(crate) seconds: f64,
    /// By kind of operation.
    pub(crate) latencies: Vec<Latency>,
}

/// How long the calls of one kind took.
#[derive(Debug, Clone, Copy, Default, Encode, Decode)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) median_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

const CONFIG: bincode::config::Configuration = bincode::config::standard();

/// Tells messages, whole ones, from any number of threads.
#[derive(Debug)]
pub(crate) struct Teller(Mutex<File>);

impl Teller {
    /// On standard output, past its buffer.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Mutex::new(io::stdout().as_fd().try_clone_to_owned()?.into())))
    }

    pub(crate) fn tell(&self, message: &Message) -> Outcome<()> {
        let mut bytes = vec![0; 4];
        bytes.extend(bincode::encode_to_vec(message, CONFIG).map_err(|error| error.to_string())?);
        let length = u32::try_from(bytes.len() - 4)?;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        Ok(self
            .0
            .lock()
            .map_err(|_| "a thread failed while it told something")?
            .write_all(&bytes)?)
    }
}

/// The next message; `None` once there is none, or only a part of one that was cut.
pub(crate) fn hear(from: &mut impl Read) -> Outcome<Option<Message>> {
    let mut length = [0; 4];
    let mut bytes = Vec::new();
    let heard = from.read_exact(&mut length).and_then(|()| {
        bytes.resize(u32::from_le_bytes(length) as usize, 0);
        from.read_exact(&mut bytes)
    });
    match heard {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
        Ok(()) => match bincode::decode_from_slice(&bytes, CONFIG) {
            Ok((message, _)) => Ok(Some(message)),
            Err(error) => Err(error.to_string().into()),
        },
    }
}
