//! [`Connection`], an auth connection as it stands, and [`Creation`], the answer to a create.

use crate::domain::{SSO_HOSTS, matches};
use crate::{
    AllowedDomains, ConnectionId, Credential, Domain, Flow, HealthCheckInterval, Observation,
    ProfileName, ProxyId, Reauth, Settings, Status, Timestamp, WebUrl,
};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;

/// An auth connection: keeps a browser profile logged in to a domain.
///
/// Serialises as the API's `ManagedAuth` object: fields of a login are `null` until one was recorded,
/// everything else that is unset is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "as the API has it")]
pub struct Connection {
    /// Its ID.
    pub id: ConnectionId,
    /// The profile that it keeps logged in.
    pub profile_name: ProfileName,
    /// The domain that the profile is logged in to.
    pub domain: Domain,
    /// Whether it is, when last looked at.
    pub status: Status,
    /// Whether a login without a person is possible, and why.
    pub reauth: Reauth,
    /// When health was last checked.
    pub last_auth_check_at: Option<Timestamp>,
    /// Where the last login ended.
    pub post_login_url: Option<WebUrl>,
    /// The most recent login.
    pub flow: Option<Box<Flow>>,
    /// The page where the login starts.
    pub login_url: Option<WebUrl>,
    /// Where the login's secrets are.
    pub credential: Option<Credential>,
    /// The proxy to go through.
    pub proxy_id: Option<ProxyId>,
    /// Further hosts that belong to the login.
    pub allowed_domains: AllowedDomains,
    /// Seconds between health checks.
    pub health_check_interval: HealthCheckInterval,
    /// Whether to check health at all.
    pub health_checks: bool,
    /// Whether to log in again when a health check fails.
    pub auto_reauth: bool,
    /// Whether to keep the credentials that a login used.
    pub save_credentials: bool,
    /// Whether to record browser sessions.
    pub record_session: bool,
}

impl Connection {
    /// A connection that has never been logged in, with the defaults of what `settings` leave open.
    pub(crate) fn fresh(
        id: ConnectionId,
        (profile_name, domain): (ProfileName, Domain),
        settings: Settings,
        proxy_id: Option<ProxyId>,
        health_check_interval: HealthCheckInterval,
    ) -> Self {
        Self {
            id,
            profile_name,
            domain,
            status: Status::NeedsAuth,
            reauth: Reauth::fresh(),
            last_auth_check_at: None,
            post_login_url: None,
            flow: None,
            login_url: settings.login_url,
            credential: settings.credential,
            proxy_id,
            allowed_domains: settings.allowed_domains.unwrap_or_default(),
            health_check_interval,
            health_checks: settings.health_checks.unwrap_or(true),
            auto_reauth: settings.auto_reauth.unwrap_or(true),
            save_credentials: settings.save_credentials.unwrap_or(true),
            record_session: settings.record_session.unwrap_or(false),
        }
    }

    /// Whether a login of this connection may go to `host`: its domain and the subdomains of that, its
    /// allowed domains, and the [sign-in providers](crate::SSO_HOSTS). A malformed host may not.
    ///
    /// ```
    /// use connectory::{Creation, NewConnection, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let mut request = NewConnection::new("netflix.com".parse()?, "user-123".parse()?);
    /// request.allowed_domains =
    ///     Some(connectory::AllowedDomains::new(vec!["*.nflx.example".parse()?])?);
    /// let Creation::Created(connection) = store.create(request)? else { panic!("it is new") };
    ///
    /// assert!(connection.allows("www.netflix.com"));
    /// assert!(connection.allows("login.nflx.example"));
    /// assert!(connection.allows("accounts.google.com"));
    /// assert!(!connection.allows("nflx.example"));
    /// assert!(!connection.allows("https://netflix.com"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allows(&self, host: &str) -> bool {
        let Ok(host) = host.parse::<Domain>() else { return false };
        self.domain.covers(&host)
            || self.allowed_domains.as_slice().iter().any(|entry| matches(entry.as_str(), &host))
            || SSO_HOSTS.iter().any(|entry| matches(entry, &host))
    }

    /// Takes over what was observed.
    pub(crate) fn observe(&mut self, seen: &Observation) {
        if let Some(status) = seen.status {
            self.status = status;
        }
        if let Some(reauth) = &seen.reauth {
            self.reauth = reauth.clone();
        }
        if seen.last_auth_check_at.is_some() {
            self.last_auth_check_at = seen.last_auth_check_at;
        }
        if seen.post_login_url.is_some() {
            self.post_login_url.clone_from(&seen.post_login_url);
        }
        seen.flow.apply(&mut self.flow);
    }

    /// Whether a login driver has ever reported anything.
    pub(crate) fn is_observed(&self) -> bool {
        self.status != Status::NeedsAuth
            || self.reauth != Reauth::fresh()
            || self.last_auth_check_at.is_some()
            || self.post_login_url.is_some()
            || self.flow.is_some()
    }
}

impl Serialize for Connection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ManagedAuth", 35)?;
        object.serialize_field("id", &self.id)?;
        object.serialize_field("profile_name", &self.profile_name)?;
        object.serialize_field("domain", &self.domain)?;
        object.serialize_field("status", &self.status)?;
        // The API keeps an older name for the same moment.
        optional(&mut object, "last_auth_check_at", self.last_auth_check_at.as_ref())?;
        optional(&mut object, "last_auth_at", self.last_auth_check_at.as_ref())?;
        optional(&mut object, "credential", self.credential.as_ref())?;
        object.serialize_field("can_reauth", &self.reauth.is_possible())?;
        object.serialize_field("can_reauth_reason", self.reauth.reason())?;
        optional(&mut object, "proxy_id", self.proxy_id.as_ref())?;
        let allowed = Some(&self.allowed_domains).filter(|allowed| !allowed.is_empty());
        optional(&mut object, "allowed_domains", allowed)?;
        optional(&mut object, "login_url", self.login_url.as_ref())?;
        optional(&mut object, "post_login_url", self.post_login_url.as_ref())?;
        let flow = self.flow.as_deref();
        object.serialize_field("flow_status", &flow.map(|flow| flow.flow_status))?;
        object.serialize_field("flow_step", &flow.and_then(|flow| flow.flow_step))?;
        object.serialize_field("flow_type", &flow.map(|flow| flow.flow_type))?;
        object.serialize_field("flow_expires_at", &flow.and_then(|flow| flow.flow_expires_at))?;
        macro_rules! of_flow {
            ($($field:ident)+) => {
                $(object.serialize_field(
                    stringify!($field),
                    &flow.and_then(|flow| flow.$field.as_ref()),
                )?;)+
            };
        }
        of_flow!(discovered_fields mfa_options sign_in_options pending_sso_buttons);
        of_flow!(external_action_message website_error sso_provider error_message error_code);
        of_flow!(hosted_url live_view_url browser_session_id);
        object.serialize_field("health_check_interval", &self.health_check_interval)?;
        object.serialize_field("health_checks", &self.health_checks)?;
        object.serialize_field("auto_reauth", &self.auto_reauth)?;
        object.serialize_field("save_credentials", &self.save_credentials)?;
        object.serialize_field("record_session", &self.record_session)?;
        object.end()
    }
}

fn optional<O: SerializeStruct, T: Serialize>(
    object: &mut O,
    name: &'static str,
    value: Option<&T>,
) -> Result<(), O::Error> {
    match value {
        Some(value) => object.serialize_field(name, value),
        None => object.skip_field(name),
    }
}

/// The answer to a create: what became of it, never an error.
///
/// `?` on the call's result leaves a conflict in here, where it must be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a conflict is an answer: look at it"]
pub enum Creation {
    /// The connection is new.
    Created(Connection),
    /// The same request with the same idempotency key made it before; here it is as it stands.
    Replayed(Connection),
    /// The pair has a connection already, and the caller asked to be given that one.
    Existing(Connection),
    /// The pair has a connection already.
    Conflict(Conflict),
}

impl Creation {
    /// The outcome's word: `created`, `replayed`, `existing` or `conflict`.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Replayed(_) => "replayed",
            Self::Existing(_) => "existing",
            Self::Conflict(_) => "conflict",
        }
    }

    /// The connection that was created, found again or asked for; `None` in a conflict.
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Created(connection) | Self::Replayed(connection) | Self::Existing(connection) => {
                Some(connection)
            }
            Self::Conflict(_) => None,
        }
    }

    /// The ID of the connection that holds the pair now, whatever the outcome.
    pub fn id(&self) -> ConnectionId {
        match self {
            Self::Created(connection) | Self::Replayed(connection) | Self::Existing(connection) => {
                connection.id
            }
            Self::Conflict(conflict) => conflict.existing_id,
        }
    }
}

/// The pair is taken. Serialises as the API's conflict body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The connection that holds the pair.
    pub existing_id: ConnectionId,
}

impl fmt::Display for Conflict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("this profile already has an auth connection for this domain")
    }
}

impl Serialize for Conflict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Conflict", 3)?;
        body.serialize_field("code", "already_exists")?;
        body.serialize_field("message", &self.to_string())?;
        body.serialize_field("existing_id", &self.existing_id)?;
        body.end()
    }
}
