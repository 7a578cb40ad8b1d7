//! [`Bytes`], where a store keeps its bytes: in memory, or in files that the host keeps, by calls that return when they are
//! done, no promises.

use crate::border::said;
use crate::shelf::Kept;
use connectory::{
    CommitMode, LogRows, LogStorage, MAGIC, MemoryStorage, Storage, StorageBackend, StoreError,
    check_magic,
};
use js_sys::{Array, Error, Reflect, Uint8Array};
use std::io::{self, ErrorKind};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

#[wasm_bindgen]
extern "C" {
    /// Where the host keeps a store: `Files` in `bindings/npm/src/host.ts` says what each call does.
    #[derive(Debug, Clone)]
    pub type Files;
    #[wasm_bindgen(method, getter, js_name = onePhase)]
    fn one_phase(this: &Files) -> bool;
    #[wasm_bindgen(method, catch)]
    fn open(this: &Files) -> Result<OpenFile, JsValue>;
    #[wasm_bindgen(method, catch, js_name = openLog)]
    fn open_log(this: &Files, make: bool) -> Result<Option<OpenFile>, JsValue>;
    #[wasm_bindgen(method, catch, js_name = removeLog)]
    fn remove_log(this: &Files) -> Result<(), JsValue>;

    /// Rows of the host's database, for the log; `undefined` where it is a file.
    #[wasm_bindgen(method, getter, js_name = logRows)]
    fn log_rows(this: &Files) -> Option<Rows>;

    /// Numbered rows of the host's database.
    #[derive(Debug, Clone)]
    pub type Rows;
    #[wasm_bindgen(method, getter)]
    fn count(this: &Rows) -> f64;
    #[wasm_bindgen(method, getter, js_name = bytesMax)]
    fn bytes_max(this: &Rows) -> f64;
    #[wasm_bindgen(method, catch)]
    fn put(this: &Rows, number: f64, row: &[u8]) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn read(this: &Rows, first: f64, count: f64) -> Result<Array, JsValue>;

    /// An open file of the host.
    #[derive(Debug, Clone)]
    pub type OpenFile;
    #[wasm_bindgen(method, catch)]
    fn size(this: &OpenFile) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn read(this: &OpenFile, at: f64, into: &mut [u8]) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &OpenFile, at: f64, bytes: &[u8]) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn truncate(this: &OpenFile, size: f64) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn flush(this: &OpenFile) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn close(this: &OpenFile) -> Result<(), JsValue>;
}

/// Where a store of this instance keeps its bytes.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Memory(MemoryStorage),
    Host(std::sync::Arc<Kept<Files>>),
}

impl Bytes {
    pub(crate) fn of_host(files: Files) -> Self {
        Self::Host(std::sync::Arc::new(Kept::new(files)))
    }
}

impl Storage for Bytes {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        match self {
            Self::Memory(memory) => memory.open(),
            Self::Host(files) => {
                let file = File::new(files.get()?.open().map_err(|thrown| failed(&thrown))?);
                let mut head = MAGIC;
                let length = MAGIC.len().min(usize::try_from(file.len()?).unwrap_or(usize::MAX));
                let (head, _) = head.split_at_mut(length);
                file.read(0, head)?;
                check_magic(head)?;
                Ok(Box::new(file))
            }
        }
    }

    fn open_log(&self, make: bool) -> Result<Option<LogStorage>, StoreError> {
        match self {
            Self::Memory(memory) => memory.open_log(make),
            Self::Host(files) => {
                let files = files.get()?;
                if let Some(rows) = files.log_rows() {
                    return Ok(Some(LogStorage::Rows(Box::new(RowsOfHost::new(rows)))));
                }
                let log = files.open_log(make).map_err(|thrown| failed(&thrown))?;
                Ok(log.map(|file| LogStorage::File(Box::new(File::new(file)))))
            }
        }
    }

    fn remove_log(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.remove_log(),
            Self::Host(files) => Ok(files.get()?.remove_log().map_err(|thrown| failed(&thrown))?),
        }
    }

    fn commit_mode(&self) -> CommitMode {
        match self {
            Self::Memory(memory) => memory.commit_mode(),
            Self::Host(files) if files.get().is_ok_and(|files| !files.one_phase()) => {
                CommitMode::QuickRepair
            }
            Self::Host(_) => CommitMode::OnePhase,
        }
    }
}

/// An open file of the host, closed when it goes.
#[derive(Debug)]
struct File(Kept<OpenFile>);

impl File {
    fn new(file: OpenFile) -> Self {
        Self(Kept::new(file))
    }

    fn ask<T>(&self, call: impl FnOnce(&OpenFile) -> Result<T, JsValue>) -> io::Result<T> {
        call(&self.0.get()?).map_err(|thrown| failed(&thrown))
    }
}

impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        self.ask(OpenFile::size).map(whole)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let wanted = out.len();
        let read = self.ask(|file| file.read(number(offset), out))?;
        if is_all(read, wanted) { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.ask(|file| file.truncate(number(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.ask(OpenFile::flush)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let written = self.ask(|file| file.write(number(offset), data))?;
        // Where there is no space left some browsers throw, and some write less.
        if is_all(written, data.len()) { Ok(()) } else { Err(ErrorKind::StorageFull.into()) }
    }

    fn close(&self) -> io::Result<()> {
        match self.0.take() {
            Some(file) => file.close().map_err(|thrown| failed(&thrown)),
            None => Ok(()),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.close().ok();
    }
}

/// Rows of the host's database.
#[derive(Debug)]
struct RowsOfHost {
    rows: Kept<Rows>,
    count: u64,
    bytes_max: u64,
}

impl RowsOfHost {
    fn new(rows: Rows) -> Self {
        let (count, bytes_max) = (whole(rows.count()).max(4), whole(rows.bytes_max()));
        Self { rows: Kept::new(rows), count, bytes_max }
    }
}

impl LogRows for RowsOfHost {
    fn count(&self) -> u64 {
        self.count
    }

    fn row_bytes_max(&self) -> usize {
        usize::try_from(self.bytes_max).unwrap_or(usize::MAX)
    }

    fn put(&self, number: u64, row: &[u8]) -> io::Result<()> {
        self.rows.get()?.put(self::number(number), row).map_err(|thrown| failed(&thrown))
    }

    fn read(&self, first: u64, count: u64) -> io::Result<Vec<Vec<u8>>> {
        let rows = self.rows.get()?.read(number(first), number(count));
        let rows = rows.map_err(|thrown| failed(&thrown))?;
        Ok(rows.iter().map(|row| row.unchecked_into::<Uint8Array>().to_vec()).collect())
    }
}

/// A whole number of the host's, such as the size of a file.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is neither")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// An offset; files are shorter than the numbers that are exact.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn number(offset: u64) -> f64 {
    offset as f64
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
#[expect(clippy::float_cmp, reason = "whole numbers")]
fn is_all(done: f64, wanted: usize) -> bool {
    done == wanted as f64
}

/// What the host threw, as an error of the system.
fn failed(thrown: &JsValue) -> io::Error {
    let text = |member: &str| Reflect::get(thrown, &member.into()).ok()?.as_string();
    let kind = match (text("name").as_deref(), text("code").as_deref()) {
        (Some("QuotaExceededError"), _) | (_, Some("ENOSPC" | "EDQUOT" | "EFBIG")) => {
            ErrorKind::StorageFull
        }
        _ => ErrorKind::Other,
    };
    let name = thrown.dyn_ref::<Error>().map(|error| String::from(error.name()));
    let said = said(thrown);
    io::Error::new(kind, name.map_or(said.clone(), |name| format!("{name}: {said}")))
}
