//! [`Access`], who may do what: keys, the projects they open, the scopes they have.

use super::reply::{Body, Reply};
use super::route::Route;
use crate::json::Fields;
use crate::{Json, Limits, Plan, Problem, Refusal, ViolationCode};
use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use subtle::ConstantTimeEq;

/// Headers that select a project.
const PROJECT_HEADERS: [&str; 2] = ["x-kernel-project-id", "x-kernel-project"];
const DEFAULT_PROJECT: &str = "default";

/// Who may do what. Checked alike by every server.
#[derive(Debug, Clone)]
pub struct Access {
    projects: BTreeMap<String, Limits>,
    /// The project of a request that names none.
    default: String,
    /// `None` where everyone may do everything.
    keys: Option<Vec<Key>>,
}

#[derive(Clone)]
struct Key {
    sha256: [u8; 32],
    /// `None` for all.
    projects: Option<Vec<String>>,
    scopes: Vec<Scope>,
}

impl Key {
    /// What it is called where it must not be told.
    fn name(&self) -> String {
        self.sha256.iter().take(8).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Key").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

crate::text::word_enum! {
    /// What a key may do.
    Scope {
        /// Everything that changes nothing.
        Read = "read",
        /// Create, change and delete.
        Write = "write",
        /// Dump, load and metrics.
        Admin = "admin",
    }
}

/// Somebody who was let in.
#[derive(Debug)]
pub struct Caller {
    /// The project that was asked for.
    pub project: String,
    /// What that project may do.
    pub limits: Limits,
    /// What tells the key from others and does not tell it: some digits of its digest. `None` where nobody needs one.
    pub key: Option<String>,
    /// `None` for all.
    scopes: Option<Vec<Scope>>,
}

impl Caller {
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Reply> {
        match &self.scopes {
            Some(scopes) if !scopes.contains(&scope) => {
                let message = format!("the key has no scope {scope}; use one that has");
                Err(Reply::error(StatusCode::FORBIDDEN, "forbidden", &message))
            }
            _ => Ok(()),
        }
    }
}

impl Access {
    /// Everyone may do everything, on this project alone.
    pub fn open(project: &str, limits: Limits) -> Self {
        let projects = BTreeMap::from([(project.into(), limits)]);
        Self { projects, default: project.into(), keys: None }
    }

    /// Reads the rules: `{"projects": {ID: {"plan", "cap"}}, "keys": [{"sha256", "projects": [ID] | "*",
    /// "scopes": ["read", "write", "admin"]}]}`, where `sha256` is the key's digest in hexadecimal.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] with every violation.
    pub fn from_json(text: &[u8]) -> Result<Self, Refusal> {
        let json = Json::parse_unbounded(text)?;
        let mut fields = Fields::of_request(&json)?;
        let projects = fields.object("projects", |projects| {
            Some(projects.members(|id, project| {
                if !is_project_id(id) {
                    let message = "is not a project ID; send 1 to 64 of A-Z a-z 0-9 . _ -";
                    project.note("", Problem::value(message));
                }
                let plan: Option<Plan> = project.read("plan", Json::parse_str);
                let cap = project.read_or_null("cap", |json| json.as_integer(0, u32::MAX));
                let limits = Limits { plan: plan.unwrap_or_default(), cap: cap.map(u64::from) };
                Some((id.to_owned(), limits))
            }))
        });
        let keys = fields.objects_or_null("keys", 10_000, |key| {
            let sha256 = key.require("sha256", read_digest);
            let projects = key.require("projects", read_projects);
            let scopes = key.array("scopes", 3, Json::parse_str);
            Some(Key { sha256: sha256?, projects: projects?, scopes: scopes.unwrap_or_default() })
        });
        let mut projects: BTreeMap<_, _> = projects.unwrap_or_default().into_iter().collect();
        projects.entry(DEFAULT_PROJECT.into()).or_default();
        let default = DEFAULT_PROJECT.into();
        fields.finish(Some(Self { projects, default, keys: Some(keys.unwrap_or_default()) }))
    }

    /// The projects that are known, and what each may do.
    pub fn projects(&self) -> impl Iterator<Item = (&str, Limits)> {
        self.projects.iter().map(|(id, limits)| (id.as_str(), *limits))
    }

    /// Whether nobody needs a key.
    pub fn is_open(&self) -> bool {
        self.keys.is_none()
    }

    /// Lets a request in, in the order: key, project, path, method, scope. For servers that have to know the project to
    /// find who answers; [`Api`](super::Api) does so by itself.
    ///
    /// # Errors
    ///
    /// The response to give instead.
    pub fn admit(&self, head: &Parts) -> Result<Caller, Response<Body>> {
        self.find(head).map(|(caller, _)| caller).map_err(Reply::into_response)
    }

    /// Whether the caller may do what needs `scope`, on the project that it names.
    ///
    /// # Errors
    ///
    /// The response to give instead.
    pub fn permit(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, Response<Body>> {
        let caller = self.caller(headers).map_err(Reply::into_response)?;
        caller.require(scope).map_err(Reply::into_response)?;
        Ok(caller)
    }

    /// The caller and the operation of a request.
    pub(crate) fn find(&self, head: &Parts) -> Result<(Caller, Route), Reply> {
        let caller = self.caller(&head.headers)?;
        let (route, scope) = Route::find(&head.method, head.uri.path())?;
        caller.require(scope)?;
        Ok((caller, route))
    }

    /// Lets the sender of these headers in: the key first, then the project.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Reply> {
        let key = match &self.keys {
            Some(keys) => Some(find(keys, headers).ok_or_else(unauthorized)?),
            None => None,
        };
        let project = project(headers)?.unwrap_or(&self.default);
        let Some(limits) = self.projects.get(project) else {
            let message = "no project has this ID; send one in X-Kernel-Project-Id, or no header for the default";
            return Err(Reply::error(StatusCode::NOT_FOUND, "project_not_found", message));
        };
        if let Some(Key { projects: Some(projects), .. }) = key
            && !projects.iter().any(|id| id == project)
        {
            let message = "the key does not open this project; use one that does";
            return Err(Reply::error(StatusCode::FORBIDDEN, "forbidden", message));
        }
        let scopes = key.map(|key| key.scopes.clone());
        let key = key.map(Key::name);
        Ok(Caller { project: project.into(), limits: *limits, key, scopes })
    }
}

/// Whether `id` can name a project, and a file on every platform: 1 to 64 of `A-Z a-z 0-9 . _ -`, no dot first.
pub fn is_project_id(id: &str) -> bool {
    crate::text::is_name(id) && id.len() <= 64 && !id.starts_with('.')
}

fn read_digest(json: &Json) -> Result<[u8; 32], Problem> {
    let text = json.as_str()?;
    let mut digest = [0; 32];
    let pairs: Vec<&[u8]> = text.as_bytes().chunks(2).collect();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if pairs.len() != digest.len() || text.len() != 64 || !is_hex {
        return Err(Problem::value("is not a SHA-256 digest; send 64 hexadecimal digits"));
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = std::str::from_utf8(pair)
            .ok()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or_default();
    }
    Ok(digest)
}

fn read_projects(json: &Json) -> Result<Option<Vec<String>>, Problem> {
    match json {
        Json::String(all) if all == "*" => Ok(None),
        Json::Array(ids) => ids
            .iter()
            .map(|id| id.as_str().map(ToOwned::to_owned))
            .collect::<Result<_, _>>()
            .map(Some),
        _ => Err(Problem::value("is neither \"*\" nor an array; send either")),
    }
}

/// The key that was sent. Takes as long for every key, known or not.
fn find<'a>(keys: &'a [Key], headers: &HeaderMap) -> Option<&'a Key> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, secret) = value.split_at_checked("Bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let digest: [u8; 32] = Sha256::digest(secret).into();
    let mut found = None;
    for key in keys {
        if bool::from(key.sha256.ct_eq(&digest)) {
            found = Some(key);
        }
    }
    found
}

fn unauthorized() -> Reply {
    let message = "no such key; send \"Authorization: Bearer\" and a key of this server";
    Reply::error(StatusCode::UNAUTHORIZED, "unauthorized", message)
        .with("www-authenticate", HeaderValue::from_static("Bearer"))
}

/// The project that the headers select.
fn project(headers: &HeaderMap) -> Result<Option<&str>, Reply> {
    let mut sent = PROJECT_HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let Some(first) = sent.next() else { return Ok(None) };
    if sent.any(|other| other != first) {
        let problem =
            Problem::new(ViolationCode::DuplicateField, "is there with another project; send one");
        return Err(Refusal::from(problem.at("X-Kernel-Project-Id")).into());
    }
    // What is no text is no project either.
    Ok(Some(first.to_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let digest = |key: &str| {
            Sha256::digest(key)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .concat()
        };
        let rules = format!(
            r#"{{"projects":{{"default":{{"plan":"startup","cap":3}},"other":{{}}}},
            "keys":[{{"sha256":"{}","projects":"*","scopes":["read","write","admin"]}},
            {{"sha256":"{}","projects":["other"],"scopes":["read"]}}]}}"#,
            digest("all"),
            digest("some")
        );
        Access::from_json(rules.as_bytes()).unwrap()
    }

    fn caller(headers: &[(&'static str, &'static str)]) -> Result<Caller, u16> {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        let headers = headers.collect::<HeaderMap>();
        access().caller(&headers).map_err(|reply| reply.into_response().status().as_u16())
    }

    #[test]
    fn a_key_opens_its_projects_with_its_scopes() {
        let all = caller(&[("authorization", "Bearer all")]).unwrap();
        assert_eq!((all.project.as_str(), all.limits.cap), ("default", Some(3)));
        assert!(all.require(Scope::Admin).is_ok());
        let some = [("authorization", "bearer some"), ("x-kernel-project", "other")];
        let some = caller(&some).unwrap();
        assert!(some.require(Scope::Read).is_ok());
        assert!(some.require(Scope::Write).is_err());
    }

    #[test]
    fn everybody_else_is_turned_away_in_order() {
        for (headers, status) in [
            (&[][..], 401),
            (&[("authorization", "Bearer none")], 401),
            (&[("authorization", "Basic all")], 401),
            (&[("authorization", "Bearer ")], 401),
            (&[("authorization", "x"), ("x-kernel-project", "nowhere")], 401),
            (&[("authorization", "Bearer some")], 403),
            (&[("authorization", "Bearer some"), ("x-kernel-project-id", "nowhere")], 404),
            (&[("authorization", "Bearer all"), ("x-kernel-project-id", "../x")], 404),
            (
                &[
                    ("authorization", "Bearer all"),
                    ("x-kernel-project-id", "other"),
                    ("x-kernel-project", "default"),
                ],
                400,
            ),
        ] {
            assert_eq!(caller(headers).unwrap_err(), status, "{headers:?}");
        }
    }

    #[test]
    fn rules_are_read_strictly() {
        for bad in [
            r#"{"keys":[{"sha256":"00","projects":"*"}]}"#,
            r#"{"keys":[{"projects":"*"}]}"#,
            r#"{"keys":{}}"#,
            r#"{"projects":{"a/b":{}}}"#,
            r#"{"projects":{"a":{"plan":"gold"}}}"#,
            r#"{"projects":{"a":{"cap":3},"a":{}}}"#,
            r#"{"project":{}}"#,
        ] {
            assert!(Access::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(!format!("{:?}", access()).contains("sha256: ["), "digests are not printed");
    }
}
