//! [`Record`], what peers keep of a connection: the fields of ours, in the same codec.

use crate::peer::Outcome;
use bincode::{Decode, Encode};
use connectory::{Connection, HealthCheckInterval, NewConnection, ProxyRef};

/// A connection without its ID.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Record {
    pub(crate) profile_name: String,
    pub(crate) domain: String,
    pub(crate) rest: Rest,
}

/// What is neither the ID nor the pair: for engines that keep these in columns.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Rest {
    /// From bit 0: `health_checks`, `auto_reauth`, `save_credentials`, `record_session`.
    switches: u8,
    health_check_interval: u32,
    login_url: Option<String>,
    proxy_id: Option<String>,
    /// As JSON; the workload has none.
    credential: Option<String>,
    allowed_domains: Vec<String>,
    observation: Option<Observation>,
    idempotency: Option<([u8; 16], String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Observation {
    authenticated: bool,
    can_reauth: bool,
    can_reauth_reason: String,
    last_auth_check_at: Option<i64>,
    post_login_url: Option<String>,
    flow: Option<String>,
}

fn switches(switches: [bool; 4]) -> u8 {
    (0..).zip(switches).fold(0, |bits, (n, on)| bits | u8::from(on) << n)
}

fn texts<T: AsRef<str>>(items: &[T]) -> Vec<String> {
    items.iter().map(|item| item.as_ref().to_owned()).collect()
}

impl Record {
    /// What a create of `request` makes.
    pub(crate) fn of_request(request: &NewConnection) -> Self {
        Self {
            profile_name: request.profile_name.as_str().to_owned(),
            domain: request.domain.as_str().to_owned(),
            rest: Rest::of_request(request),
        }
    }

    /// A connection of ours in the form of the peers'.
    pub(crate) fn of_connection(connection: &Connection) -> Self {
        let Connection { health_checks, auto_reauth, save_credentials, record_session, .. } =
            connection;
        Self {
            profile_name: connection.profile_name.as_str().to_owned(),
            domain: connection.domain.as_str().to_owned(),
            rest: Rest {
                switches: switches([
                    *health_checks,
                    *auto_reauth,
                    *save_credentials,
                    *record_session,
                ]),
                health_check_interval: connection.health_check_interval.seconds(),
                login_url: connection.login_url.as_ref().map(ToString::to_string),
                proxy_id: connection.proxy_id.as_ref().map(ToString::to_string),
                credential: None,
                allowed_domains: texts(connection.allowed_domains.as_slice()),
                observation: None,
                idempotency: None,
            },
        }
    }
}

impl Rest {
    /// What a create of `request` makes.
    pub(crate) fn of_request(request: &NewConnection) -> Self {
        Self {
            switches: switches([
                request.health_checks.unwrap_or(true),
                request.auto_reauth.unwrap_or(true),
                request.save_credentials.unwrap_or(true),
                request.record_session.unwrap_or(false),
            ]),
            health_check_interval: request
                .health_check_interval
                .map_or(3600, HealthCheckInterval::seconds),
            login_url: request.login_url.as_ref().map(ToString::to_string),
            proxy_id: match &request.proxy {
                Some(ProxyRef::Id(id)) => Some(id.to_string()),
                _ => None,
            },
            credential: None,
            allowed_domains: request
                .allowed_domains
                .as_ref()
                .map_or_else(Vec::new, |domains| texts(domains.as_slice())),
            observation: None,
            idempotency: None,
        }
    }
}

pub(crate) fn encode(value: &impl Encode) -> Outcome<Vec<u8>> {
    let encoded = bincode::encode_to_vec(value, bincode::config::standard());
    encoded.map_err(|error| error.to_string().into())
}

pub(crate) fn decode<T: Decode<()>>(bytes: &[u8]) -> Outcome<T> {
    let decoded = bincode::decode_from_slice(bytes, bincode::config::standard());
    decoded.map(|(value, _)| value).map_err(|error| error.to_string().into())
}
