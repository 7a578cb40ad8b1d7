//! Many threads at once: one winner a pair, readers that miss nothing, and nothing seen before it is durable.

use connectory::{
    Change, Changes, CommitMode, ConnectionId, CreateOptions, Creation, Delivery, Domain, Edit,
    Error, FileStorage, ListQuery, NewConnection, Options, PageLimit, PageQuery, Patch,
    ProfileName, Store, StoreError,
};
use connectory_tests::hooked::{Call, File, Hooked};
use connectory_tests::seed;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

/// Far longer than anything here takes: a thread that waits for so long waits for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

fn request(profile: &str, domain: &str) -> NewConnection {
    NewConnection::new(domain.parse().unwrap(), profile.parse().unwrap())
}

fn assert_sound(store: &Store) {
    let report = store.check().unwrap();
    assert!(report.is_sound() && report.pages_checked, "{report:?}");
}

#[test]
fn of_all_who_create_a_pair_one_wins_and_the_others_learn_who() {
    const THREADS: usize = 64;
    const PAIRS: usize = 1_000;
    let mut rng = fastrand::Rng::with_seed(seed());
    let directory = tempfile::tempdir().unwrap();
    let storage = FileStorage::new(directory.path().join("race.connectory"));
    // Fewer places than threads, so that most of those who write wait for one.
    let store = Store::open_with(storage, Options::new().queue(8, FOR_EVER)).unwrap();
    let pair = |n: usize| request(&format!("p{}", n % 37), &format!("d{}.example", n / 37));

    let start = Barrier::new(THREADS);
    let answers: Vec<(usize, Creation)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let mut order: Vec<usize> = (0..PAIRS).collect();
                rng.shuffle(&mut order);
                let (store, start) = (&store, &start);
                scope.spawn(move || {
                    start.wait();
                    let create = |n| (n, store.create(pair(n)).unwrap());
                    order.into_iter().map(create).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });

    let mut winners = BTreeMap::new();
    for (n, answer) in &answers {
        if let Creation::Created(connection) = answer {
            let before = winners.insert(*n, connection.id);
            assert_eq!(before, None, "pair {n} was created twice");
        }
    }
    assert_eq!((answers.len(), winners.len()), (THREADS * PAIRS, PAIRS));
    for (n, answer) in &answers {
        match answer {
            Creation::Created(_) => {}
            Creation::Conflict(conflict) => assert_eq!(conflict.existing_id, winners[n]),
            other => panic!("pair {n}: {other:?}"),
        }
    }
    assert_eq!(winners.values().collect::<BTreeSet<_>>().len(), PAIRS, "no ID is used twice");
    assert_eq!(store.stats().unwrap().connections, PAIRS as u64);
    assert_sound(&store);
}

/// Tells the writers that the reader is done, even where it panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Pages can be verified only while nobody reads them; whoever makes checkpoints need not.
#[test]
fn a_check_verifies_pages_beside_one_who_makes_checkpoints() {
    let store = Store::in_memory().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                // It may find the tables out of reach meanwhile.
                store.checkpoint().ok();
            }
        });
        let _done = Done(&done);
        for n in 0..200 {
            assert!(store.create(request("p", &format!("d{n}.example"))).is_ok());
            assert_sound(&store);
        }
    });
}

/// Walks a list to its end while others write: at least one change comes between a page and the next.
fn walk(store: &Store, rng: &mut fastrand::Rng, mut query: ListQuery) -> Vec<ConnectionId> {
    let mut ids = Vec::new();
    loop {
        query.page.limit = PageLimit::new(rng.usize(1..=13)).unwrap();
        let page = store.list(&query).unwrap();
        for connection in &page.items {
            assert!(query.profile_name.as_ref().is_none_or(|of| connection.profile_name == *of));
            assert!(query.domain.as_ref().is_none_or(|of| connection.domain == *of));
        }
        ids.extend(page.items.iter().map(|connection| connection.id));
        query.page.cursor = page.next_cursor;
        if query.page.cursor.is_none() {
            return ids;
        }
        assert!(store.subscribe(None).unwrap().wait(FOR_EVER), "the writer goes on writing");
    }
}

#[test]
fn a_walk_beside_writers_misses_nothing_and_repeats_nothing() {
    const PROFILES: usize = 4;
    const DOMAINS: usize = 25;
    const ROUNDS: usize = 60;
    let mut rng = fastrand::Rng::with_seed(seed());
    let store = Store::in_memory().unwrap();
    let profile = |n: usize| format!("p{n}").parse::<ProfileName>().unwrap();
    let domain = |n: usize| format!("d{n}.example").parse::<Domain>().unwrap();

    // Those that stay, and among them those that come and go: of the same profiles, and of the same domains.
    let mut coming: Vec<NewConnection> = (0..40)
        .map(|n| {
            NewConnection::new(format!("x{n}.example").parse().unwrap(), profile(n % PROFILES))
        })
        .chain(
            (0..40)
                .map(|n| NewConnection::new(domain(n % DOMAINS), format!("t{n}").parse().unwrap())),
        )
        .collect();
    rng.shuffle(&mut coming);
    let mut staying = Vec::new();
    for n in 0..PROFILES * DOMAINS {
        let request = NewConnection::new(domain(n / PROFILES), profile(n % PROFILES));
        let Creation::Created(stays) = store.create(request).unwrap() else { panic!("it is new") };
        staying.push(stays);
        if let Some(comes) = coming.get(n) {
            assert!(matches!(store.create(comes.clone()), Ok(Creation::Created(_))));
        }
    }

    let done = AtomicBool::new(false);
    let mut writer_rng = rng.fork();
    let writes = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut writes = 0_u64;
            while !done.load(Ordering::Acquire) {
                let pair = &coming[writer_rng.usize(..coming.len())];
                match store.create(pair.clone()).unwrap() {
                    Creation::Created(_) => {}
                    taken => store.delete(taken.id()).unwrap(),
                }
                writes += 1;
            }
            writes
        });
        scope.spawn(|| {
            let _done = Done(&done);
            let mut assert_walk = |query: ListQuery| {
                let ids = walk(&store, &mut rng, query.clone());
                let falling = ids.windows(2).all(|pair| pair[0] > pair[1]);
                assert!(falling, "{query:?}: IDs do not fall, or come twice: {ids:?}");
                let listed: BTreeSet<_> = ids.into_iter().collect();
                for stays in &staying {
                    let meant =
                        query.profile_name.as_ref().is_none_or(|of| stays.profile_name == *of)
                            && query.domain.as_ref().is_none_or(|of| stays.domain == *of)
                            && query
                                .query
                                .as_ref()
                                .is_none_or(|of| stays.domain.as_str().starts_with(of));
                    assert_eq!(listed.contains(&stays.id), meant, "{query:?}: {stays:?}");
                }
            };
            for _ in 0..ROUNDS {
                assert_walk(ListQuery::default());
                for n in 0..PROFILES {
                    let profile_name = Some(profile(n));
                    assert_walk(ListQuery { profile_name, ..ListQuery::default() });
                }
                for n in 0..DOMAINS {
                    assert_walk(ListQuery { domain: Some(domain(n)), ..ListQuery::default() });
                }
                let query = Some("d1".into());
                assert_walk(ListQuery { query, ..ListQuery::default() });
            }
        });
        writer.join().unwrap()
    });
    println!("{writes} writes beside {ROUNDS} rounds");
    assert_sound(&store);
}

#[test]
fn of_all_who_ensure_a_pair_one_creates_it_and_all_are_given_it() {
    const THREADS: usize = 32;
    let store = Store::in_memory().unwrap();
    for round in 0..50 {
        let start = Barrier::new(THREADS);
        let answers: Vec<Creation> = thread::scope(|scope| {
            let ensure = || {
                start.wait();
                store.ensure(request("p", &format!("d{round}.example"))).unwrap()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ensure)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let connection = answers[0].connection().unwrap();
        let mut created = 0;
        for answer in &answers {
            match answer {
                Creation::Created(_) => created += 1,
                Creation::Existing(_) => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(answer.connection(), Some(connection));
        }
        assert_eq!(created, 1);
    }
    assert_eq!(store.stats().unwrap().last_change, 50, "nobody else wrote anything");
    assert_sound(&store);
}

#[test]
fn of_two_sendings_under_one_key_one_creates_and_the_other_is_a_replay() {
    let store = Store::in_memory().unwrap();
    let options = CreateOptions {
        idempotency_key: Some("sent-twice".parse().unwrap()),
        ..CreateOptions::default()
    };
    for round in 0..300 {
        let start = Barrier::new(2);
        let send = || {
            start.wait();
            let request = request(&format!("p{}", round % 7), &format!("d{round}.example"));
            store.create_with(request, options.clone()).unwrap()
        };
        let (one, two) = thread::scope(|scope| {
            let (one, two) = (scope.spawn(send), scope.spawn(send));
            (one.join().unwrap(), two.join().unwrap())
        });
        match (&one, &two) {
            (Creation::Created(created), Creation::Replayed(replayed))
            | (Creation::Replayed(replayed), Creation::Created(created)) => {
                assert_eq!(created, replayed);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.stats().unwrap().connections, 300);
    assert_sound(&store);
}

#[test]
fn a_subscriber_is_told_every_change_in_order() {
    const WRITERS: u64 = 8;
    const TURNS: u64 = 150;
    let mut rng = fastrand::Rng::with_seed(seed());
    let store = Store::in_memory().unwrap();
    // Each turn is a create and an update, every other one a delete besides.
    let all = WRITERS * (2 * TURNS + TURNS / 2);
    let told: Vec<Change> = thread::scope(|scope| {
        let mut subscription = store.subscribe(Some(0)).unwrap();
        let subscriber = scope.spawn(move || {
            let mut told = Vec::new();
            while subscription.position() < all {
                assert!(subscription.wait(FOR_EVER), "told {} of {all}", told.len());
                let Delivery::Changes(changes) = subscription.poll(rng.usize(1..60)).unwrap()
                else {
                    panic!("nothing is that old");
                };
                assert!(!changes.is_empty(), "there was something to take");
                told.extend(changes);
            }
            assert!(!subscription.wait(Duration::ZERO), "that was all");
            told
        });
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..TURNS {
                    let request = request(&format!("p{writer}"), &format!("d{turn}.example"));
                    let id = store.create(request).unwrap().id();
                    let patch = Patch {
                        login_url: Edit::Set("https://d.example/".parse().unwrap()),
                        ..Patch::default()
                    };
                    store.update(id, patch).unwrap();
                    if turn % 2 == 0 {
                        store.delete(id).unwrap();
                    }
                }
            });
        }
        subscriber.join().unwrap()
    });

    assert!(told.iter().map(|change| change.seq).eq(1..=all), "without a gap");
    let mut replayed = BTreeMap::new();
    for Change { id, connection, .. } in &told {
        match connection {
            Some(connection) => replayed.insert(*id, connection),
            None => replayed.remove(id),
        };
    }
    let query = PageQuery { limit: PageLimit::MAX, ..PageQuery::default() };
    let mut query = ListQuery { page: query, ..ListQuery::default() };
    let mut listed = BTreeMap::new();
    loop {
        let page = store.list(&query).unwrap();
        listed.extend(page.items.into_iter().map(|connection| (connection.id, connection)));
        query.page.cursor = page.next_cursor;
        if query.page.cursor.is_none() {
            break;
        }
    }
    assert!(listed.values().eq(replayed.values().copied()), "the changes lead to what is there");
}

/// Where a sync stops until it is let through, if anybody stands there.
#[derive(Debug)]
struct Gate {
    arrived: Sender<Event>,
    open: Receiver<()>,
}

#[derive(Debug)]
enum Event {
    InSync,
    Answered,
}

/// Everything that a reader can see of the second connection, which is of a profile of its own.
fn sightings(store: &Store, first: ConnectionId) -> Vec<&'static str> {
    assert!(store.get(first).unwrap().is_some(), "what was there stays there");
    let second = request("second", "second.example");
    let listed = |query: ListQuery| !store.list(&query).unwrap().items.is_empty();
    let profile_name = Some(second.profile_name.clone());
    let of_profile = ListQuery { profile_name, ..ListQuery::default() };
    let domain = Some(second.domain.clone());
    let of_domain = ListQuery { domain, ..ListQuery::default() };
    let matching = ListQuery { query: Some("seco".into()), ..ListQuery::default() };
    let Changes::Since(changes) = store.changes_since(1, 10).unwrap() else {
        panic!("all are kept")
    };
    let profiles = store.profiles(&PageQuery::default()).unwrap().items;
    let all = store.list(&ListQuery::default()).unwrap().items;
    let seen = [
        ("find", store.find(&second.profile_name, &second.domain).unwrap().is_some()),
        ("list", all.len() > 1),
        ("list by profile", listed(of_profile)),
        ("list by domain", listed(of_domain)),
        ("list by prefix", listed(matching)),
        ("profiles", profiles.len() > 1),
        ("changes", !changes.is_empty()),
        ("subscription", store.subscribe(Some(1)).unwrap().wait(Duration::ZERO)),
        ("stats", store.stats().unwrap().connections > 1),
        ("dump", store.dump().unwrap().connections() > 1),
    ];
    seen.iter().filter(|(_, seen)| *seen).map(|(how, _)| *how).collect()
}

#[test]
fn readers_neither_wait_for_a_commit_nor_see_what_is_not_durable() {
    for mode in [CommitMode::OnePhase, CommitMode::QuickRepair] {
        let gate: Arc<Mutex<Option<Gate>>> = Arc::default();
        let storage = Hooked::new(mode);
        let stops = Arc::clone(&gate);
        storage.hook(move |_, call| {
            if call == Call::Sync
                && let Some(gate) = &*stops.lock().unwrap()
            {
                // A test that has ended hears nothing and holds up nobody.
                let _ = gate.arrived.send(Event::InSync);
                let _ = gate.open.recv();
            }
            Ok(())
        });
        let store = Store::open_with(storage, Options::new()).unwrap();
        let first = store.create(request("first", "first.example")).unwrap().id();
        let (tell, events) = channel();
        let (let_through, open) = channel();
        *gate.lock().unwrap() = Some(Gate { arrived: tell.clone(), open });

        let loser_answered = AtomicBool::new(false);
        let create = || store.create(request("second", "second.example"));
        let second = thread::scope(|scope| {
            // Dropped with this closure, and then nobody waits at the gate any more.
            let let_through = let_through;
            let winner = scope.spawn(move || {
                let answer = create();
                tell.send(Event::Answered).map(|()| answer)
            });
            let mut loser = None;
            let mut stops = 0;
            while let Event::InSync = events.recv_timeout(FOR_EVER).unwrap() {
                stops += 1;
                loser.get_or_insert_with(|| {
                    scope.spawn(|| {
                        let answer = create();
                        loser_answered.store(true, Ordering::Release);
                        answer
                    })
                });
                // On a thread of its own, so that one who waits fails the test instead of holding it up.
                let (saw, seen) = channel();
                let store = &store;
                scope.spawn(move || saw.send(sightings(store, first)));
                let seen = seen.recv_timeout(FOR_EVER).expect("readers do not wait for a commit");
                assert!(seen.is_empty(), "{mode:?}: seen in sync {stops} by {seen:?}");
                assert!(!loser_answered.load(Ordering::Acquire), "it depends on this commit");
                let_through.send(()).unwrap();
            }
            assert!(stops >= 1, "{mode:?}: no sync in a commit");
            let winner = winner.join().unwrap().unwrap().unwrap();
            let Creation::Created(second) = winner else { panic!("{winner:?}") };
            match loser.unwrap().join().unwrap().unwrap() {
                Creation::Conflict(conflict) => assert_eq!(conflict.existing_id, second.id),
                other => panic!("{other:?}"),
            }
            second
        });
        *gate.lock().unwrap() = None;
        assert_eq!(sightings(&store, first).len(), 10, "all ways to see it show it now");
        assert_eq!(store.get(second.id).unwrap(), Some(second));
        assert_sound(&store);
    }
}

#[test]
fn a_writer_out_of_room_fails_with_the_checkpoint_that_it_waits_for() {
    let storage = Hooked::new(CommitMode::QuickRepair);
    let options = Options::new().log_bytes(8 << 10);
    let store = Store::open_with(storage.clone(), options).unwrap();
    assert!(store.create(request("p", "first.example")).is_ok());
    // The checkpoint waits for leave, and from then on nothing is to be had from the tables.
    let (arrived, in_checkpoint) = channel();
    let (leave, given) = channel::<()>();
    let gate = Mutex::new(Some((arrived, given)));
    let is_gone = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&is_gone);
    storage.hook(move |file, call| {
        if file == File::Store && call == Call::Sync {
            let passing = gate.lock().unwrap().take();
            if let Some((arrived, given)) = passing {
                let _ = arrived.send(());
                let _ = given.recv();
            }
        }
        if file == File::Store && fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("made to fail"));
        }
        Ok(())
    });
    // On a thread of its own, which a test that fails leaves behind.
    let (tell, answers) = channel();
    let writer = store.clone();
    thread::spawn(move || {
        for n in 0.. {
            let answer = writer.create(request("p", &format!("d{n}.example"))).map(drop);
            let has_failed = answer.is_err();
            if tell.send(answer).is_err() || has_failed {
                return;
            }
        }
    });
    in_checkpoint.recv_timeout(FOR_EVER).expect("half a segment makes a checkpoint due");
    let mut created = 1;
    // Once there is no answer for a while, the log is most likely full and the writer waits for the checkpoint.
    while let Ok(answer) = answers.recv_timeout(Duration::from_millis(200)) {
        assert!(answer.is_ok(), "{answer:?}");
        created += 1;
    }
    is_gone.store(true, Ordering::SeqCst);
    leave.send(()).unwrap();
    // It may only have been slow: then the log takes some more.
    loop {
        match answers.recv_timeout(FOR_EVER).expect("the writer does not wait for ever") {
            Ok(()) => created += 1,
            Err(Error::Failed(StoreError::Io(_))) => break,
            Err(other) => panic!("{other:?}"),
        }
    }
    is_gone.store(false, Ordering::SeqCst);
    assert_eq!(store.stats().unwrap().connections, created);
    assert!(store.create(request("p", "last.example")).is_ok());
    assert_sound(&store);
}
