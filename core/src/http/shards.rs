//! [`Shards`], a project spread over several stores: where a request belongs, and how the pages of all make one.
//!
//! A profile's route tells its shard, and an ID carries the route of its profile. So whatever names a profile or a
//! connection belongs to one shard; lists of more than one profile are merged from the pages of all; proxies are kept on
//! every shard, dumps and loads go through all.
//!
//! ```
//! use connectory::http::{Destination, Shards};
//!
//! let shards = Shards::new(4)?;
//! let request = http::Request::delete("/profiles/user-123").body(())?;
//! let (head, ()) = request.into_parts();
//! let profile: connectory::ProfileName = "user-123".parse()?;
//! assert_eq!(shards.destination(&head, b""), Destination::Shard(shards.of(profile.route())));
//!
//! let (head, ()) = http::Request::get("/auth/connections?limit=5").body(())?.into_parts();
//! assert_eq!(shards.destination(&head, b""), Destination::List { offset: 0 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::operations;
use super::params;
use super::reply::Reply;
use super::{Body, Route};
use crate::page::List;
use crate::{
    ConnectionId, Cursor, Json, PageLimit, Problem, ProfileName, Proxy, Store, StoreError,
};
use http::request::Parts;
use http::{Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How many shards a project has: a power of two, 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(u16);

/// Where a request belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To this shard alone.
    Shard(u16),
    /// To every shard, whose pages are [merged](merge) after the first `offset` connections of all of them.
    List {
        /// How many connections to pass over.
        offset: usize,
    },
    /// To every shard, one such request at a time: it changes a proxy.
    Proxy,
    /// To every shard, whose lines are merged.
    Dump,
    /// To every shard, each of which gets its own lines.
    Load,
}

impl Shards {
    /// Everything in one store.
    pub const ONE: Self = Self(1);

    /// Checks the number.
    ///
    /// # Errors
    ///
    /// A [`Problem`] for anything but 1, 2, 4, 8, 16, 32, 64, 128 and 256.
    pub fn new(count: u16) -> Result<Self, Problem> {
        if count.is_power_of_two() && count <= 256 {
            return Ok(Self(count));
        }
        Err(Problem::value(format!("{count} shards cannot be; send a power of two, 1 to 256")))
    }

    /// The number.
    pub fn count(self) -> u16 {
        self.0
    }

    /// The shard of a [route](ProfileName::route): its top bits.
    pub fn of(self, route: u16) -> u16 {
        // By the number of bits above those that count; all sixteen where there is one shard.
        let below = 16 - self.0.trailing_zeros();
        u16::try_from(u32::from(route) >> below).unwrap_or(0)
    }

    /// Where a request belongs. What is refused wherever it is asked goes to the first shard.
    pub fn destination(self, head: &Parts, body: &[u8]) -> Destination {
        let first = Destination::Shard(0);
        let Ok((route, _)) = Route::find(&head.method, head.uri.path()) else { return first };
        let of_profile = |name: &str| match name.parse::<ProfileName>() {
            Ok(profile) => Destination::Shard(self.of(profile.route())),
            Err(_) => first,
        };
        let query = head.uri.query();
        match route {
            Route::Dump => Destination::Dump,
            Route::Load => Destination::Load,
            _ if self == Self::ONE => first,
            Route::Create => match Json::parse(body) {
                Ok(json) => json.text_at("profile_name").map_or(first, of_profile),
                Err(_) => first,
            },
            Route::Get(id) | Route::Update(id) | Route::Delete(id) => {
                let id = id.parse::<ConnectionId>();
                id.map_or(first, |id| Destination::Shard(self.of(id.route())))
            }
            Route::DeleteProfile(name) => of_profile(&name),
            Route::List => match params::list(query) {
                Ok((list, offset)) => list
                    .profile_name
                    .map_or(Destination::List { offset }, |profile| of_profile(profile.as_str())),
                Err(_) => first,
            },
            Route::Profiles | Route::Proxies => match params::page(query) {
                Ok(_) => Destination::List { offset: 0 },
                Err(_) => first,
            },
            Route::RegisterProxy(_) | Route::RemoveProxy(_) => Destination::Proxy,
        }
    }
}

/// One of the shards of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    shards: Shards,
    index: u16,
}

impl Shard {
    /// The shard of this index.
    ///
    /// # Errors
    ///
    /// A [`Problem`] for one that is not below the number of shards.
    pub fn new(shards: Shards, index: u16) -> Result<Self, Problem> {
        if index < shards.count() {
            return Ok(Self { shards, index });
        }
        let last = shards.count() - 1;
        Err(Problem::value(format!("there is no shard {index}; send one of 0 to {last}")))
    }

    /// Whether what has this [route](ProfileName::route) is kept here.
    pub fn owns(self, route: u16) -> bool {
        self.shards.of(route) == self.index
    }

    /// Whether a request can be answered here: it belongs to this shard, or to every one.
    pub fn takes(self, head: &Parts, body: &[u8]) -> bool {
        if self.shards == Shards::ONE {
            return true;
        }
        match self.shards.destination(head, body) {
            Destination::Shard(index) => index == self.index,
            _ => true,
        }
    }
}

/// The path and query of a list's page that begins after this connection, wherever `uri` would have it begin.
pub fn page_after(uri: &Uri, id: ConnectionId) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "offset" && name != "cursor" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", &Cursor::after(List::Connections, &id).to_string());
    format!("{}?{}", uri.path(), query.finish())
}

/// The IDs of the first `count` connections of the list that `uri` asks for, whatever its offset and limit: for finding
/// where the page of several shards begins.
///
/// # Errors
///
/// The response to give instead.
pub fn ids(store: &Store, uri: &Uri, count: usize) -> Result<Vec<ConnectionId>, Response<Body>> {
    let ids = || Ok::<_, Reply>(store.list_ids(&params::list(uri.query())?.0, count)?);
    ids().map_err(Reply::into_response)
}

/// A page of one shard.
#[derive(Debug, Clone, Copy)]
pub struct ShardPage<'a> {
    /// The body of its response, an array.
    pub body: &'a str,
    /// Whether its list goes on.
    pub has_more: bool,
}

/// What of a connection or a profile tells its place in a list.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(alias = "name", borrow)]
    id: Cow<'a, str>,
}

/// What a proxy looks like in a list.
#[derive(Deserialize)]
struct ProxyItem {
    id: String,
    name: Option<String>,
    connections: u64,
}

/// Merges the pages that all shards answered a list with: the same request asked of every one, which belongs to a
/// [`Destination::List`]. Connections are in the order of IDs, which is that of their milliseconds.
pub fn merge(head: &Parts, pages: &[ShardPage<'_>]) -> Response<Body> {
    merged(head, pages).unwrap_or_else(|reply| reply).into_response()
}

fn merged(head: &Parts, pages: &[ShardPage<'_>]) -> Result<Reply, Reply> {
    let (route, _) = Route::find(&head.method, head.uri.path())?;
    let query = head.uri.query();
    let has_more = pages.iter().any(|page| page.has_more);
    match route {
        Route::List => {
            let (list, offset) = params::list(query)?;
            let items = items(pages)?;
            let page = Merged::new(items.iter().rev(), list.page.limit, has_more);
            Ok(page.counted(offset, list.page.cursor.is_some()))
        }
        Route::Profiles => {
            let items = items(pages)?;
            Ok(Merged::new(items.iter(), params::page(query)?.limit, has_more)
                .reply(List::Profiles))
        }
        Route::Proxies => {
            let items = proxies(pages)?;
            Ok(Merged::new(items.iter(), params::page(query)?.limit, has_more).reply(List::Proxies))
        }
        _ => Err(Reply::not_found(head.uri.path())),
    }
}

fn malformed(error: &serde_json::Error) -> StoreError {
    StoreError::Internal(format!("the page of a shard is not as it should be: {error}"))
}

/// The items of all pages by what they are called.
fn items<'a>(pages: &[ShardPage<'a>]) -> Result<BTreeMap<Cow<'a, str>, &'a RawValue>, StoreError> {
    let mut all = BTreeMap::new();
    for page in pages {
        let items: Vec<&RawValue> =
            serde_json::from_str(page.body).map_err(|error| malformed(&error))?;
        for raw in items {
            let Item { id } = serde_json::from_str(raw.get()).map_err(|error| malformed(&error))?;
            all.insert(id, raw);
        }
    }
    Ok(all)
}

/// The proxies of all pages by their IDs, with the connections of all shards.
fn proxies(pages: &[ShardPage<'_>]) -> Result<BTreeMap<String, Proxy>, StoreError> {
    let mut all: BTreeMap<String, Proxy> = BTreeMap::new();
    for page in pages {
        let items: Vec<ProxyItem> =
            serde_json::from_str(page.body).map_err(|error| malformed(&error))?;
        for ProxyItem { id, name, connections } in items {
            let elsewhere = all.get(&id).map_or(0, |proxy| proxy.connections);
            let text = |_| StoreError::Internal("a shard has a proxy that cannot be".into());
            let proxy = Proxy {
                id: id.parse().map_err(text)?,
                name: name.map(|name| name.parse().map_err(text)).transpose()?,
                connections: connections + elsewhere,
            };
            all.insert(id, proxy);
        }
    }
    Ok(all)
}

/// The first items of all pages.
struct Merged<T> {
    items: Vec<T>,
    /// What the last one is called, where the list goes on.
    next: Option<String>,
}

impl<T: Copy + Serialize> Merged<T> {
    fn new<'a, K: AsRef<str> + 'a>(
        in_order: impl ExactSizeIterator<Item = (&'a K, T)>,
        limit: PageLimit,
        has_more: bool,
    ) -> Self {
        let is_more = has_more || in_order.len() > limit.items();
        let (keys, items): (Vec<_>, Vec<_>) = in_order.take(limit.items()).unzip();
        let next = keys.last().filter(|_| is_more).map(|key| (*key).as_ref().to_owned());
        Self { items, next }
    }

    fn reply(&self, list: List) -> Reply {
        let next = self.next.as_ref().map(|last| Cursor::after(list, last));
        operations::paged(&self.items, next.as_ref())
    }

    /// As an answer to whoever may count.
    fn counted(&self, offset: usize, by_cursor: bool) -> Reply {
        let reply = self.reply(List::Connections);
        if by_cursor {
            return reply;
        }
        operations::counted(reply, self.next.as_ref().map(|_| offset + self.items.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(method: &str, uri: &str) -> Parts {
        Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_project_has_a_power_of_two_of_shards() {
        for count in 0..=1024 {
            let can_be = [1, 2, 4, 8, 16, 32, 64, 128, 256].contains(&count);
            assert_eq!(Shards::new(count).is_ok(), can_be, "{count}");
        }
        let four = Shards::new(4).unwrap();
        assert_eq!(
            [0, 0x3fff, 0x4000, 0xbfff, 0xc000, 0xffff].map(|route| four.of(route)),
            [0, 0, 1, 2, 3, 3]
        );
        assert_eq!(Shards::ONE.of(0xffff), 0);
        assert_eq!(Shards::new(256).unwrap().of(0xffff), 255);
        assert!(Shard::new(four, 4).is_err());
        assert!(Shard::new(four, 3).unwrap().owns(0xffff));
    }

    #[test]
    fn what_names_a_profile_or_a_connection_belongs_to_one_shard() {
        let shards = Shards::new(256).unwrap();
        let profile: ProfileName = "user-123".parse().unwrap();
        let own = Destination::Shard(shards.of(profile.route()));
        assert_ne!(own, Destination::Shard(0));
        let id = format!("ma_{}", "0".repeat(26));
        let id = id.replacen("0000", "0001", 1);
        for (method, uri, body, to) in [
            ("POST", "/auth/connections", r#"{"profile_name":"user-123"}"#, own),
            ("POST", "/auth/connections", r#"{"profile_name":5}"#, Destination::Shard(0)),
            ("POST", "/auth/connections", r#"{"profile_name":"no name"}"#, Destination::Shard(0)),
            ("POST", "/auth/connections", "{", Destination::Shard(0)),
            ("DELETE", "/profiles/user-123", "", own),
            ("GET", "/auth/connections?profile_name=user-123&limit=3", "", own),
            ("GET", "/auth/connections?profile_name=no+name", "", Destination::Shard(0)),
            ("GET", "/auth/connections?offset=17", "", Destination::List { offset: 17 }),
            (
                "GET",
                "/auth/connections?domain=a.example&query=a",
                "",
                Destination::List { offset: 0 },
            ),
            ("GET", "/auth/connections?limit=1000", "", Destination::Shard(0)),
            ("GET", "/profiles", "", Destination::List { offset: 0 }),
            ("GET", "/proxies?limit=0", "", Destination::Shard(0)),
            ("PUT", "/proxies/a", "", Destination::Proxy),
            ("DELETE", "/proxies/a", "", Destination::Proxy),
            ("GET", "/dump", "", Destination::Dump),
            ("POST", "/load", "", Destination::Load),
            ("GET", "/auth/connections/nobody", "", Destination::Shard(0)),
            ("GET", &format!("/auth/connections/{id}"), "", Destination::Shard(0)),
            ("GET", "/nowhere", "", Destination::Shard(0)),
        ] {
            let head = head(method, uri);
            assert_eq!(shards.destination(&head, body.as_bytes()), to, "{method} {uri} {body}");
            let is_of_many = matches!(to, Destination::Dump | Destination::Load);
            let alone = Shards::ONE.destination(&head, body.as_bytes());
            assert_eq!(alone, if is_of_many { to } else { Destination::Shard(0) });
        }
    }

    fn merged_text(uri: &str, pages: &[(&str, bool)]) -> (String, Vec<(String, String)>) {
        let pages: Vec<_> =
            pages.iter().map(|&(body, has_more)| ShardPage { body, has_more }).collect();
        let response = merge(&head("GET", uri), &pages);
        assert_eq!(response.status(), 200);
        let headers = response.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-"));
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let Body::Bytes(body) = response.into_body() else { panic!("a page") };
        (String::from_utf8(body).unwrap(), headers)
    }

    fn names(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|&(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn pages_are_merged_in_order_and_say_where_they_go_on() {
        let id = |last: char| format!("ma_{}{last}", "0".repeat(25));
        let connection = |last: char| format!(r#"{{"id":"{}","status":"NEEDS_AUTH"}}"#, id(last));
        let one = format!("[{},{}]", connection('9'), connection('2'));
        let other = format!("[{},{}]", connection('5'), connection('4'));
        let (body, headers) =
            merged_text("/auth/connections?limit=3&offset=4", &[(&one, false), (&other, false)]);
        assert_eq!(body, format!("[{},{},{}]", connection('9'), connection('5'), connection('4')));
        let next = format!("c.{}", id('4'));
        let goes_on = [("x-has-more", "true"), ("x-next-cursor", &next), ("x-next-offset", "7")];
        assert_eq!(headers, names(&goes_on));
        let uri = format!("/auth/connections?cursor=c.{}", id('z'));
        let (_, headers) = merged_text(&uri, &[(&one, true), ("[]", false)]);
        assert_eq!(
            headers[..2],
            names(&[("x-has-more", "true"), ("x-next-cursor", &format!("c.{}", id('2')))])
        );
        assert_eq!(headers.len(), 2);
        let (body, headers) = merged_text("/auth/connections", &[("[]", false), ("[]", false)]);
        assert_eq!(
            (body.as_str(), headers),
            ("[]", names(&[("x-has-more", "false"), ("x-next-offset", "0")]))
        );
    }

    #[test]
    fn profiles_are_merged_by_name_and_proxies_are_added_up() {
        let (body, headers) = merged_text(
            "/profiles?limit=2",
            &[
                (r#"[{"name":"b","connections":1}]"#, false),
                (r#"[{"name":"a","connections":2},{"name":"c","connections":0}]"#, false),
            ],
        );
        assert_eq!(body, r#"[{"name":"a","connections":2},{"name":"b","connections":1}]"#);
        assert_eq!(headers, names(&[("x-has-more", "true"), ("x-next-cursor", "p.b")]));
        let (body, _) = merged_text(
            "/proxies",
            &[
                (r#"[{"id":"p","name":"P","connections":1}]"#, false),
                (r#"[{"id":"p","name":"P","connections":2}]"#, false),
            ],
        );
        assert_eq!(body, r#"[{"id":"p","name":"P","connections":3}]"#);
    }

    #[test]
    fn a_list_goes_on_after_a_connection_with_the_same_filters() {
        let id: ConnectionId = format!("ma_{}", "0".repeat(26)).parse().unwrap();
        let uri: Uri = "/auth/connections?domain=a.example&offset=5&limit=7".parse().unwrap();
        let expected = format!("/auth/connections?domain=a.example&limit=7&cursor=c.{id}");
        assert_eq!(page_after(&uri, id), expected);
    }
}
