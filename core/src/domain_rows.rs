//! The rows of `domains`: every domain has a number for as long as it has connections, and its entries begin
//! with the number.
//!
//! So an entry is short however long the domain is. A domain that comes back gets a new number: the old one may
//! stand in a snapshot that somebody still reads.

use crate::codec;
use crate::query;
use crate::rows::{Order, Rows, Scan};
use crate::tables::{self, DomainKey, RowChanges, Table};
use crate::walk::{Ids, Step};
use crate::{ConnectionId, Domain, StoreError};

fn number(rows: Rows<'_>, domain: &str) -> Result<Option<u32>, StoreError> {
    rows.read(Table::Domains, &tables::domain_name(domain), tables::domain_number)
}

fn entry(number: u32, id: ConnectionId) -> Vec<u8> {
    tables::with_id(&tables::domain_order(number), id)
}

/// What changes with a new connection, and the last number given out then; `last` is the one before.
pub(crate) fn add(
    rows: Rows<'_>,
    last: u32,
    domain: &Domain,
    id: ConnectionId,
) -> Result<(RowChanges, u32), StoreError> {
    if let Some(number) = number(rows, domain.as_str())? {
        return Ok((vec![(entry(number, id), Some(Vec::new()))], last));
    }
    let number = last
        .checked_add(1)
        .ok_or_else(|| StoreError::Internal("there is no greater number for a domain".into()))?;
    let name = (tables::domain_name(domain.as_str()), Some(number.to_be_bytes().to_vec()));
    Ok((vec![name, (entry(number, id), Some(Vec::new()))], number))
}

/// What changes when a connection goes.
pub(crate) fn remove(
    rows: Rows<'_>,
    domain: &Domain,
    id: ConnectionId,
) -> Result<RowChanges, StoreError> {
    let number = number(rows, domain.as_str())?
        .ok_or_else(|| StoreError::damaged(format!("the domain of {id} has no number")))?;
    let mut changes = vec![(entry(number, id), None)];
    // Two are enough to tell whether it is the last.
    let ids = Ids::below(rows, Table::Domains, &tables::domain_order(number), None)?.take(2)?;
    if ids.iter().all(|&other| other == id) {
        changes.push((tables::domain_name(domain.as_str()), None));
    }
    Ok(changes)
}

/// The connections of a domain that are older than `before`.
pub(crate) fn ids<'a>(
    rows: Rows<'a>,
    domain: &Domain,
    before: Option<ConnectionId>,
) -> Result<Ids<'a>, StoreError> {
    match number(rows, domain.as_str())? {
        Some(number) => Ids::below(rows, Table::Domains, &tables::domain_order(number), before),
        None => Ok(Ids::Listed(Vec::new())),
    }
}

/// Whether the connection is among those of the domain.
pub(crate) fn lists(rows: Rows<'_>, domain: &Domain, id: ConnectionId) -> Result<bool, StoreError> {
    let Some(number) = number(rows, domain.as_str())? else { return Ok(false) };
    Ok(rows.get(Table::Domains, &entry(number, id), |_| ())?.is_some())
}

/// A walk through the connections, older than a bound, of all domains whose names begin alike.
pub(crate) struct Named<'a> {
    rows: Rows<'a>,
    before: Option<ConnectionId>,
    names: Scan<'a>,
    /// Those of the domain at hand that are still to come.
    ids: Ids<'a>,
}

impl<'a> Named<'a> {
    pub(crate) fn new(
        rows: Rows<'a>,
        beginning: &str,
        before: Option<ConnectionId>,
    ) -> Result<Self, StoreError> {
        let prefix = tables::domain_name(beginning);
        let names = rows.scan_prefix(Table::Domains, &prefix, Order::Rising)?;
        Ok(Self { rows, before, names, ids: Ids::Listed(Vec::new()) })
    }

    pub(crate) fn step(&mut self) -> Result<Step, StoreError> {
        if let Some(id) = self.ids.next()? {
            return Ok(Step::Id(id));
        }
        let Some(number) = self.names.next(|_, value| tables::domain_number(value))? else {
            return Ok(Step::End);
        };
        let prefix = tables::domain_order(number);
        self.ids = Ids::below(self.rows, Table::Domains, &prefix, self.before)?;
        self.ids.next().map(Step::from)
    }
}

/// Reads every row and looks up what it refers to; returns the number of entries.
pub(crate) fn check(rows: Rows<'_>, problem: &mut impl FnMut(String)) -> Result<u64, StoreError> {
    enum Found {
        Name(String, u32),
        InOrder(u32, ConnectionId),
    }
    let last = rows.state().last_domain;
    let mut entries = 0;
    let mut scan = rows.all(Table::Domains)?;
    while let Some(found) = scan.next(|key, value| {
        Ok(match DomainKey::read(key)? {
            DomainKey::Name(domain) => Found::Name(domain.into(), tables::domain_number(value)?),
            DomainKey::InOrder(number, id) => Found::InOrder(number, id),
        })
    })? {
        match found {
            Found::Name(domain, of) => {
                if !(1..=last).contains(&of) {
                    problem(format!(
                        "domain {domain}: has the number {of}, which was not given out"
                    ));
                }
                // Two names with one number differ in this: the entries are of one of them.
                let prefix = tables::domain_order(of);
                match Ids::below(rows, Table::Domains, &prefix, None)?.next()? {
                    None => problem(format!("domain {domain}: has a number but no connections")),
                    Some(id) if domain_of(rows, id)?.as_deref() == Some(domain.as_str()) => {}
                    Some(id) => problem(format!("domain {domain}: its number leads to {id}")),
                }
            }
            Found::InOrder(of, id) => {
                entries += 1;
                let agrees = match domain_of(rows, id)? {
                    Some(domain) => number(rows, &domain)? == Some(of),
                    None => false,
                };
                if !agrees {
                    problem(format!("the index of domains names {id} where it does not belong"));
                }
            }
        }
    }
    Ok(entries)
}

fn domain_of(rows: Rows<'_>, id: ConnectionId) -> Result<Option<String>, StoreError> {
    let domain = query::record_bytes(rows, id, |bytes| {
        codec::pair_of(bytes).ok().map(|(_, domain)| domain.to_owned())
    })?;
    Ok(domain.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::rows::{Effects, View};
    use crate::{MemoryStorage, fixtures};

    fn id(n: u8) -> ConnectionId {
        ConnectionId::from_bytes(&[n; 16]).unwrap()
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn rows_are_the_frozen_bytes() {
        let disk = Disk::open(&MemoryStorage::default(), 1 << 20).unwrap();
        let view = View::of(disk.snapshot().unwrap());
        let rows = Rows::of(&view);
        let name = fixtures::named("domain", "the number of a domain");
        let entry = fixtures::named("domain_order", "one of its connections");
        let number = u32::try_from(name.number("number")).unwrap();
        let domain = name.text("domain").parse().unwrap();
        let (changes, last) = add(rows, number - 1, &domain, entry.id()).unwrap();
        assert_eq!(last, number);
        assert_eq!(tables::domain_number(&name.bytes).unwrap(), number);
        assert_eq!(changes, [(name.key, Some(name.bytes)), (entry.key, Some(entry.bytes))]);
    }

    #[test]
    fn a_domain_has_a_number_while_it_has_connections_and_never_the_same_again() {
        let disk = Disk::open(&MemoryStorage::default(), 1 << 20).unwrap();
        let view = View::of(disk.snapshot().unwrap());
        let mut effects = Effects::default();
        let (short, long): (Domain, Domain) =
            ("a.com".parse().unwrap(), "a.com.example".parse().unwrap());
        let apply = |effects: &mut Effects, changes: RowChanges| {
            for (key, value) in changes {
                match value {
                    Some(value) => effects.put(Table::Domains, key, value),
                    None => effects.remove(Table::Domains, key),
                }
            }
        };
        let mut last = 0;
        for (n, domain, number) in [(1, &short, 1), (2, &short, 1), (3, &long, 2), (4, &short, 2)] {
            let rows = Rows::with(&view, &effects);
            let (changes, given) = add(rows, last, domain, id(n)).unwrap();
            assert_eq!(given, number);
            last = given;
            apply(&mut effects, changes);
        }
        let listed = |effects: &Effects, domain| {
            let rows = Rows::with(&view, effects);
            ids(rows, domain, None).unwrap().take(9).unwrap()
        };
        assert_eq!(listed(&effects, &short), [id(4), id(2), id(1)]);
        assert_eq!(listed(&effects, &long), [id(3)]);

        for (n, left) in [(4, 2), (1, 1), (2, 0)] {
            let changes = remove(Rows::with(&view, &effects), &short, id(n)).unwrap();
            apply(&mut effects, changes);
            assert_eq!(listed(&effects, &short).len(), left);
        }
        let rows = Rows::with(&view, &effects);
        assert_eq!(number(rows, short.as_str()).unwrap(), None, "its name is gone");
        assert!(matches!(remove(rows, &short, id(2)), Err(StoreError::Damaged(_))));
        assert_eq!(add(rows, last, &short, id(5)).unwrap().1, 3);
        assert!(matches!(add(rows, u32::MAX, &short, id(5)), Err(StoreError::Internal(_))));
        assert_eq!(add(rows, u32::MAX, &long, id(5)).unwrap().1, u32::MAX, "it has its number");
    }
}
