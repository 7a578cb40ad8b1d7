//! [`Act`], a write, and [`Kept`], what a connection is afterwards: all of it follows from a few numbers.

use crate::Outcome;
use bincode::{Decode, Encode};
use connectory::{
    AllowedDomains, Connection, Credential, Domain, Edit, HealthCheckInterval, NewConnection,
    Observation, Patch, ProfileName, ProxyId, ProxyName, ProxyRef, Settings, Status, Timestamp,
};

/// A pair of a worker's own, so that it knows what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Pair {
    pub(crate) profile: u16,
    pub(crate) domain: u16,
}

/// What a connection is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Kept {
    pub(crate) id: String,
    /// All that a request can set follows from it.
    pub(crate) version: u32,
    /// All that a driver can record follows from it; 0 before the first time.
    pub(crate) seen: u32,
    pub(crate) proxy: Option<u16>,
}

/// A write of a worker's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Act {
    Create { pair: Pair, version: u32, proxy: Option<u16> },
    Update { pair: Pair, version: u32, proxy: Option<u16> },
    Record { pair: Pair, seen: u32 },
    Delete { pair: Pair },
    DeleteProfile { profile: u16 },
    RegisterProxy { proxy: u16, is_named: bool },
    RemoveProxy { proxy: u16 },
}

impl Act {
    /// Whether it is one of the store's changes.
    pub(crate) fn is_change(&self) -> bool {
        matches!(
            self,
            Self::Create { .. } | Self::Update { .. } | Self::Record { .. } | Self::Delete { .. }
        )
    }
}

pub(crate) fn profile_name(worker: u16, profile: u16) -> Outcome<ProfileName> {
    Ok(format!("w{worker}-p{profile}").parse()?)
}

pub(crate) fn domain_name(domain: u16) -> Outcome<Domain> {
    Ok(format!("site-{domain}.example.com").parse()?)
}

pub(crate) fn proxy_id(worker: u16, proxy: u16) -> Outcome<ProxyId> {
    Ok(format!("w{worker}-x{proxy}").parse()?)
}

pub(crate) fn proxy_name(worker: u16, proxy: u16) -> Outcome<ProxyName> {
    Ok(format!("Proxy {proxy} of worker {worker}").parse()?)
}

/// The numbers in a name: of the worker, and of what is its own.
pub(crate) fn numbers(name: &str) -> Outcome<(u16, u16)> {
    let numbers = name.strip_prefix('w').and_then(|rest| rest.split_once('-'));
    let (worker, own) = numbers.ok_or_else(|| format!("nobody made {name:?}"))?;
    Ok((worker.parse()?, own.trim_start_matches(['p', 'x']).parse()?))
}

/// What a version sets: more and longer in some than in others, so that records grow and shrink.
fn settings(worker: u16, version: u32, proxy: Option<u16>) -> Outcome<Settings> {
    let hosts = (0..version % 6).map(|n| Ok(format!("*.host-{n}.v{version}.example").parse()?));
    let hosts = hosts.collect::<Outcome<Vec<_>>>()?;
    Ok(Settings {
        login_url: Some(format!("https://login.example.com/{version}").parse()?),
        proxy: proxy
            .map(|proxy| Ok::<_, crate::Failure>(ProxyRef::Id(proxy_id(worker, proxy)?)))
            .transpose()?,
        credential: Some(Credential::Name(format!("vault-{version}").parse()?)),
        allowed_domains: Some(AllowedDomains::new(hosts)?),
        health_check_interval: Some(HealthCheckInterval::new(300 + version % 86_000)?),
        record_session: Some(version.is_multiple_of(2)),
        ..Settings::default()
    })
}

pub(crate) fn request(
    worker: u16,
    pair: Pair,
    version: u32,
    proxy: Option<u16>,
) -> Outcome<NewConnection> {
    let mut request =
        NewConnection::new(domain_name(pair.domain)?, profile_name(worker, pair.profile)?);
    request.settings = settings(worker, version, proxy)?;
    Ok(request)
}

pub(crate) fn patch(worker: u16, version: u32, proxy: Option<u16>) -> Outcome<Patch> {
    let settings = settings(worker, version, proxy)?;
    Ok(Patch {
        login_url: settings.login_url.map_or(Edit::Clear, Edit::Set),
        credential: settings.credential.map_or(Edit::Clear, Edit::Set),
        proxy: settings.proxy.map_or(Edit::Clear, Edit::Set),
        allowed_domains: settings.allowed_domains,
        health_check_interval: settings.health_check_interval,
        record_session: settings.record_session,
        ..Patch::default()
    })
}

pub(crate) fn observation(seen: u32) -> Outcome<Observation> {
    let status = if seen.is_multiple_of(2) { Status::Authenticated } else { Status::NeedsAuth };
    Ok(Observation {
        status: Some(status),
        last_auth_check_at: Timestamp::from_unix_ms(i64::from(seen) * 1000),
        post_login_url: Some(format!("https://after.example.com/{seen}").parse()?),
        ..Observation::default()
    })
}

fn last_number(address: &str) -> Outcome<u32> {
    Ok(address.rsplit('/').next().unwrap_or_default().parse()?)
}

/// Whose a connection is, and what it is, once everything about it agrees.
pub(crate) fn read(connection: &Connection) -> Outcome<(u16, Pair, Kept)> {
    let (worker, profile) = numbers(connection.profile_name.as_str())?;
    let domain = connection.domain.as_str();
    let domain = domain.strip_prefix("site-").and_then(|rest| rest.split('.').next());
    let domain = domain.ok_or("nobody made this domain")?.parse()?;
    let proxy = match &connection.proxy_id {
        Some(id) => Some(numbers(id.as_str())?.1),
        None => None,
    };
    let login_url = connection.login_url.as_ref().ok_or("it has no login_url")?;
    let version = last_number(login_url.as_str())?;
    let seen = match &connection.post_login_url {
        Some(url) => last_number(url.as_str())?,
        None => 0,
    };
    let kept = Kept { id: connection.id.to_string(), version, seen, proxy };
    let set = settings(worker, version, proxy)?;
    let is_as_set = connection.login_url == set.login_url
        && connection.credential == set.credential
        && Some(&connection.allowed_domains) == set.allowed_domains.as_ref()
        && Some(connection.health_check_interval) == set.health_check_interval
        && Some(connection.record_session) == set.record_session;
    let was_seen = observation(seen)?;
    let is_as_seen = match seen {
        0 => connection.status == Status::NeedsAuth && connection.last_auth_check_at.is_none(),
        _ => {
            Some(connection.status) == was_seen.status
                && connection.last_auth_check_at == was_seen.last_auth_check_at
        }
    };
    if is_as_set && is_as_seen {
        Ok((worker, Pair { profile, domain }, kept))
    } else {
        Err(format!("parts of different writes: {connection:?}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connectory::Store;

    #[test]
    fn what_a_connection_is_can_be_read_from_it() {
        let store = Store::in_memory().unwrap();
        store.register_proxy(proxy_id(3, 5).unwrap(), None).unwrap();
        let pair = Pair { profile: 7, domain: 11 };
        let id = store.create(request(3, pair, 23, None).unwrap()).unwrap().id();
        let read_at = |store: &Store| read(&store.get(id).unwrap().unwrap()).unwrap();
        let mut kept = Kept { id: id.to_string(), version: 23, seen: 0, proxy: None };
        assert_eq!(read_at(&store), (3, pair, kept.clone()));
        store.update(id, patch(3, 24, Some(5)).unwrap()).unwrap();
        store.record(id, observation(9).unwrap()).unwrap();
        (kept.version, kept.seen, kept.proxy) = (24, 9, Some(5));
        assert_eq!(read_at(&store), (3, pair, kept));
        let half = Patch { record_session: Some(false), ..Patch::default() };
        let mixed = store.update(id, half).unwrap();
        assert!(read(&mixed).unwrap_err().to_string().starts_with("parts of different writes"));
    }
}
