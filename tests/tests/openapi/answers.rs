//! [`Answers`], what was answered, each held against the description.

use crate::description::{Description, as_value, schema};
use crate::exchange::Response;
use connectory::http::{Api, Route, Stores};
use http::{Method, Request};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Checks answers against the description, and remembers which there were.
pub(crate) struct Answers {
    pub(crate) description: Description,
    pub(crate) given: BTreeSet<(String, u16)>,
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self { description: Description::read(), given: BTreeSet::new() }
    }

    /// Sends a request, which should be answered with `status` and as described.
    pub(crate) fn expect<S: Stores>(
        &mut self,
        status: u16,
        api: &Api<S>,
        request: Request<String>,
    ) -> Value {
        let about = format!("{} {}", request.method(), request.uri());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = Response::of(api, request);
        assert_eq!(response.status, status, "{about}: {}", response.body);
        self.check(&about, &method, &path, &response);
        response.json()
    }

    fn check(&mut self, about: &str, method: &Method, path: &str, response: &Response) {
        let Some(described) = self.responses_of(method, path) else {
            assert_eq!(response.status, 404, "{about}: only what is nowhere is not described");
            self.description.must_accept(about, &schema("Error"), &response.json());
            return;
        };
        let (id, responses) = described;
        let status = response.status;
        let described = responses.get(status.to_string());
        let described = described.unwrap_or_else(|| panic!("{about}: {status} is not described"));
        let described = self.description.resolve(described).clone();
        self.check_headers(about, &described, response);
        let Some(media_type) = response.headers.get("content-type") else {
            assert!(response.body.is_empty() && described.get("content").is_none(), "{about}");
            self.given.insert((id, status));
            return;
        };
        let schema = &described["content"][media_type.to_str().unwrap()]["schema"];
        assert!(schema.is_object(), "{about}: {status} as {media_type:?} is not described");
        let body = if media_type == "application/json" {
            response.json()
        } else {
            response.body.as_str().into()
        };
        self.description.must_accept(about, schema, &body);
        self.given.insert((id, status));
    }

    /// The operation's ID and described responses; of any operation of the path where it does not take the method.
    fn responses_of(&self, method: &Method, path: &str) -> Option<(String, Value)> {
        let id = Route::name_of(method, path);
        let is_at = |template: &str| {
            let (template, path) = (template.split('/'), path.split('/'));
            template.clone().count() == path.clone().count()
                && template.zip(path).all(|(of, it)| of.starts_with('{') || of == it)
        };
        let operations = self.description.operations();
        let mut found = operations
            .iter()
            .filter(|of| if id == "none" { is_at(of.path) } else { of.json["operationId"] == id });
        found.next().map(|of| {
            let id = of.json["operationId"].as_str().unwrap();
            (id.to_owned(), of.json["responses"].clone())
        })
    }

    fn check_headers(&mut self, about: &str, described: &Value, response: &Response) {
        let none = Map::new();
        let headers = described["headers"].as_object().unwrap_or(&none);
        for (name, value) in &response.headers {
            if name == "content-type" {
                continue;
            }
            let found = headers.iter().find(|(of, _)| of.eq_ignore_ascii_case(name.as_str()));
            let (_, header) = found.unwrap_or_else(|| panic!("{about}: {name} is not described"));
            let header = self.description.resolve(header);
            let schema = header["schema"].clone();
            let value = as_value(self.description.resolve(&schema), value.to_str().unwrap());
            self.description.must_accept(&format!("{about}: {name}"), &schema, &value);
        }
        for (name, header) in headers {
            let is_required = self.description.resolve(header)["required"] == true;
            let is_there = response.headers.contains_key(name.to_lowercase());
            assert!(!is_required || is_there, "{about}: {name} should be there");
        }
    }
}
