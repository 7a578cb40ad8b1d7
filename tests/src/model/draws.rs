//! What a run draws: out of few values, so that they meet.

use super::run::Run;
use connectory::{
    AllowedDomains, ConnectionId, CreateOptions, Credential, Domain, Edit, Flow, FlowStatus,
    FlowStep, FlowType, HealthCheckInterval, HostPattern, NewConnection, Observation, PageLimit,
    ProfileName, ProxyRef, Reauth, Settings, Shown, Status, Timestamp, WebUrl,
};
use std::fmt::Debug;

const PROFILES: &[&str] = &["a", "A", "ab", "ab.c", "abc", "b-1", "ma_", "z_z"];
/// Several spellings of few domains, some of them beginnings of others.
const DOMAINS: &[&str] = &[
    "a.com",
    "A.com.",
    "ab.com",
    "abc.com",
    "a.co",
    "www.a.com",
    "localhost",
    "bücher.example",
    "XN--bcher-kva.example",
];
/// Profiles and numbered domains of a run that is wide: few profiles with many connections. Those with more than
/// 16 are laid out otherwise.
const WIDE_PROFILES: &[&str] = &["a", "ab"];
const WIDE_DOMAINS: usize = 60;
pub(super) const PROXIES: &[&str] = &["p", "p1", "p-2", "Q"];
pub(super) const PROXY_NAMES: &[&str] = &["Berlin", "Be", "Büro 1"];
const KEYS: &[&str] = &["key-1", "key-2"];
pub(super) const URLS: &[&str] = &["https://a.com/login", "http://localhost:1/#x"];
const PATTERNS: &[&str] = &["*.sso.example", "sso.example", "login.Ab.com"];
pub(super) const QUERIES: &[&str] =
    &["", "a", "A", "ab", "AB.", "a.c", "abc", "ma_", "z", "xn--b", "www.a.com", "ü", "nobody"];
const INTERVALS: &[u32] = &[300, 1199, 1200, 3599, 3600, 86_400];

impl Run {
    pub(super) fn pick<T: std::str::FromStr<Err: Debug>>(&mut self, words: &[&str]) -> T {
        words[self.rng.usize(..words.len())].parse().unwrap()
    }

    /// Something, one time in `times`.
    pub(super) fn seldom<T>(
        &mut self,
        times: usize,
        make: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        (self.rng.usize(..times) == 0).then(|| make(self))
    }

    pub(super) fn id(&mut self) -> ConnectionId {
        let present = self.model.connections.len();
        let nth = self.rng.usize(..=present + self.gone.len() / 4);
        if let Some(id) = self.model.connections.keys().nth(nth) {
            return *id;
        }
        match self.gone.len() {
            0 => "ma_7zzzzzzzzzzzzzzzzzzzzzzzzz".parse().unwrap(),
            gone => self.gone[self.rng.usize(..gone)],
        }
    }

    pub(super) fn profile(&mut self) -> ProfileName {
        // A name may read like an ID: a query for the ID then finds both.
        match self.seldom(40, Self::id) {
            Some(id) => id.to_string().parse().unwrap(),
            None => self.pick(if self.wide { WIDE_PROFILES } else { PROFILES }),
        }
    }

    pub(super) fn domain(&mut self) -> Domain {
        if self.wide && self.rng.u8(..4) != 0 {
            // Some of them are so long that no sixteen fit in a row.
            let n = self.rng.usize(..WIDE_DOMAINS);
            let long = if n.is_multiple_of(8) { "a.".repeat(100) } else { String::new() };
            return format!("a{n}.{long}example").parse().unwrap();
        }
        self.pick(DOMAINS)
    }

    pub(super) fn proxy_ref(&mut self) -> ProxyRef {
        if self.rng.bool() {
            ProxyRef::Id(self.pick(PROXIES))
        } else {
            ProxyRef::Name(self.pick(PROXY_NAMES))
        }
    }

    pub(super) fn credential(&mut self) -> Credential {
        let provider = "Büro".parse().unwrap();
        match self.rng.u8(..3) {
            0 => Credential::Name("n".parse().unwrap()),
            1 => Credential::Path { provider, path: "Vault/Item".parse().unwrap() },
            _ => Credential::Auto { provider },
        }
    }

    pub(super) fn allowed_domains(&mut self) -> AllowedDomains {
        let patterns = (0..self.rng.usize(..4)).map(|_| self.pick::<HostPattern>(PATTERNS));
        AllowedDomains::new(patterns.collect()).unwrap()
    }

    pub(super) fn interval(&mut self) -> HealthCheckInterval {
        HealthCheckInterval::new(INTERVALS[self.rng.usize(..INTERVALS.len())]).unwrap()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.seldom(4, |run| run.rng.bool())
    }

    pub(super) fn edit<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Edit<T> {
        match self.rng.u8(..6) {
            0 => Edit::Clear,
            1 => Edit::Set(make(self)),
            _ => Edit::Keep,
        }
    }

    /// A request, often one that was sent before.
    pub(super) fn request(&mut self) -> (NewConnection, CreateOptions) {
        if !self.sent.is_empty() && self.rng.u8(..3) == 0 {
            return self.sent[self.rng.usize(..self.sent.len())].clone();
        }
        let mut request = NewConnection::new(self.domain(), self.profile());
        request.settings = Settings {
            login_url: self.seldom(4, |run| run.pick(URLS)),
            proxy: self.seldom(4, Self::proxy_ref),
            credential: self.seldom(4, Self::credential),
            allowed_domains: self.seldom(4, Self::allowed_domains),
            health_check_interval: self.seldom(4, Self::interval),
            health_checks: self.flag(),
            auto_reauth: self.flag(),
            save_credentials: self.flag(),
            record_session: self.flag(),
        };
        let options = CreateOptions {
            idempotency_key: self.seldom(2, |run| run.pick(KEYS)),
            ensure: self.rng.u8(..4) == 0,
        };
        self.sent.push((request.clone(), options.clone()));
        (request, options)
    }

    pub(super) fn observation(&mut self) -> Observation {
        Observation {
            status: self
                .seldom(2, |run| [Status::Authenticated, Status::NeedsAuth][run.rng.usize(..2)]),
            reauth: self.seldom(2, |run| {
                let (word, _) = Reauth::REASONS[run.rng.usize(..Reauth::REASONS.len())];
                Reauth::because(word).unwrap()
            }),
            last_auth_check_at: self
                .seldom(2, |run| Timestamp::from_unix_ms(run.rng.i64(0..5_000)).unwrap()),
            post_login_url: self.seldom(3, |run| run.pick(URLS)),
            flow: self.edit(|run| {
                let mut flow = Flow::new(FlowType::Reauth, FlowStatus::InProgress);
                flow.flow_step = run.seldom(2, |_| FlowStep::AwaitingInput);
                flow.error_message = run.seldom(2, |_| "Grüße\u{0}\"".parse().unwrap());
                flow.hosted_url = run.seldom(2, |run| run.pick::<WebUrl>(URLS));
                flow.mfa_options = run.seldom(2, |_| Shown::new(Vec::new()).unwrap());
                Box::new(flow)
            }),
        }
    }

    pub(super) fn limit_of_page(&mut self) -> PageLimit {
        let most = if self.rng.bool() { 4 } else { 100 };
        PageLimit::new(self.rng.usize(1..=most)).unwrap()
    }
}
