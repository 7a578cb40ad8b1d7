//! [`Route`], the operations of the API and where each is found.

use super::access::Scope;
use super::reply::Reply;
use crate::Missing;
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

/// An operation, with what its path names: not looked at yet, it may name nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `POST /auth/connections`
    Create,
    /// `GET /auth/connections`
    List,
    /// `GET /auth/connections/{id}`
    Get(String),
    /// `PATCH /auth/connections/{id}`
    Update(String),
    /// `DELETE /auth/connections/{id}`
    Delete(String),
    /// `GET /profiles`
    Profiles,
    /// `DELETE /profiles/{name}`
    DeleteProfile(String),
    /// `GET /proxies`
    Proxies,
    /// `PUT /proxies/{id}`
    RegisterProxy(String),
    /// `DELETE /proxies/{id}`
    RemoveProxy(String),
    /// `GET /dump`
    Dump,
    /// `POST /load`
    Load,
}

/// A place of the API: what may be done there.
#[derive(Clone, Copy)]
enum Place {
    Connections,
    Connection,
    Profiles,
    Profile,
    Proxies,
    Proxy,
    Dump,
    Load,
}

/// A method, the operation on what the path names, and the scope that it takes.
type Operation = (Method, fn(String) -> Route, Scope);

/// What of a connection belongs to running logins, which this registry does not do.
const LOGIN: [&str; 5] = ["login", "submit", "events", "timeline", "exchange"];

impl Place {
    fn find(path: &str) -> Result<(Self, String), Reply> {
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
        let place = [segments.next(), segments.next(), segments.next(), segments.next()];
        let rest = segments.next().is_some();
        let (place, name) = match place {
            [Some("auth"), Some("connections"), Some(_), Some(login)]
                if !rest && LOGIN.contains(&login) =>
            {
                let message = "this registry keeps connections and runs no logins; a login driver does, and records what it saw";
                return Err(Reply::error(StatusCode::NOT_FOUND, "not_supported", message));
            }
            [Some("auth"), Some("connections"), None, _] => (Self::Connections, None),
            [Some("auth"), Some("connections"), Some(id), None] => (Self::Connection, Some(id)),
            [Some("profiles"), None, ..] => (Self::Profiles, None),
            [Some("profiles"), Some(name), None, _] => (Self::Profile, Some(name)),
            [Some("proxies"), None, ..] => (Self::Proxies, None),
            [Some("proxies"), Some(id), None, _] => (Self::Proxy, Some(id)),
            [Some("dump"), None, ..] => (Self::Dump, None),
            [Some("load"), None, ..] => (Self::Load, None),
            _ => return Err(Reply::not_found(path)),
        };
        // What does not decode names nothing.
        let name = percent_decode_str(name.unwrap_or_default()).decode_utf8_lossy().into_owned();
        Ok((place, name))
    }

    /// What may be done here.
    fn operations(self) -> &'static [Operation] {
        use Scope::{Admin, Read, Write};
        static CONNECTIONS: [Operation; 2] =
            [(Method::GET, |_| Route::List, Read), (Method::POST, |_| Route::Create, Write)];
        static CONNECTION: [Operation; 3] = [
            (Method::GET, Route::Get, Read),
            (Method::PATCH, Route::Update, Write),
            (Method::DELETE, Route::Delete, Write),
        ];
        static PROFILES: [Operation; 1] = [(Method::GET, |_| Route::Profiles, Read)];
        static PROFILE: [Operation; 1] = [(Method::DELETE, Route::DeleteProfile, Write)];
        static PROXIES: [Operation; 1] = [(Method::GET, |_| Route::Proxies, Read)];
        static PROXY: [Operation; 2] = [
            (Method::PUT, Route::RegisterProxy, Write),
            (Method::DELETE, Route::RemoveProxy, Write),
        ];
        static DUMP: [Operation; 1] = [(Method::GET, |_| Route::Dump, Admin)];
        static LOAD: [Operation; 1] = [(Method::POST, |_| Route::Load, Admin)];
        match self {
            Self::Connections => &CONNECTIONS,
            Self::Connection => &CONNECTION,
            Self::Profiles => &PROFILES,
            Self::Profile => &PROFILE,
            Self::Proxies => &PROXIES,
            Self::Proxy => &PROXY,
            Self::Dump => &DUMP,
            Self::Load => &LOAD,
        }
    }
}

/// The methods of a path, in one line for `Allow`; `None` where there is nothing.
pub fn allowed_methods(path: &str) -> Option<String> {
    let (place, _) = Place::find(path).ok()?;
    let methods = place.operations().iter().map(|(method, ..)| method.as_str());
    Some(methods.collect::<Vec<_>>().join(", "))
}

impl Route {
    /// The operation of a method on a path, and the scope that it takes.
    pub(crate) fn find(method: &Method, path: &str) -> Result<(Self, Scope), Reply> {
        let (place, name) = Place::find(path)?;
        if let Some((_, route, scope)) = place.operations().iter().find(|(of, ..)| of == method) {
            return Ok((route(name), *scope));
        }
        let allowed = allowed_methods(path).unwrap_or_default();
        let message = format!("this path does not take {method}; send {allowed}");
        let reply = Reply::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &message);
        Err(match HeaderValue::from_str(&allowed) {
            Ok(allowed) => reply.with("allow", allowed),
            Err(_) => reply,
        })
    }

    /// Whether `method` on `path` is [`Route::Load`], whose body wants to be streamed.
    pub fn is_load(method: &Method, path: &str) -> bool {
        method == Method::POST && path == "/load"
    }

    pub(crate) fn takes_a_body(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_) | Self::RegisterProxy(_))
    }

    /// Whether the operation only reads, and so never waits for a commit.
    pub fn only_reads(method: &Method) -> bool {
        *method == Method::GET
    }

    /// The operation's name in the API's description.
    pub fn operation_id(&self) -> &'static str {
        match self {
            Self::Create => "createConnection",
            Self::List => "listConnections",
            Self::Get(_) => "getConnection",
            Self::Update(_) => "updateConnection",
            Self::Delete(_) => "deleteConnection",
            Self::Profiles => "listProfiles",
            Self::DeleteProfile(_) => "deleteProfile",
            Self::Proxies => "listProxies",
            Self::RegisterProxy(_) => "registerProxy",
            Self::RemoveProxy(_) => "removeProxy",
            Self::Dump => "dump",
            Self::Load => "load",
        }
    }

    /// The operation's name for a request, `none` where there is no such operation: for logs and metrics.
    pub fn name_of(method: &Method, path: &str) -> &'static str {
        Self::find(method, path).map_or("none", |(route, _)| route.operation_id())
    }
}

/// The error for a path segment that cannot name what it should.
pub(crate) fn missing(missing: Missing) -> Reply {
    crate::Error::from(missing).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, path: &str) -> Result<Route, (u16, Option<String>)> {
        Route::find(&method.parse().unwrap(), path).map(|(route, _)| route).map_err(|reply| {
            let response = reply.into_response();
            let allow = response.headers().get("allow");
            (response.status().as_u16(), allow.map(|allow| allow.to_str().unwrap().into()))
        })
    }

    #[test]
    fn paths_lead_to_operations() {
        assert_eq!(find("POST", "/auth/connections"), Ok(Route::Create));
        assert_eq!(find("GET", "/auth/connections/ma_1"), Ok(Route::Get("ma_1".into())));
        assert_eq!(find("PUT", "/proxies/a%20b%2Fc"), Ok(Route::RegisterProxy("a b/c".into())));
        assert_eq!(find("GET", "/dump"), Ok(Route::Dump));
        let not_allowed = (405, Some("GET, PATCH, DELETE".into()));
        assert_eq!(find("POST", "/auth/connections/ma_1"), Err(not_allowed));
        for path in ["/", "", "/auth", "/auth/connections/a/b", "/auth/connections/a/login/b"] {
            assert_eq!(find("GET", path), Err((404, None)), "{path}");
        }
        assert_eq!(find("POST", "/auth/connections/ma_1/login"), Err((404, None)));
    }
}
