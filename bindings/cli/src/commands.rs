//! What each command does: opens the store, asks the engine, prints its answer.

use crate::args::{
    Args, Command, CreateArgs, ListArgs, PageArgs, ProfilesCommand, ProxiesCommand, RecordArgs,
    UpdateArgs,
};
use crate::outcome::{CONFLICT, DONE, FAILED, Failure, Outcome, RECOVER, REFUSED};
use crate::output::{Output, tell};
use crate::{flags, follow, import, place, progress, recover, serve};
use clap::CommandFactory;
use connectory::{
    Changes, ConnectionId, CreateOptions, Creation, Cursor, Error, FileStorage, IdempotencyKey,
    Json, ListQuery, Missing, NewConnection, Observation, Page, PageQuery, Patch, Refusal, Store,
    StoreError, Violation,
};
use serde::Serialize;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

const CONNECTION_COLUMNS: [&str; 5] =
    ["id", "profile_name", "domain", "status", "health_check_interval"];
pub(crate) const CHANGE_COLUMNS: [&str; 3] = ["seq", "kind", "id"];
/// The most changes that are listed where nothing else is said.
const CHANGES_LISTED: usize = 100;

pub(crate) fn run(args: &Args) -> Outcome {
    let output = Output::new(args.output);
    let outcome = dispatch(args, &output);
    if let Err(Failure { body: Some(body), .. }) = &outcome
        && output.is_json()
    {
        crate::output::print_json(body)?;
    }
    outcome
}

fn dispatch(args: &Args, output: &Output) -> Outcome {
    match &args.command {
        Command::Create(create) => self::create(args, output, create, false),
        Command::Ensure(create) => self::create(args, output, create, true),
        Command::Get { id } => get(args, output, id),
        Command::Find { profile_name, domain } => find(args, output, profile_name, domain),
        Command::List(list) => self::list(args, output, list),
        Command::Update(update) => self::update(args, output, update),
        Command::Delete { id } => {
            let id = connection_id(id)?;
            finish(&place::open(args)?, |store| Ok(store.delete(id)?))
        }
        Command::Record(record) => self::record(args, output, record),
        Command::Profiles { page, command } => profiles(args, output, page, command.as_ref()),
        Command::Proxies { page, command } => proxies(args, output, page, command.as_ref()),
        Command::Changes { since, limit, follow: true } => {
            follow::follow(args, output, *since, *limit)
        }
        Command::Changes { since, limit, follow: false } => {
            changes(args, output, *since, limit.unwrap_or(CHANGES_LISTED))
        }
        Command::Import { file } => {
            let store = place::open(args)?;
            let outcome = import::import(&store, file, output)?;
            store.close()?;
            Ok(outcome)
        }
        Command::Dump => dump(args),
        Command::Load { file } => load(args, file),
        Command::Backup { file } => backup(args, file),
        Command::Check => check(args, output),
        Command::Recover { file, new } => recover::recover(file, new, output),
        Command::Stats => stats(args, output),
        Command::Serve { listen, keys, bounds } => {
            serve::serve(args, *listen, keys.as_deref(), bounds)
        }
        Command::Completions { shell } => {
            let mut command = Args::command();
            clap_complete::generate(*shell, &mut command, "connectory", &mut io::stdout());
            DONE
        }
    }
}

/// Does something with a store and closes it, so that what goes wrong on the way out is not lost.
fn finish(store: &Store, act: impl FnOnce(&Store) -> Result<(), Failure>) -> Outcome {
    act(store)?;
    store.close()?;
    DONE
}

/// A malformed ID is an unknown one.
fn connection_id(text: &str) -> Result<ConnectionId, Failure> {
    text.parse().map_err(|_| Failure::from(Missing::Connection(text.into())))
}

/// Reads one value that a flag or an argument holds.
fn value<T: std::str::FromStr<Err = connectory::Problem>>(
    field: &str,
    text: &str,
) -> Result<T, Violation> {
    text.parse().map_err(|problem: connectory::Problem| Violation {
        code: problem.code,
        field: field.into(),
        problem: problem.message,
    })
}

fn create(args: &Args, output: &Output, create: &CreateArgs, ensure: bool) -> Outcome {
    let request = NewConnection::from_json(&flags::create(create));
    let key: Result<Option<IdempotencyKey>, _> =
        create.idempotency_key.as_deref().map(|key| value("idempotency_key", key)).transpose();
    // Both are read before either is refused, so that everything wrong is named at once.
    let (request, idempotency_key) = match (request, key) {
        (Ok(request), Ok(key)) => (request, key),
        (Err(Refusal::Invalid(mut violations)), key) => {
            violations.extend(key.err());
            return Err(Refusal::Invalid(violations).into());
        }
        (Err(refusal), _) => return Err(refusal.into()),
        (Ok(_), Err(violation)) => return Err(Refusal::from(violation).into()),
    };
    let store = place::open(args)?;
    let creation = store.create_with(request, CreateOptions { idempotency_key, ensure })?;
    store.close()?;
    match creation {
        Creation::Conflict(conflict) => {
            if output.is_json() {
                output.one(&conflict)?;
            }
            tell(&format!("conflict: {conflict}: {}", conflict.existing_id));
            Ok(ExitCode::from(CONFLICT))
        }
        Creation::Created(ref connection)
        | Creation::Replayed(ref connection)
        | Creation::Existing(ref connection) => {
            output.one(connection)?;
            tell(&creation.outcome());
            DONE
        }
    }
}

fn get(args: &Args, output: &Output, id: &str) -> Outcome {
    let id = connection_id(id)?;
    let store = place::open_to_read(args)?;
    let connection =
        store.get(id)?.ok_or_else(|| Failure::from(Missing::Connection(id.to_string())))?;
    output.one(&connection)?;
    DONE
}

fn find(args: &Args, output: &Output, profile_name: &str, domain: &str) -> Outcome {
    let (profile, domain) = match (value("profile_name", profile_name), value("domain", domain)) {
        (Ok(profile), Ok(domain)) => (profile, domain),
        (profile, domain) => {
            let violations = profile.err().into_iter().chain(domain.err()).collect();
            return Err(Refusal::Invalid(violations).into());
        }
    };
    let store = place::open_to_read(args)?;
    let connection = store
        .find(&profile, &domain)?
        .ok_or_else(|| Failure::from(Missing::Pair(profile.to_string(), domain.to_string())))?;
    output.one(&connection)?;
    DONE
}

fn list(args: &Args, output: &Output, list: &ListArgs) -> Outcome {
    let query = ListQuery::from_json(&flags::list(list))?;
    let store = place::open_to_read(args)?;
    let page = pages(list.page.all, query.page.cursor.clone(), |cursor| {
        let page = PageQuery { cursor, ..query.page.clone() };
        store.list(&ListQuery { page, ..query.clone() })
    })?;
    show(output, &page, &CONNECTION_COLUMNS)
}

/// The page at `cursor`, or everything from there.
fn pages<T>(
    all: bool,
    mut cursor: Option<Cursor>,
    mut read: impl FnMut(Option<Cursor>) -> Result<Page<T>, Error>,
) -> Result<Page<T>, Failure> {
    let mut items = Vec::new();
    loop {
        let mut page = read(cursor)?;
        items.append(&mut page.items);
        if !all || page.next_cursor.is_none() {
            return Ok(Page { items, next_cursor: page.next_cursor });
        }
        cursor = page.next_cursor;
    }
}

fn show<T: Serialize>(output: &Output, page: &Page<T>, columns: &[&str]) -> Outcome {
    output.many(&page.items, columns)?;
    if let Some(cursor) = &page.next_cursor {
        tell(&format!("there are more: go on with --cursor {cursor}, or list --all"));
    }
    DONE
}

fn update(args: &Args, output: &Output, update: &UpdateArgs) -> Outcome {
    let patch = Patch::from_json(&flags::update(update))?;
    let id = connection_id(&update.id)?;
    finish(&place::open(args)?, |store| output.one(&store.update(id, patch)?))
}

fn record(args: &Args, output: &Output, record: &RecordArgs) -> Outcome {
    let more = match &record.json {
        None => None,
        Some(file) => {
            let mut text = Vec::new();
            // One byte more than may be sent is enough to be refused.
            input(file)?.take(connectory::REQUEST_MAX_BYTES as u64 + 1).read_to_end(&mut text)?;
            Some(Json::parse(&text)?)
        }
    };
    let seen = Observation::from_json(&flags::record(record, more))?;
    let id = connection_id(&record.id)?;
    finish(&place::open(args)?, |store| output.one(&store.record(id, seen)?))
}

/// Lists what has no filters.
fn list_all<T: Serialize>(
    args: &Args,
    output: &Output,
    page: &PageArgs,
    columns: &[&str],
    read: fn(&Store, &PageQuery) -> Result<Page<T>, Error>,
) -> Outcome {
    let query = PageQuery::from_json(&flags::page(page))?;
    let store = place::open_to_read(args)?;
    let page = pages(page.all, query.cursor.clone(), |cursor| {
        read(&store, &PageQuery { cursor, ..query.clone() })
    })?;
    show(output, &page, columns)
}

fn profiles(
    args: &Args,
    output: &Output,
    page: &PageArgs,
    command: Option<&ProfilesCommand>,
) -> Outcome {
    match command {
        None => list_all(args, output, page, &["name", "connections"], Store::profiles),
        Some(ProfilesCommand::Delete { name }) => match value("name", name) {
            Ok(name) => finish(&place::open(args)?, |store| Ok(store.delete_profile(name)?)),
            // No profile can have such a name.
            Err(_) => Err(Failure::from(Missing::Profile(name.clone()))),
        },
    }
}

fn proxies(
    args: &Args,
    output: &Output,
    page: &PageArgs,
    command: Option<&ProxiesCommand>,
) -> Outcome {
    match command {
        None => list_all(args, output, page, &["id", "name", "connections"], Store::proxies),
        Some(ProxiesCommand::Register { id, name }) => {
            let id = value("id", id).map_err(Refusal::from)?;
            let name = name.as_deref().map(|name| value("name", name)).transpose();
            let name = name.map_err(Refusal::from)?;
            finish(&place::open(args)?, |store| output.one(&store.register_proxy(id, name)?))
        }
        Some(ProxiesCommand::Remove { id }) => match value("id", id) {
            Ok(id) => finish(&place::open(args)?, |store| Ok(store.remove_proxy(id)?)),
            Err(_) => Err(Failure::from(Missing::Proxy(id.clone()))),
        },
    }
}

fn changes(args: &Args, output: &Output, since: u64, limit: usize) -> Outcome {
    let store = place::open_to_read(args)?;
    match store.changes_since(since, limit)? {
        Changes::Since(changes) => {
            output.many(&changes, &CHANGE_COLUMNS)?;
            DONE
        }
        Changes::TooOld { oldest } => {
            let message = format!(
                "changes after {since} are no longer kept; the oldest is {oldest}: list everything, then go on from --since {}",
                store.stats()?.last_change
            );
            let body = json!({ "code": "too_old", "message": message, "oldest": oldest });
            Err(Failure { exit: REFUSED, body: Some(body), lines: vec![message], advice: None })
        }
    }
}

fn dump(args: &Args) -> Outcome {
    let store = place::open_to_read(args)?;
    let dump = store.dump()?;
    // Lines on a terminal are progress enough, and a bar would run into them.
    let bar = (!io::stdout().is_terminal())
        .then(|| progress::bar(Some(dump.connections()), "connections").with_message("dumping"));
    let mut out = BufWriter::new(io::stdout().lock());
    for line in dump {
        let line = line?;
        writeln!(out, "{line}")?;
        if let Some(bar) = bar.as_ref().filter(|_| line.starts_with("{\"connection\"")) {
            bar.inc(1);
        }
    }
    out.flush()?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    DONE
}

/// A file, or standard input for `-`.
fn input(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    match File::open(file) {
        Ok(file) => Ok(Box::new(BufReader::new(file))),
        Err(error) => Err(Failure::from(error).about(&file.display().to_string())),
    }
}

fn load(args: &Args, file: &Path) -> Outcome {
    let lines = input(file)?.lines();
    let store = place::open(args)?;
    let bar = progress::bar(None, "lines").with_message("loading");
    let loaded =
        store.load(bar.wrap_iter(lines).map(|line| Ok(line.map_err(StoreError::from)?)))?;
    bar.finish_and_clear();
    store.close()?;
    tell(&format!("{loaded} connections loaded"));
    DONE
}

fn backup(args: &Args, file: &Path) -> Outcome {
    let store = place::open_to_read(args)?;
    let bar = progress::bar(None, "rows").with_message("copying");
    store.backup_with(file, |rows| bar.set_position(rows)).map_err(|error| match error {
        Error::Failed(StoreError::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
            Failure::taken(file)
        }
        error => Failure::from(error).about(&file.display().to_string()),
    })?;
    bar.finish_and_clear();
    DONE
}

fn check(args: &Args, output: &Output) -> Outcome {
    // Opened for writing, so that a log is looked at too; on read-only media the rest still can be.
    let path = place::path(args)?;
    let open = || Store::open_with(FileStorage::existing(&path), connectory::Options::new());
    let report = match place::patiently(open) {
        Ok(store) => checked(&store),
        Err(StoreError::Io(_)) => checked(&place::open_to_read(args)?),
        Err(error) => Err(error.into()),
    };
    let report = match report {
        // It may be more than what stopped the store.
        Err(Error::Failed(StoreError::Damaged(what))) => {
            let mut report = Store::check_file(&path).map_err(|error| place::at(&path, error))?;
            if !report.problems.iter().any(|problem| problem.ends_with(&what)) {
                report.problems.insert(0, what);
            }
            report
        }
        Err(Error::Failed(error)) => return Err(place::at(&path, error)),
        report => report?,
    };
    output.one(&report)?;
    for problem in &report.problems {
        tell(problem);
    }
    if report.is_sound() {
        return DONE;
    }
    tell(&RECOVER);
    Ok(ExitCode::from(FAILED))
}

/// What a store says of itself, which may say so as late as when it is closed.
fn checked(store: &Store) -> Result<connectory::CheckReport, Error> {
    let report = store.check()?;
    match store.close() {
        Err(error) if report.is_sound() => Err(error.into()),
        _ => Ok(report),
    }
}

fn stats(args: &Args, output: &Output) -> Outcome {
    let path = place::path(args)?;
    let store = place::open_to_read(args)?;
    let stats = store.stats()?;
    let mut object = json!({ "path": path, "size_bytes": std::fs::metadata(&path)?.len() });
    if let (Some(object), Ok(serde_json::Value::Object(stats))) =
        (object.as_object_mut(), serde_json::to_value(stats))
    {
        object.extend(stats);
    }
    output.one(&object)?;
    DONE
}
