//! The law of the codec: bytes are read as one value, which is written and read again as the same, or are damage.

use crate::codec::{
    Record, decode_batch, decode_proxy, decode_record, decode_state, encode_batch, encode_proxy,
    encode_record, encode_state, pair_of,
};
use crate::profile_rows;
use crate::tables::Table;
use crate::{ConnectionId, Error, Refusal, StoreError};

/// Reads `input` as one of the values that are stored; the first byte says which: 0 a record, 1 a batch, 2 a proxy, 3
/// the state, any other a profile's row.
pub fn codec(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind {
        0 => record(bytes),
        1 => batch(bytes),
        2 => {
            if let Some((count, name)) = read(decode_proxy(bytes)) {
                let written = encode_proxy(count, name.as_ref()).expect("it was read");
                assert_eq!(decode_proxy(&written).expect("it was written"), (count, name));
            }
        }
        3 => {
            if let Some(state) = read(decode_state(bytes)) {
                let written = encode_state(&state).expect("it was read");
                assert_eq!(decode_state(&written).expect("it was written"), state);
            }
        }
        _ => profile_row(bytes),
    }
}

/// The value; `None` for damage, and nothing else may be wrong.
pub(crate) fn read<T>(read: Result<T, StoreError>) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(StoreError::Damaged(what)) => {
            assert!(!what.is_empty());
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn record(bytes: &[u8]) {
    let id = ConnectionId::from_bytes(&[7; 16]).expect("16 bytes");
    let Some(record) = read(decode_record(id, bytes)) else { return };
    let Record { connection, .. } = &record;
    let pair = (connection.profile_name.as_str(), connection.domain.as_str());
    assert_eq!(pair_of(bytes).expect("the record begins with it"), pair);
    match encode_record(&record) {
        Ok(written) => {
            assert_eq!(decode_record(id, &written).expect("it was written"), record);
            let again = encode_record(&record).expect("it was written before");
            assert_eq!(again, written);
        }
        Err(Error::Refused(Refusal::TooLarge(_))) => {}
        Err(error) => panic!("{error:?}"),
    }
}

fn batch(bytes: &[u8]) {
    let Some((effects, state)) = read(decode_batch(bytes)) else { return };
    let written = encode_batch(&effects, &state).expect("it was read");
    let (again, state_again) = decode_batch(&written).expect("it was written");
    assert_eq!(state_again, state);
    assert_eq!(again.changes, effects.changes);
    for table in Table::ALL {
        assert_eq!(again.of(table), effects.of(table));
    }
    let rows: usize = Table::ALL.iter().map(|&table| effects.of(table).len()).sum();
    assert!(rows + effects.changes.len() <= bytes.len(), "no row is made of nothing");
}

/// A row takes one more connection, or is damaged; so does the row that comes of it.
fn profile_row(bytes: &[u8]) {
    let name = "p".parse().expect("a name");
    let domain = "new.example".parse().expect("a domain");
    let id = ConnectionId::from_bytes(&[7; 16]).expect("16 bytes");
    let Some(count) = read(profile_rows::count(bytes)) else { return };
    let Some(changes) = read(profile_rows::add(Some(bytes), &name, &domain, id)) else { return };
    let (_, row) = changes.first().expect("the profile's own row");
    let row = row.as_deref().expect("it is put");
    assert_eq!(profile_rows::count(row).expect("it was written"), count + 1);
    let once_more = profile_rows::add(Some(row), &name, &domain, id);
    // There is one number that nothing can be added to.
    assert!(once_more.is_ok() || count + 1 == u64::MAX, "{once_more:?}");
}
