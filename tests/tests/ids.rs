//! IDs under a clock that stands still and jumps back: they rise all the same.

use connectory::{
    ConnectionId, Creation, ListQuery, MemoryStorage, NewConnection, Options, Stamp, Store,
};
use connectory_tests::seed;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Creates in all.
const ALL: usize = 1_000_000;
/// Creates that go into one call, so that their answers need not all be held at once.
const AT_ONCE: usize = 50_000;

/// A clock that mostly stands still, sometimes runs, and jumps back by up to a day; every stamp is noted.
#[derive(Clone)]
struct Clock(Arc<Mutex<Ticking>>);

struct Ticking {
    rng: fastrand::Rng,
    now_ms: u64,
    /// Stamps that no ID was compared with yet.
    given: VecDeque<Stamp>,
}

impl Clock {
    fn new(rng: fastrand::Rng) -> Self {
        let given = VecDeque::new();
        Self(Arc::new(Mutex::new(Ticking { rng, now_ms: 1_750_000_000_000, given })))
    }

    fn options(&self) -> Options {
        let clock = self.clone();
        Options::with_stamps(move || clock.tick())
    }

    fn tick(&self) -> Stamp {
        let ticking = &mut *self.0.lock().unwrap();
        match ticking.rng.u32(..1000) {
            0..10 => ticking.now_ms += ticking.rng.u64(1..2_000),
            10..12 => ticking.now_ms -= ticking.rng.u64(1..86_400_000),
            12..14 => ticking.now_ms += 86_400_000,
            _ => {}
        }
        // Every bit set and none are where the steps are longest and shortest.
        let random = match ticking.rng.u8(..) {
            0 => 0,
            1 => u64::MAX,
            _ => ticking.rng.u64(..),
        };
        let stamp = Stamp { now_ms: ticking.now_ms, random };
        ticking.given.push_back(stamp);
        stamp
    }

    fn next_given(&self) -> Stamp {
        self.0.lock().unwrap().given.pop_front().unwrap()
    }
}

const DIGITS: [u8; 32] = *b"0123456789abcdefghjkmnpqrstvwxyz";

/// The three parts of an ID, read from its text by another way than the library's.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parts {
    ms: u64,
    order: u64,
    route: u16,
}

impl Parts {
    fn of(id: ConnectionId) -> Self {
        let text = id.to_string();
        let digits = text.strip_prefix("ma_").unwrap();
        assert_eq!(digits.len(), 26, "{text}");
        let bits = digits.bytes().fold(0, |bits, digit| {
            bits << 5 | DIGITS.iter().position(|at| *at == digit).unwrap() as u128
        });
        Self {
            ms: u64::try_from(bits >> 80).unwrap(),
            order: u64::try_from(bits >> 16 & u128::from(u64::MAX)).unwrap(),
            route: u16::try_from(bits & 0xffff).unwrap(),
        }
    }

    fn text(self) -> String {
        let bits =
            u128::from(self.ms) << 80 | u128::from(self.order) << 16 | u128::from(self.route);
        let digit = |n: usize| char::from(DIGITS[(bits >> (5 * n)) as usize % 32]);
        format!("ma_{}", (0..26).rev().map(digit).collect::<String>())
    }
}

/// FNV-1a of 64 bits, its four quarters xored.
fn route(name: &str) -> u16 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let quarters = hash.to_be_bytes();
    quarters.chunks(2).fold(0, |folded, two| folded ^ u16::from_be_bytes([two[0], two[1]]))
}

fn request(n: usize) -> NewConnection {
    let domain = format!("d{}.example", n / 1000).parse().unwrap();
    NewConnection::new(domain, format!("profile-{}", n % 1000).parse().unwrap())
}

#[test]
fn ids_rise_strictly_whatever_the_clock_does() {
    let mut rng = fastrand::Rng::with_seed(seed());
    let clock = Clock::new(rng.fork());
    let storage = MemoryStorage::default();
    let store = Store::open_with(storage, clock.options()).unwrap();
    let mut last: Option<(ConnectionId, Parts)> = None;
    let (mut in_one_ms, mut in_new_ms, mut by_old_clock) = (0, 0, 0);
    for from in (0..ALL).step_by(AT_ONCE) {
        let answers = store.create_many((from..from + AT_ONCE).map(request));
        assert_eq!(answers.len(), AT_ONCE);
        for (n, answer) in (from..).zip(answers) {
            let Creation::Created(connection) = answer.unwrap() else { panic!("{n} is new") };
            let (id, stamp) = (connection.id, clock.next_given());
            let parts = Parts::of(id);
            assert_eq!(parts.route, route(connection.profile_name.as_str()));
            assert_eq!((id.route(), id.unix_ms()), (connection.profile_name.route(), parts.ms));
            assert_eq!(id.route(), parts.route);
            match last {
                Some((_, before)) if before.ms == parts.ms => {
                    in_one_ms += 1;
                    by_old_clock += usize::from(stamp.now_ms < before.ms);
                    assert!(stamp.now_ms <= before.ms, "{before:?} {parts:?} {stamp:?}");
                    let step = parts.order - before.order;
                    assert!((1..=1 << 32).contains(&step), "{before:?} {parts:?}");
                }
                _ => {
                    in_new_ms += 1;
                    assert_eq!(parts.ms, stamp.now_ms, "the clock is ahead, so it is believed");
                    assert_eq!(parts.order >> 63, 0, "room for the orders after it");
                }
            }
            if let Some((before, _)) = last {
                assert!(before < id && before.to_string() < id.to_string(), "{before} {id}");
            }
            if rng.u8(..) == 0 {
                assert_eq!(id.to_string().parse(), Ok(id), "text round trip");
            }
            last = Some((id, parts));
        }
    }
    println!("{in_new_ms} IDs are the first in their millisecond, {in_one_ms} later ones,");
    println!("{by_old_clock} of them made after the clock had jumped back");
    assert!(in_new_ms > ALL / 2000 && by_old_clock > ALL / 100, "the clock did all it should");
    let newest = store.list(&ListQuery::default()).unwrap().items[0].id;
    assert_eq!(Some(newest), last.map(|(id, _)| id), "the last one made is listed first");
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn no_id_is_given_out_again_after_its_connection_is_gone() {
    let mut rng = fastrand::Rng::with_seed(seed());
    let storage = MemoryStorage::default();
    let mut last = None;
    for n in 0..40 {
        // Each opening has a clock of its own, all of them set to the same time.
        let clock = Clock::new(rng.fork());
        let store = Store::open_with(storage.clone(), clock.options()).unwrap();
        let id = store.create(request(n)).unwrap().id();
        assert!(Some(id) > last, "{id} is no greater than {last:?}");
        last = Some(id);
        store.delete(id).unwrap();
        if rng.bool() {
            store.close().unwrap();
        }
    }
    let store = Store::open_with(storage, Options::new()).unwrap();
    assert_eq!(store.stats().unwrap().connections, 0);
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn a_clock_beyond_what_an_id_holds_stands_at_its_end() {
    let far = Options::with_stamps(|| Stamp { now_ms: u64::MAX, random: u64::MAX });
    let store = Store::open_with(MemoryStorage::default(), far).unwrap();
    let ids: Vec<_> = (0..3).map(|n| Parts::of(store.create(request(n)).unwrap().id())).collect();
    assert_eq!((ids[0].ms, ids[0].order), ((1 << 48) - 1, u64::MAX >> 1));
    assert!(ids.windows(2).all(|pair| pair[1].ms == pair[0].ms));
    assert!(ids.windows(2).all(|pair| pair[1].order == pair[0].order + (1 << 32)));
}

#[test]
fn a_millisecond_that_is_used_up_gives_way_to_the_next() {
    let still = || Options::with_stamps(|| Stamp { now_ms: 5_000, random: 7 });
    let store = Store::open_with(MemoryStorage::default(), still()).unwrap();
    let id = store.create(request(0)).unwrap().id();
    assert_eq!(Parts::of(id), Parts { ms: 5_000, order: 3, route: id.route() });

    // A dump is the way to a store that has given out the last order of its millisecond.
    let used_up = Parts { order: u64::MAX, ..Parts::of(id) }.text();
    let lines: Vec<String> = store.dump().unwrap().map(Result::unwrap).collect();
    let later = Store::open_with(MemoryStorage::default(), still()).unwrap();
    later.load(lines.iter().map(|line| Ok(line.replace(&id.to_string(), &used_up)))).unwrap();
    assert!(later.get(used_up.parse().unwrap()).unwrap().is_some());

    let next = later.create(request(1)).unwrap().id();
    assert_eq!(Parts::of(next), Parts { ms: 5_001, order: 3, route: next.route() });
    assert!(later.check().unwrap().is_sound());
}

#[test]
fn after_the_greatest_id_comes_none_that_is_smaller() {
    // Its route, like all of it, has every bit set; some profile has that route.
    let last = Parts { ms: (1 << 48) - 1, order: u64::MAX, route: u16::MAX };
    let mut names = (0..10_000_000).map(|n| format!("p{n}"));
    let profile = names.find(|name| route(name) == last.route).unwrap();
    let source = Store::in_memory().unwrap();
    let request = NewConnection::new("a.example".parse().unwrap(), profile.parse().unwrap());
    let id = source.create(request).unwrap().id().to_string();
    let lines = source.dump().unwrap().map(|line| Ok(line.unwrap().replace(&id, &last.text())));
    let store = Store::in_memory().unwrap();
    // Either such a dump is refused, or there can be no further ID.
    if store.load(lines).is_ok() {
        let next = store.create(self::request(0)).map(|answer| answer.id());
        assert!(next.is_err(), "{next:?} is smaller than {}", last.text());
    }
}
