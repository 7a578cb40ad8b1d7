//! [`OverHttp`], the engine behind the HTTP mapping; what has no form over HTTP is asked of the engine directly.

use super::{Answer, EngineSubject, HttpSubject, Opening, Operation, Subject, Transport};
use connectory::http::{Access, Api, Body, Stores};
use http::{Request, Response};

/// The engine behind the HTTP mapping.
#[derive(Debug)]
pub struct OverHttp {
    engine: EngineSubject,
}

impl OverHttp {
    /// A fresh store.
    ///
    /// # Panics
    ///
    /// Where the plan is not one.
    pub fn open(opening: &Opening) -> Self {
        Self { engine: EngineSubject::open(opening) }
    }

    fn http(&mut self) -> HttpSubject<&mut EngineSubject> {
        HttpSubject::new(&mut self.engine)
    }
}

impl Transport for EngineSubject {
    fn send(&mut self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        // Made anew for each request: the store may be another one since.
        Api::new(Access::open("default", self.limits()), self.store().clone()).send(request)
    }
}

impl Subject for OverHttp {
    fn perform(&mut self, operation: &Operation) -> Answer {
        if operation.goes_over_http() {
            self.http().perform(operation)
        } else {
            self.engine.perform(operation)
        }
    }

    fn dump(&mut self) -> String {
        self.http().dump()
    }

    fn problems(&mut self) -> Vec<String> {
        self.engine.problems()
    }
}

impl<S: Stores> Transport for Api<S> {
    fn send(&mut self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let (head, body) = request.into_parts();
        self.respond(&head, &body).map(|body| match body {
            Body::Bytes(bytes) => bytes,
            Body::Dump(lines) => lines
                .flat_map(|line| (line.expect("a line of a dump") + "\n").into_bytes())
                .collect(),
        })
    }
}
