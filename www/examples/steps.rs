//! The steps of the site's page "Code" in Rust: a program that asserts what each of them answers. The page shows what
//! stands between `step` and `end`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // step: open
    use connectory::{
        ChangeKind, CreateOptions, Creation, Delivery, Edit, ListQuery, NewConnection, PageLimit,
        PageQuery, Patch, Store,
    };
    use std::time::Duration;

    let directory = tempfile::tempdir()?;
    let store = Store::open(directory.path().join("accounts.connectory"))?;
    // end

    // step: create
    let mut request = NewConnection::new("netflix.com".parse()?, "user-123".parse()?);
    request.login_url = Some("https://netflix.com/login".parse()?);

    let Creation::Created(first) = store.create(request.clone())? else { panic!("it is new") };
    assert!(first.id.to_string().starts_with("ma_"));
    // end

    // step: conflict
    match store.create(request.clone())? {
        Creation::Conflict(conflict) => assert_eq!(conflict.existing_id, first.id),
        other => panic!("the pair is taken: {other:?}"),
    }
    // end

    // step: ensure
    let ensured = store.ensure(request)?;
    assert_eq!(ensured.outcome(), "existing");
    assert_eq!(ensured.id(), first.id);
    // end

    // step: retry
    let request = NewConnection::new("github.com".parse()?, "user-123".parse()?);
    let options =
        CreateOptions { idempotency_key: Some("signup-42".parse()?), ..CreateOptions::default() };

    let made = store.create_with(request.clone(), options.clone())?;
    // As if the answer had been lost:
    let again = store.create_with(request, options)?;
    assert_eq!((made.outcome(), again.outcome()), ("created", "replayed"));
    assert_eq!(again.id(), made.id());
    // end

    // step: many
    let requests = (0..250)
        .map(|n| Ok(NewConnection::new(format!("shop-{n}.example.com").parse()?, "bulk".parse()?)))
        .collect::<Result<Vec<_>, connectory::Problem>>()?;

    let answers = store.create_many(requests);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Creation::Created(_)))));
    // end

    // step: get
    assert_eq!(store.get(first.id)?.as_ref(), Some(&first));

    let found = store.find(&"user-123".parse()?, &"netflix.com".parse()?)?;
    assert_eq!(found.map(|connection| connection.id), Some(first.id));
    // end

    // step: list
    let mut query = ListQuery {
        profile_name: Some("bulk".parse()?),
        page: PageQuery { limit: PageLimit::MAX, cursor: None },
        ..ListQuery::default()
    };
    let mut pages = Vec::new();
    loop {
        let page = store.list(&query)?;
        pages.push(page.items.len());
        query.page.cursor = page.next_cursor;
        if query.page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, [100, 100, 50]);
    // end

    // step: update
    let patch = Patch { login_url: Edit::Clear, record_session: Some(true), ..Patch::default() };
    let updated = store.update(first.id, patch)?;
    assert!(updated.login_url.is_none() && updated.record_session);
    // What is not named stays:
    assert_eq!(updated.health_check_interval, first.health_check_interval);
    // end

    // step: delete
    store.delete(first.id)?;
    assert_eq!(store.get(first.id)?, None);
    // end

    // step: changes
    let before = store.stats()?.last_change - 2; // None: from now on
    let mut subscription = store.subscribe(Some(before))?;

    let Delivery::Changes(changes) = subscription.poll(100)? else { panic!("they are kept") };
    let kinds: Vec<ChangeKind> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Updated, ChangeKind::Deleted]);
    assert!(!subscription.wait(Duration::ZERO)); // whether there is more, at once or after a while
    // end

    // step: dump
    let lines = store.dump()?.collect::<Result<Vec<String>, _>>()?;

    let copy = Store::in_memory()?;
    assert_eq!(copy.load(lines.iter().cloned().map(Ok))?, 251);
    assert_eq!(copy.dump()?.collect::<Result<Vec<String>, _>>()?, lines); // to the byte
    // end

    Ok(())
}
