//! The law of names: host names and addresses are accepted by their rules alone, and in one form.

use connectory::{
    ConnectionId, Cursor, Domain, HostPattern, IdempotencyKey, MemoryStorage, NewConnection,
    Options, ProfileName, ProxyId, ProxyName, Store, Timestamp, WebUrl,
};
use std::fmt::{Debug, Display};
use std::str::FromStr;
use url::{Host, Url};

/// Reads `input` as everything that has a form of its own: a host name, a pattern, an address, names, IDs.
///
/// # Panics
///
/// Where one is accepted that should not be, or refused that should be accepted, or does not read the same again.
pub fn names(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    domain(text);
    pattern(text);
    address(text);
    if let Some((domain, host)) = text.split_once('\n') {
        allows(domain, host);
    }
    // These are kept as given.
    for again in [
        again::<ProfileName>(text),
        again::<ProxyId>(text),
        again::<ProxyName>(text),
        again::<IdempotencyKey>(text),
        again::<ConnectionId>(text),
        again::<Cursor>(text),
    ] {
        assert!(again.is_none_or(|again| again == text), "{text:?}");
    }
    again::<Timestamp>(text);
}

/// The text as it reads after it was read, if it can be; reading that again must come to the same.
fn again<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) -> Option<String> {
    let value: T = text.parse().ok()?;
    let again = value.to_string();
    assert_eq!(again.parse::<T>().expect("what was written can be read"), value, "{text:?}");
    Some(again)
}

/// Asserts that a host name is normalised to one form, which is the one that the `url` crate finds, and that it is
/// accepted if and only if the rules say so: for plain ASCII by a reading of them that needs no tables, for all other text
/// where `url` accepts it and no rule of the contract's own is in the way.
fn domain(text: &str) {
    let read = text.parse::<Domain>();
    if let Ok(domain) = &read {
        let name = domain.as_str();
        assert_eq!(
            plainly(name).as_deref(),
            Some(name),
            "{text:?} normalises to what is no normal form"
        );
        for spelling in [
            name.to_owned(),
            name.to_ascii_uppercase(),
            format!("{name}."),
            name.replace('.', "\u{3002}"),
        ] {
            assert_eq!(spelling.parse().as_ref(), Ok(domain), "{spelling:?} is {name:?}");
        }
    }
    if text.is_ascii() && !has_punycode(text) {
        assert_eq!(read.as_ref().ok().map(Domain::as_str), plainly(text).as_deref(), "{text:?}");
        return;
    }
    match (&read, Host::parse(text)) {
        (Ok(domain), Ok(Host::Domain(host))) => {
            assert_eq!(domain.as_str(), host.strip_suffix('.').unwrap_or(&host), "{text:?}");
        }
        (Ok(domain), other) => panic!("{text:?} is {domain:?} here and {other:?} there"),
        (Err(problem), Ok(Host::Domain(host))) => {
            let name = host.strip_suffix('.').unwrap_or(&host);
            // What `url` repairs, and what our own rules are on top of UTS #46.
            let is_repaired = text.contains('%') || text.len() > 4096;
            assert!(
                is_repaired || plainly(name).as_deref() != Some(name) || has_odd_punycode(name),
                "{text:?} is {host:?} and refused here: {problem}"
            );
        }
        (Err(_), _) => {}
    }
}

fn has_punycode(text: &str) -> bool {
    text.split('.')
        .any(|label| label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("xn--")))
}

/// Whether a label stands for a text that starts or ends with a hyphen, or for Punycode once more.
fn has_odd_punycode(name: &str) -> bool {
    name.split('.').filter_map(|label| label.strip_prefix("xn--")).any(|label| {
        let text = idna::punycode::decode_to_string(label);
        text.is_none_or(|text| {
            text.starts_with('-') || text.ends_with('-') || text.starts_with("xn--")
        })
    })
}

/// The contract, read for ASCII without Punycode: the normal form, if there is one.
fn plainly(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let name = lower.strip_suffix('.').unwrap_or(&lower);
    let is_label = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next()?;
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    (name.len() <= 253 && name.split('.').all(is_label) && !is_number).then(|| name.to_owned())
}

fn pattern(text: &str) {
    let read = text.parse::<HostPattern>();
    let expected = match text.strip_prefix("*.") {
        None => text.parse::<Domain>().ok().map(|domain| domain.to_string()),
        Some(parent) => {
            let parent = parent.parse::<Domain>().ok();
            parent
                .filter(|parent| parent.as_str().contains('.'))
                .map(|parent| format!("*.{parent}"))
        }
    };
    assert_eq!(read.as_ref().ok().map(HostPattern::as_str), expected.as_deref(), "{text:?}");
    again::<HostPattern>(text);
}

/// Asserts that a connection of `domain` allows `host` if that is the domain or below it, label by label, or one that
/// every connection allows.
fn allows(domain: &str, host: &str) {
    let Ok(domain) = domain.parse::<Domain>() else { return };
    let store = Store::open_with(MemoryStorage::default(), Options::new()).expect("a new store");
    let request = NewConnection::new(domain.clone(), "p".parse().expect("a name"));
    let id = store.create(request).expect("it is new").id();
    let connection = store.get(id).expect("a look succeeds").expect("it is there");
    let Ok(normal) = host.parse::<Domain>() else {
        assert!(!connection.allows(host), "{host:?} is no host name");
        return;
    };
    let labels = |name: &str| name.split('.').rev().map(str::to_owned).collect::<Vec<_>>();
    let below = |name: &str| labels(normal.as_str()).starts_with(&labels(name));
    let is_sso = connectory::SSO_HOSTS.iter().any(|entry| match entry.strip_prefix("*.") {
        Some(parent) => below(parent) && normal.as_str() != parent,
        None => normal.as_str() == *entry,
    });
    assert_eq!(connection.allows(host), below(domain.as_str()) || is_sso, "{host:?} of {domain}");
}

/// Asserts that an address is kept as it was given, that browsers find no user info in what is accepted, and that
/// what is refused is so by RFC 3986 or by a rule of the contract's own.
fn address(text: &str) {
    let read = text.parse::<WebUrl>();
    let browser = Url::parse(text);
    match (&read, &browser) {
        (Ok(address), browser) => {
            assert_eq!(address.as_str(), text);
            assert!(text.is_ascii() && text.len() <= 2048);
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
            if let Ok(url) = browser {
                assert!(matches!(url.scheme(), "http" | "https") && url.has_host(), "{text:?}");
                assert!(url.username().is_empty() && url.password().is_none(), "{text:?}");
            }
            if let Ok(uri) = text.parse::<http::Uri>() {
                let authority = uri.authority().expect("it has a host").as_str();
                assert!(!authority.contains('@') && !authority.is_empty(), "{text:?}");
            }
        }
        // What a browser would write itself, with nothing that RFC 3986 forbids.
        (Err(problem), Ok(url)) if url.as_str() == text => {
            let is_web = matches!(url.scheme(), "http" | "https") && text.len() <= 2048;
            let is_bare = url.username().is_empty() && url.password().is_none();
            assert!(!(is_web && is_bare && is_rfc_3986(url)), "{text:?}: {problem}");
        }
        _ => {}
    }
}

/// Whether path, query and fragment are of characters that RFC 3986 allows there.
fn is_rfc_3986(url: &Url) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    let escapes = |text: &str| {
        text.split('%').skip(1).all(|rest| {
            rest.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        })
    };
    let parts = [url.path(), url.query().unwrap_or_default(), url.fragment().unwrap_or_default()];
    let host = url.host_str().unwrap_or_default();
    let is_plain_host =
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    is_plain_host && parts.iter().all(|part| part.bytes().all(allowed) && escapes(part))
}
