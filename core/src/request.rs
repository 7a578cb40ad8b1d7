//! [`NewConnection`] and [`Patch`]: requests that are known to be right, and how they are read.

use crate::json::Fields;
use crate::text::text_type;
use crate::{
    AllowedDomains, Credential, Domain, HealthCheckInterval, Json, Problem, ProfileName, ProxyRef,
    Refusal, ViolationCode, WebUrl,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A request to create a connection: what was asked for, before defaults.
///
/// Read from JSON by [`from_json`](Self::from_json), which names every violation, or built from values
/// that cannot be wrong:
///
/// ```
/// use connectory::NewConnection;
///
/// let mut request = NewConnection::new("netflix.com".parse()?, "user-123".parse()?);
/// request.login_url = Some("https://netflix.com/login".parse()?);
/// request.record_session = Some(true);
/// # Ok::<(), connectory::Problem>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewConnection {
    /// The domain to be logged in to.
    pub domain: Domain,
    /// The profile to keep logged in; created if it does not exist.
    pub profile_name: ProfileName,
    /// Everything else, all of it optional.
    #[serde(flatten)]
    pub settings: Settings,
}

/// What a request may set beside the pair; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Settings {
    /// The page where the login starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_url: Option<WebUrl>,
    /// The proxy to go through; must be registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyRef>,
    /// Where the login's secrets are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// Further hosts that belong to the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_domains: Option<AllowedDomains>,
    /// Seconds between health checks; by default an hour, or the plan's floor if that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_interval: Option<HealthCheckInterval>,
    /// Whether to check health at all; by default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_checks: Option<bool>,
    /// Whether to log in again when a health check fails; by default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_reauth: Option<bool>,
    /// Whether to keep the credentials that a login used; by default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_credentials: Option<bool>,
    /// Whether to record browser sessions; by default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_session: Option<bool>,
}

impl std::ops::Deref for NewConnection {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl std::ops::DerefMut for NewConnection {
    fn deref_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

impl NewConnection {
    /// A request for the pair, with everything else left to its default.
    pub fn new(domain: Domain, profile_name: ProfileName) -> Self {
        Self { domain, profile_name, settings: Settings::default() }
    }

    /// Reads the body of a create request.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] with every violation.
    pub fn from_json(json: &Json) -> Result<Self, Refusal> {
        let mut fields = Fields::of_request(json)?;
        let request = Self::read(&mut fields);
        fields.finish(request)
    }

    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let domain = fields.require("domain", Json::parse_str);
        let profile_name = fields.require("profile_name", Json::parse_str);
        let settings = Settings {
            login_url: fields.read("login_url", Json::parse_str),
            proxy: fields.object("proxy", read_proxy),
            credential: fields.object("credential", read_credential),
            allowed_domains: read_allowed_domains(fields),
            ..read_plain_settings(fields)
        };
        Some(Self { domain: domain?, profile_name: profile_name?, settings })
    }

    /// A digest that equal requests share: of the request as it was understood, before defaults.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        // Fields in a fixed order, absent ones left out, so a later optional field changes no digest.
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::digest(&canonical);
        let mut fingerprint = [0; 16];
        for (to, from) in fingerprint.iter_mut().zip(digest) {
            *to = from;
        }
        Fingerprint(fingerprint)
    }
}

/// What an update does to one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit<T> {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Takes it away.
    Clear,
    /// Replaces it.
    Set(T),
}

impl<T> Edit<T> {
    fn of(sent: Option<T>) -> Self {
        sent.map_or(Self::Keep, Self::Set)
    }

    /// What replaces it, if anything does.
    pub(crate) fn replacement(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Does it.
    pub(crate) fn apply(&self, field: &mut Option<T>)
    where
        T: Clone,
    {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value.clone()),
        }
    }
}

/// A request to change a connection: only what it names changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// The page where the login starts; in JSON, `""` clears it.
    pub login_url: Edit<WebUrl>,
    /// Where the login's secrets are, replaced whole; in JSON, `null` clears it.
    pub credential: Edit<Credential>,
    /// The proxy, replaced whole; in JSON, `null` clears it.
    pub proxy: Edit<ProxyRef>,
    /// The further hosts, replaced whole; an empty list clears them.
    pub allowed_domains: Option<AllowedDomains>,
    /// Seconds between health checks; the plan's floor is checked only when it is sent.
    pub health_check_interval: Option<HealthCheckInterval>,
    /// Whether to check health at all.
    pub health_checks: Option<bool>,
    /// Whether to log in again when a health check fails.
    pub auto_reauth: Option<bool>,
    /// Whether to keep the credentials that a login used.
    pub save_credentials: Option<bool>,
    /// Whether to record browser sessions.
    pub record_session: Option<bool>,
}

impl Patch {
    /// Reads the body of an update request.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] with every violation; `domain` and `profile_name` are violations even unchanged.
    pub fn from_json(json: &Json) -> Result<Self, Refusal> {
        let mut fields = Fields::of_request(json)?;
        let login_url = fields.read("login_url", |json| match json.as_str()? {
            "" => Ok(Edit::Clear),
            text => text.parse().map(Edit::Set),
        });
        let credential = if fields.take_null("credential") {
            Edit::Clear
        } else {
            Edit::of(fields.object("credential", read_credential))
        };
        let proxy = if fields.take_null("proxy") {
            Edit::Clear
        } else {
            Edit::of(fields.object("proxy", read_proxy))
        };
        let allowed_domains = read_allowed_domains(&mut fields);
        let plain = read_plain_settings(&mut fields);
        for name in ["domain", "profile_name"] {
            if fields.take(name).is_some() {
                let message = "cannot be changed; delete the connection and create another";
                fields.note(name, Problem::new(ViolationCode::ImmutableField, message));
            }
        }
        fields.finish(Some(Self {
            login_url: login_url.unwrap_or_default(),
            credential,
            proxy,
            allowed_domains,
            health_check_interval: plain.health_check_interval,
            health_checks: plain.health_checks,
            auto_reauth: plain.auto_reauth,
            save_credentials: plain.save_credentials,
            record_session: plain.record_session,
        }))
    }
}

/// Reads the settings that create and update treat alike.
fn read_plain_settings(fields: &mut Fields<'_>) -> Settings {
    Settings {
        health_check_interval: fields.read("health_check_interval", read_interval),
        health_checks: fields.read("health_checks", Json::as_bool),
        auto_reauth: fields.read("auto_reauth", Json::as_bool),
        save_credentials: fields.read("save_credentials", Json::as_bool),
        record_session: fields.read("record_session", Json::as_bool),
        ..Settings::default()
    }
}

fn read_interval(json: &Json) -> Result<HealthCheckInterval, Problem> {
    HealthCheckInterval::new(json.as_integer(300, 86_400)?)
}

fn read_allowed_domains(fields: &mut Fields<'_>) -> Option<AllowedDomains> {
    let patterns = fields.array("allowed_domains", AllowedDomains::MOST, Json::parse_str)?;
    AllowedDomains::new(patterns).ok()
}

fn read_proxy(fields: &mut Fields<'_>) -> Option<ProxyRef> {
    let sent = fields.names();
    let id = fields.read("id", Json::parse_str).map(ProxyRef::Id);
    let name = fields.read("name", Json::parse_str).map(ProxyRef::Name);
    match (sent.contains(&"id"), sent.contains(&"name")) {
        (true, false) => id,
        (false, true) => name,
        (both, _) => {
            let found = if both { "has both id and name" } else { "has neither id nor name" };
            fields.note("", Problem::value(format!("{found}; send exactly one of them")));
            None
        }
    }
}

fn read_credential(fields: &mut Fields<'_>) -> Option<Credential> {
    const FORMS: &str = "send exactly one of {name}, {provider, path} and {provider, auto: true}";
    let sent = fields.names();
    let name = fields.read("name", Json::parse_str);
    let provider = fields.read("provider", Json::parse_str);
    let path = fields.read("path", Json::parse_str);
    let auto = fields.read("auto", Json::as_bool);
    let has = |field| sent.contains(&field);
    match (has("name"), has("provider"), has("path"), has("auto")) {
        (true, false, false, false) => name.map(Credential::Name),
        // A wrong `auto` is a violation of its own.
        (false, true, true, _) if auto != Some(true) => {
            Some(Credential::Path { provider: provider?, path: path? })
        }
        (false, true, false, true) if auto != Some(false) => {
            auto?;
            Some(Credential::Auto { provider: provider? })
        }
        _ => {
            fields.note("", Problem::value(format!("mixes or lacks fields; {FORMS}")));
            None
        }
    }
}

text_type! {
    /// The key under which a create may be sent again: 1 to 255 visible ASCII characters.
    IdempotencyKey, check_key
}

fn check_key(text: &str) -> Result<Box<str>, Problem> {
    if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.into());
    }
    Err(Problem::value("is not an idempotency key; send 1 to 255 visible ASCII characters"))
}

/// 128 bits by which a repeated request is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 16]);

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a connection remembers of the create that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Idempotency {
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: Fingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NewConnection, String> {
        NewConnection::from_json(&Json::parse(text.as_bytes()).unwrap())
            .map_err(|refusal| refusal.to_string())
    }

    fn fingerprint(rest: &str) -> Fingerprint {
        parse(&format!(r#"{{"profile_name":"p"{rest}}}"#)).unwrap().fingerprint()
    }

    #[test]
    fn equal_requests_have_equal_fingerprints() {
        let plain = fingerprint(r#","domain":"a.com""#);
        assert_eq!(format!("{plain:?}"), "23917c9da08c143865f4a49f50ee197f");
        assert_eq!(plain, fingerprint(r#","domain":"A.com.""#), "normalised before");
        assert_ne!(
            plain,
            fingerprint(r#","domain":"a.com","health_checks":true"#),
            "before defaults"
        );
        assert_eq!(
            fingerprint(r#","domain":"a.com","credential":{"provider":"p","path":"v"}"#),
            fingerprint(
                r#","credential":{"auto":false,"path":"v","provider":"p"},"domain":"a.com""#
            )
        );
    }

    #[test]
    fn a_proxy_is_named_one_way() {
        let proxy = |json: &str| {
            parse(&format!(r#"{{"profile_name":"p","domain":"a.com","proxy":{json}}}"#))
        };
        assert_eq!(proxy(r#"{"id":"x"}"#).unwrap().proxy, Some(ProxyRef::Id("x".parse().unwrap())));
        assert!(proxy(r#"{"name":"x"}"#).is_ok());
        assert_eq!(
            proxy(r#"{"id":"x","name":"x"}"#).unwrap_err(),
            "proxy: has both id and name; send exactly one of them"
        );
        assert_eq!(
            proxy("{}").unwrap_err(),
            "proxy: has neither id nor name; send exactly one of them"
        );
        assert!(proxy("null").unwrap_err().starts_with("proxy: is null"));
    }

    #[test]
    fn a_credential_has_one_form() {
        let credential = |json: &str| {
            parse(&format!(r#"{{"profile_name":"p","domain":"a.com","credential":{json}}}"#))
        };
        for good in [
            r#"{"name":"n"}"#,
            r#"{"provider":"p","path":"v"}"#,
            r#"{"provider":"p","path":"v","auto":false}"#,
            r#"{"provider":"p","auto":true}"#,
        ] {
            assert!(credential(good).is_ok(), "{good}");
        }
        for bad in [
            "{}",
            r#"{"provider":"p"}"#,
            r#"{"path":"v"}"#,
            r#"{"auto":true}"#,
            r#"{"provider":"p","auto":false}"#,
            r#"{"provider":"p","path":"v","auto":true}"#,
            r#"{"name":"n","provider":"p"}"#,
            r#"{"name":"n","auto":false}"#,
        ] {
            let refused = credential(bad).unwrap_err();
            assert_eq!(refused.matches(';').count(), 1, "{bad}: one violation, not {refused}");
            assert!(refused.contains("send exactly one of"), "{bad}: {refused}");
        }
        assert!(
            credential(r#"{"provider":"p","auto":1}"#).unwrap_err().contains("credential.auto")
        );
    }

    #[test]
    fn a_patch_clears_and_keeps() {
        let patch = |text: &str| Patch::from_json(&Json::parse(text.as_bytes()).unwrap());
        assert_eq!(patch("{}").unwrap(), Patch::default());
        let cleared =
            patch(r#"{"login_url":"","credential":null,"proxy":null,"allowed_domains":[]}"#)
                .unwrap();
        assert_eq!(cleared.login_url, Edit::Clear);
        assert_eq!(cleared.credential, Edit::Clear);
        assert_eq!(cleared.proxy, Edit::Clear);
        assert_eq!(cleared.allowed_domains, Some(AllowedDomains::default()));
        let refused = patch(r#"{"domain":"a.com","login_url":null}"#).unwrap_err().to_string();
        assert!(refused.contains("domain: cannot be changed"), "{refused}");
        assert!(refused.contains("login_url: is null"), "{refused}");
    }
}
