//! A server that is killed again and again: what it acknowledged is there, and nothing that nobody asked for.

use crate::server::Server;
use crate::shell::Shell;
use connectory_tests::seed;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::{Method, Request};

const CLIENTS: usize = 8;
/// Domains of each client: few, so that all of them come, change and go.
const DOMAINS: usize = 30;

/// One that writes connections of a profile of its own, and knows what must be there.
struct Client {
    rng: Rng,
    profile: String,
    /// What is there, by domain.
    kept: BTreeMap<String, Kept>,
    /// What was sent last, where no answer came.
    unanswered: Option<Op>,
    /// Every version is written once.
    last_version: u64,
    acknowledged: u64,
    /// Changes that happened, acknowledged or not.
    changes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    id: String,
    version: u64,
}

#[derive(Debug, Clone)]
enum Op {
    Create(String, u64),
    Update(String, u64),
    Delete(String),
}

/// Two fields that are written together, and must not be found apart.
fn settings(version: u64) -> [(&'static str, Value); 2] {
    let login_url = format!("https://login.example.com/{version}");
    [("login_url", json!(login_url)), ("health_check_interval", json!(300 + version % 86_000))]
}

#[track_caller]
fn version_of(connection: &Value) -> u64 {
    let login_url = connection["login_url"].as_str().unwrap();
    let version = login_url.rsplit('/').next().unwrap().parse().unwrap();
    for (field, value) in settings(version) {
        assert_eq!(connection[field], value, "{connection}");
    }
    version
}

/// Keeps its connection to the server from one request to the next.
struct Line {
    agent: Agent,
    origin: String,
}

impl Line {
    fn to(server: &Server) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        Self { agent, origin: server.origin() }
    }

    /// The status and the body of the answer; `None` where none came.
    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        let answer = match body {
            Some(body) => self.agent.run(
                request.header("content-type", "application/json").body(body.to_string()).unwrap(),
            ),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Some((answer.status().as_u16(), body))
    }
}

impl Client {
    fn new(n: usize, rng: Rng) -> Self {
        Self {
            rng,
            profile: format!("client-{n}"),
            kept: BTreeMap::new(),
            unanswered: None,
            last_version: 0,
            acknowledged: 0,
            changes: 0,
        }
    }

    /// What the server has of this client.
    fn listed(&self, line: &Line) -> BTreeMap<String, Kept> {
        let path = format!("/auth/connections?limit=100&profile_name={}", self.profile);
        let (status, list) = line.send(Method::GET, &path, None).unwrap();
        assert_eq!(status, 200, "{list}");
        let list = list.as_array().unwrap().iter();
        list.map(|one| {
            let kept = Kept { id: one["id"].as_str().unwrap().into(), version: version_of(one) };
            (one["domain"].as_str().unwrap().to_owned(), kept)
        })
        .collect()
    }

    /// Holds what is there against what was acknowledged, and learns what became of what was not answered.
    fn reconcile(&mut self, line: &Line) {
        let listed = self.listed(line);
        let unanswered = self.unanswered.take();
        if listed == self.kept {
            return;
        }
        // What happened without an answer makes the whole difference.
        let mut expected = self.kept.clone();
        match unanswered.as_ref().expect("nothing was left open") {
            Op::Create(domain, version) => {
                let id = listed.get(domain).map(|kept| kept.id.clone()).unwrap_or_default();
                assert!(self.kept.values().all(|kept| kept.id != id), "an ID is used once");
                expected.insert(domain.clone(), Kept { id, version: *version });
            }
            Op::Update(domain, version) => {
                expected.get_mut(domain).unwrap().version = *version;
            }
            Op::Delete(domain) => drop(expected.remove(domain)),
        }
        assert_eq!(listed, expected, "{}: {unanswered:?}", self.profile);
        self.kept = listed;
        self.changes += 1;
    }

    /// Writes one thing after the other until one is not answered.
    fn run(&mut self, server: &Server, acknowledged: &Sender<()>) {
        let line = Line::to(server);
        loop {
            let domain = format!("site-{}.example.com", self.rng.usize(..DOMAINS));
            let version = self.last_version + 1;
            self.last_version = version;
            let kept = self.kept.get(&domain).cloned();
            let op = match (&kept, self.rng.u8(..4)) {
                (None, _) => Op::Create(domain, version),
                (Some(_), 0) => Op::Delete(domain),
                (Some(_), 1) => {
                    self.expect_conflict(&line, &domain);
                    Op::Update(domain, version)
                }
                (Some(_), _) => Op::Update(domain, version),
            };
            if !self.act(&line, &op, kept) {
                self.unanswered = Some(op);
                return;
            }
            self.acknowledged += 1;
            self.changes += 1;
            // Nobody counts any more once the server was told to stop.
            acknowledged.send(()).ok();
        }
    }

    /// A pair that is held is answered with its holder, and nothing happens.
    fn expect_conflict(&self, line: &Line, domain: &str) {
        let create = json!({ "domain": domain, "profile_name": self.profile });
        if let Some((status, body)) = line.send(Method::POST, "/auth/connections", Some(&create)) {
            let holder = &self.kept[domain].id;
            assert_eq!((status, &body["existing_id"]), (409, &json!(holder)), "{body}");
        }
    }

    /// Sends it; once it is acknowledged, notes what is there now. Whether it was.
    fn act(&mut self, line: &Line, op: &Op, kept: Option<Kept>) -> bool {
        let of = |kept: &Option<Kept>| format!("/auth/connections/{}", kept.as_ref().unwrap().id);
        let answer = match op {
            Op::Create(domain, version) => {
                let mut create = json!({ "domain": domain, "profile_name": self.profile });
                create
                    .as_object_mut()
                    .unwrap()
                    .extend(settings(*version).map(|(k, v)| (k.into(), v)));
                line.send(Method::POST, "/auth/connections", Some(&create))
            }
            Op::Update(_, version) => {
                let patch =
                    settings(*version).into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
                line.send(Method::PATCH, &of(&kept), Some(&Value::Object(patch)))
            }
            Op::Delete(_) => line.send(Method::DELETE, &of(&kept), None),
        };
        let Some((status, body)) = answer else { return false };
        match op {
            Op::Create(domain, version) | Op::Update(domain, version) => {
                let is_create = kept.is_none();
                assert_eq!(status, if is_create { 201 } else { 200 }, "{op:?}: {body}");
                assert_eq!(version_of(&body), *version);
                let id = body["id"].as_str().unwrap().to_owned();
                assert!(kept.is_none_or(|kept| kept.id == id));
                self.kept.insert(domain.clone(), Kept { id, version: *version });
            }
            Op::Delete(domain) => {
                assert_eq!(status, 204, "{op:?}: {body}");
                self.kept.remove(domain);
            }
        }
        true
    }
}

/// A copy of the store as a killed server left it is sound once it was opened.
fn check_copy(shell: &Shell, round: usize) {
    let copy = shell.path(&format!("copy-{round}"));
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(shell.path("store")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let report = shell.run(&["--store", copy.to_str().unwrap(), "check"]).exits(0).json();
    assert_eq!(report["problems"], json!([]));
    std::fs::remove_dir_all(&copy).unwrap();
}

#[test]
fn a_killed_server_has_all_that_it_acknowledged_and_nothing_else() {
    let rounds = if std::env::var_os("CONNECTORY_LONG").is_some() { 50 } else { 5 };
    let mut rng = Rng::with_seed(seed());
    let shell = Shell::new();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, rng.fork())).collect();
    let (mut kills, mut unanswered, mut slowest) = (0, 0, Duration::ZERO);
    for round in 0..rounds {
        let started = Instant::now();
        let server = Server::start(&shell, &[]);
        let line = Line::to(&server);
        for client in &mut clients {
            client.reconcile(&line);
        }
        slowest = slowest.max(started.elapsed());

        // The server goes after so many more acknowledgements, wherever the others are then.
        let (tell, acknowledged) = channel();
        let until = rng.usize(..400);
        let is_killed = rng.u8(..4) > 0;
        std::thread::scope(|scope| {
            for client in &mut clients {
                let (server, tell) = (&server, tell.clone());
                scope.spawn(move || client.run(server, &tell));
            }
            // A client that fails hangs up, and so do the others in the end.
            drop(tell);
            acknowledged.iter().take(until).for_each(drop);
            server.signal(if is_killed { "KILL" } else { "TERM" });
        });
        assert_eq!(server.wait(), if is_killed { None } else { Some(0) });
        unanswered += clients.iter().filter(|client| client.unanswered.is_some()).count();
        if is_killed {
            kills += 1;
            check_copy(&shell, round);
        }
    }
    let server = Server::start(&shell, &[]);
    let line = Line::to(&server);
    for client in &mut clients {
        client.reconcile(&line);
    }
    assert_eq!(server.stop(), Some(0));
    let report = shell.run(&["check"]).exits(0).json();
    let kept: usize = clients.iter().map(|client| client.kept.len()).sum();
    assert_eq!(report["connections"], kept, "nobody else's are there");
    let changes: u64 = clients.iter().map(|client| client.changes).sum();
    let stats = shell.run(&["stats"]).exits(0).json();
    assert_eq!(stats["last_change"], changes, "each happened once");
    let acknowledged: u64 = clients.iter().map(|client| client.acknowledged).sum();
    println!(
        "{rounds} rounds, {kills} of them killed: {acknowledged} acknowledged, {unanswered} unanswered of which {} happened; the slowest start took {} ms",
        changes - acknowledged,
        slowest.as_millis()
    );
}
