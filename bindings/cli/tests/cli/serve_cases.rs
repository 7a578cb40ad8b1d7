//! `serve` answers the cases of the contract over a socket as the engine does in memory.

use crate::server::{Server, sha256};
use crate::shell::Shell;
use connectory_tests::cases::{self, HttpSubject, Opening, Transport};
use http::header::AUTHORIZATION;
use http::{Request, Response, Uri};
use serde_json::{Map, Value, json};
use ureq::Agent;

const KEY: &str = "key-of-the-cases";

/// The way to one project of the server.
struct Socket {
    agent: Agent,
    origin: String,
    project: String,
}

impl Transport for Socket {
    fn send(&mut self, mut request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let address = format!("{}{}", self.origin, request.uri());
        *request.uri_mut() = address.parse::<Uri>().unwrap();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, format!("Bearer {KEY}").parse().unwrap());
        headers.insert("x-kernel-project-id", self.project.parse().unwrap());
        // To the client a body of no bytes is one all the same, and not for every method.
        let answered = if request.body().is_empty() && request.method() != "POST" {
            self.agent.run(request.map(drop))
        } else {
            self.agent.run(request)
        };
        answered.unwrap().map(|mut body| body.read_to_vec().unwrap())
    }
}

fn limits(Opening { plan, cap }: &Opening) -> Value {
    let plan = plan.as_ref().map(|plan| ("plan".to_owned(), json!(plan)));
    let cap = cap.map(|cap| ("cap".to_owned(), json!(cap)));
    plan.into_iter().chain(cap).collect::<Map<_, _>>().into()
}

#[test]
fn every_scenario_that_has_a_form_over_http_goes_over_a_socket() {
    let files = cases::files();
    let all = files.iter().flat_map(|file| file.scenarios.iter().map(move |one| (file, one)));
    let (replayed, skipped): (Vec<_>, Vec<_>) = all.partition(|(_, one)| one.goes_over_http());
    assert_eq!((replayed.len(), skipped.len()), (58, 37), "replayed and skipped");

    // A store for each scenario is a project for each.
    let project = |n: usize| format!("scenario-{n}");
    let projects = replayed.iter().enumerate();
    let projects: Map<_, _> =
        projects.map(|(n, (_, one))| (project(n), limits(&one.opening))).collect();
    let key = json!({
        "sha256": sha256(KEY), "projects": "*", "scopes": ["read", "write", "admin"]
    });
    let shell = Shell::new();
    let keys = shell.path("keys.json");
    std::fs::write(&keys, json!({"projects": projects, "keys": [key]}).to_string()).unwrap();

    let server = Server::start(&shell, &["--keys", keys.to_str().unwrap()]);
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let mut failures = Vec::new();
    for (n, (file, scenario)) in replayed.iter().enumerate() {
        let (agent, origin) = (agent.clone(), server.origin());
        let socket = Socket { agent, origin, project: project(n) };
        failures.extend(file.replay_one(scenario, Box::new(HttpSubject::new(socket))));
    }
    assert!(failures.is_empty(), "{}:\n\n{}", failures.len(), failures.join("\n\n"));
    assert_eq!(server.stop(), Some(0));
}
