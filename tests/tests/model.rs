//! Random operations on a store and on a plain model of it: every answer of the one must be the other's.
//!
//! `CONNECTORY_SEED` repeats a run, `CONNECTORY_RUNS` says how many there are. Run n has the seed plus n.

use connectory::{
    Changes, ConnectionId, Edit, Flow, FlowStatus, FlowType, NewConnection, Observation, Refusal,
    Shown, SignInOption, Store,
};
use connectory_tests::model::Run;
use std::collections::BTreeMap;

/// Operations in a run.
const OPERATIONS: usize = 400;

fn from_environment(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap())
}

#[test]
fn a_store_answers_as_its_model_does() {
    let seed = connectory_tests::seed();
    let runs = from_environment("CONNECTORY_RUNS").unwrap_or(400);
    println!("CONNECTORY_RUNS={runs}");
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut widest = Vec::new();
    for n in 0..runs {
        let mut run = Run::new(seed.wrapping_add(n));
        for _ in 0..OPERATIONS {
            run.step();
        }
        run.finish();
        widest.push(run.widest());
        for (outcome, times) in run.outcomes() {
            *outcomes.entry(outcome).or_default() += times;
        }
    }
    println!("{outcomes:?}");
    let every = [
        "bad_request",
        "conflict",
        "created",
        "existing",
        "idempotency_key_reuse",
        "insufficient_plan",
        "replayed",
    ];
    assert!(runs < 20 || outcomes.keys().copied().eq(every), "some outcome never came up");
    let wide = widest.iter().filter(|&&connections| connections > 16).count();
    println!("{wide} runs had a profile with more than 16 connections");
    assert!(runs < 20 || wide > 0, "no profile was laid out as one with many connections");
}

#[test]
fn the_last_ten_thousand_changes_are_kept_and_older_ones_said_to_be_gone() {
    let store = Store::in_memory().unwrap();
    let request = |n: usize| {
        let domain = format!("d{n}.example").parse().unwrap();
        NewConnection::new(domain, format!("p{}", n % 7).parse().unwrap())
    };
    let created: Vec<ConnectionId> = store
        .create_many((0..10_000).map(request))
        .into_iter()
        .map(|answer| answer.unwrap().id())
        .collect();
    assert!(matches!(store.changes_since(0, 1), Ok(Changes::Since(_))), "none are gone yet");

    store.create_many((10_000..16_000).map(request));
    let Changes::TooOld { oldest } = store.changes_since(0, 1).unwrap() else {
        panic!("so many are not kept");
    };
    assert!((2..=6_001).contains(&oldest), "{oldest}: at least 10 000 are kept");
    assert!(matches!(store.changes_since(oldest - 2, 1), Ok(Changes::TooOld { .. })));
    let Changes::Since(kept) = store.changes_since(oldest - 1, usize::MAX).unwrap() else {
        panic!("{oldest} is kept");
    };
    assert!(kept.iter().map(|change| change.seq).eq(oldest..=16_000));
    assert_eq!(kept[0].id, created[usize::try_from(oldest).unwrap() - 1]);
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn a_login_that_adds_up_to_too_much_is_refused() {
    let store = Store::in_memory().unwrap();
    let request = NewConnection::new("a.com".parse().unwrap(), "p".parse().unwrap());
    let id = store.create(request).unwrap().id();
    let long = "o".repeat(4096).parse::<connectory::FlowText>().unwrap();
    let option = SignInOption { id: long.clone(), label: long.clone(), description: Some(long) };
    let mut flow = Flow::new(FlowType::Login, FlowStatus::InProgress);
    flow.sign_in_options = Some(Shown::new(vec![option; 100]).unwrap());
    let seen = Observation { flow: Edit::Set(Box::new(flow)), ..Observation::default() };
    let refused = store.record(id, seen).unwrap_err();
    assert!(matches!(refused.refusal(), Some(Refusal::TooLarge(_))), "{refused}");
    assert_eq!(store.get(id).unwrap().unwrap().flow, None);
}

#[test]
fn a_login_shows_no_more_than_can_be_read_again() {
    let store = Store::in_memory().unwrap();
    let request = NewConnection::new("a.com".parse().unwrap(), "p".parse().unwrap());
    let id = store.create(request).unwrap().id();
    let option =
        SignInOption { id: "o".parse().unwrap(), label: "o".parse().unwrap(), description: None };
    assert!(Shown::new(vec![option.clone(); 101]).is_err());
    let mut flow = Flow::new(FlowType::Login, FlowStatus::InProgress);
    flow.sign_in_options = Some(Shown::new(vec![option; 100]).unwrap());
    let seen = Observation { flow: Edit::Set(Box::new(flow)), ..Observation::default() };
    let recorded = store.record(id, seen).unwrap();
    assert_eq!(store.get(id).unwrap(), Some(recorded));
}
