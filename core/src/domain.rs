//! [`Domain`], a host name in its one normal form; [`HostPattern`], which may stand for subdomains; [`AllowedDomains`].

use crate::error::quoted;
use crate::text::text_type;
use crate::{Problem, ViolationCode};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::Serialize;
use std::borrow::Cow;
use std::net::Ipv6Addr;

text_type! {
    /// A bare host name, normalised: lower-case ASCII, at most 253 bytes, labels of 1 to 63.
    ///
    /// Normalisation is UTS #46 to ASCII, non-transitional, with STD3 rules, `CheckBidi` and
    /// `CheckJoiners`; hyphens may stand anywhere but at the ends of a label. One trailing dot is
    /// dropped. A scheme, port, path, user info, wildcard, underscore or white space is refused, and
    /// so is an IP address in any disguise. Two names that normalise alike are the same domain;
    /// `www.` is kept, because distinct names are distinct. Normalising twice changes nothing.
    ///
    /// ```
    /// use connectory::Domain;
    ///
    /// let domain: Domain = "Bücher.Example.".parse()?;
    /// assert_eq!(domain.as_str(), "xn--bcher-kva.example");
    ///
    /// let refused = "https://netflix.com/login".parse::<Domain>().unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     r#""https://netflix.com/login" has a scheme; send the bare host name "netflix.com""#
    /// );
    /// # Ok::<(), connectory::Problem>(())
    /// ```
    Domain, normalise
}

text_type! {
    /// An entry of `allowed_domains`: a [`Domain`] that stands for itself alone, or `*.` before one of at
    /// least two labels, which stands for every subdomain of it and not for itself.
    HostPattern, normalise_pattern
}

/// The further hosts of a connection: at most 100, each once, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct AllowedDomains(Vec<HostPattern>);

impl AllowedDomains {
    /// The most entries that may be sent, duplicates included.
    pub const MOST: usize = 100;

    /// Keeps the first of each pattern.
    ///
    /// # Errors
    ///
    /// A [`Problem`] where there are more than [`MOST`](Self::MOST).
    pub fn new(patterns: Vec<HostPattern>) -> Result<Self, Problem> {
        if patterns.len() > Self::MOST {
            return Err(Problem::value(format!(
                "has {} items; send at most {}",
                patterns.len(),
                Self::MOST
            )));
        }
        let mut kept: Vec<HostPattern> = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            if !kept.contains(&pattern) {
                kept.push(pattern);
            }
        }
        Ok(Self(kept))
    }

    /// The patterns.
    pub fn as_slice(&self) -> &[HostPattern] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Hosts of sign-in providers that every connection allows, as the API documents them.
pub const SSO_HOSTS: [&str; 17] = [
    "accounts.google.com",
    "login.microsoftonline.com",
    "login.live.com",
    "*.okta.com",
    "*.oktapreview.com",
    "*.auth0.com",
    "*.us.auth0.com",
    "*.eu.auth0.com",
    "*.au.auth0.com",
    "appleid.apple.com",
    "github.com",
    "www.facebook.com",
    "www.linkedin.com",
    "*.amazoncognito.com",
    "*.onelogin.com",
    "*.pingone.com",
    "*.pingidentity.com",
];

impl Domain {
    /// Whether `host` is this domain or a subdomain of it.
    pub(crate) fn covers(&self, host: &Domain) -> bool {
        host == self || is_subdomain(host.as_str(), self.as_str())
    }
}

/// Whether `pattern`, a [`HostPattern`] or an entry of [`SSO_HOSTS`], stands for `host`.
pub(crate) fn matches(pattern: &str, host: &Domain) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => is_subdomain(host.as_str(), parent),
        None => host.as_str() == pattern,
    }
}

fn is_subdomain(host: &str, parent: &str) -> bool {
    host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// Longer input is not looked at: ignorable characters could make a valid name of any length.
const INPUT_MAX_BYTES: usize = 4096;

fn normalise(input: &str) -> Result<Box<str>, Problem> {
    host_name(input).map_err(|fault| explain(input, &fault))
}

fn normalise_pattern(input: &str) -> Result<Box<str>, Problem> {
    let Some(parent) = input.strip_prefix("*.") else { return normalise(input) };
    let parent = normalise(parent)?;
    if !parent.contains('.') {
        return Err(problem(format!(
            "{} would stand for a whole top-level domain; send at least two labels after the \"*.\", such as \"*.example.com\"",
            quoted(input)
        )));
    }
    Ok(format!("*.{parent}").into())
}

impl Domain {
    /// The domain that a store wrote as `text`: of its form nothing is checked again but that it is one.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let mut before = b'.';
        for byte in text.bytes() {
            if !is_name(byte) && (byte != b'.' || before == b'.') {
                return None;
            }
            before = byte;
        }
        (before != b'.' && text.len() <= 253).then(|| Self(text.into()))
    }
}

/// Why a text is not a host name, as a phrase about it.
type Fault = String;

const FOREIGN: &str = "has a character or a label that UTS #46 does not allow in a host name";

fn host_name(input: &str) -> Result<Box<str>, Fault> {
    if input.is_empty() {
        return Err("is empty".into());
    }
    if input.len() > INPUT_MAX_BYTES {
        return Err("is longer than a host name can be (253 bytes)".into());
    }
    let lower = lowered(input);
    let ascii = if is_plain(&lower) {
        lower
    } else {
        if let Some(fault) = foreign_part(input) {
            return Err(fault);
        }
        let ascii = Uts46::new()
            .to_ascii(input.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Ignore)
            .map_err(|_| FOREIGN)?;
        // With CheckHyphens off the parser leaves these to us: criterion V4, and hyphens at the ends.
        for label in ascii.split('.').filter_map(|label| label.strip_prefix("xn--")) {
            let label = idna::punycode::decode_to_string(label).ok_or(FOREIGN)?;
            if label.starts_with("xn--") || label.starts_with('-') || label.ends_with('-') {
                return Err(FOREIGN.into());
            }
        }
        ascii
    };
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    check_labels(name)?;
    Ok(name.into())
}

/// `input` with its ASCII letters in lower case, which is all that UTS #46 does to them. Its tables are large: what names in
/// ASCII need goes without.
fn lowered(input: &str) -> Cow<'_, str> {
    if input.bytes().any(|byte| byte.is_ascii_uppercase()) {
        input.to_ascii_lowercase().into()
    } else {
        input.into()
    }
}

/// Whether UTS #46 would return `input` unchanged: letters, digits, hyphens, dots, and no Punycode.
fn is_plain(input: &str) -> bool {
    input.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        && !input.split('.').any(|label| label.starts_with("xn--"))
}

/// Names the part of a URL, or the character, that shows `input` to be no bare host name.
fn foreign_part(input: &str) -> Option<Fault> {
    let found = if input.contains("://") {
        "has a scheme"
    } else if input.chars().any(char::is_whitespace) {
        "has white space"
    } else if input.contains('@') {
        "has user info"
    } else if input.contains(['/', '\\', '?', '#']) {
        "has a path"
    } else if input.contains('[') || input.parse::<Ipv6Addr>().is_ok() {
        "is an IP address"
    } else if input.contains(':') {
        "has a port"
    } else if input.contains('*') {
        "has a wildcard"
    } else if input.contains('_') {
        "has an underscore, which no host name has"
    } else {
        return None;
    };
    Some(found.into())
}

/// Checks what UTS #46 leaves to the caller, on the ASCII form without its trailing dot.
fn check_labels(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err("has no label".into());
    }
    if name.len() > 253 {
        return Err(format!("is {} bytes long in ASCII; a host name has at most 253", name.len()));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err("has an empty label".into());
        }
        if label.len() > 63 {
            return Err(format!("has a label of {} bytes in ASCII; 63 are allowed", label.len()));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("has a label that starts or ends with \"-\"".into());
        }
    }
    if name.rsplit('.').next().is_some_and(is_number) {
        return Err("is an IP address (its last label is a number)".into());
    }
    Ok(())
}

/// Whether URL parsers would read a name with this last label as an IPv4 address.
fn is_number(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit()) || label.starts_with("0x")
}

fn explain(input: &str, fault: &str) -> Problem {
    let instead = match bare_host(input) {
        Some(host) => format!("send the bare host name {}", quoted(&host)),
        None => "send a bare host name such as \"netflix.com\"".into(),
    };
    // What stands before an @ may be a secret, and messages are logged.
    let shown = if input.contains('@') { "the value".into() } else { quoted(input) };
    problem(format!("{shown} {fault}; {instead}"))
}

fn problem(message: String) -> Problem {
    Problem::new(ViolationCode::InvalidDomain, message)
}

/// The host name that a person who sent `input` probably meant.
fn bare_host(input: &str) -> Option<Box<str>> {
    let trimmed = input.trim();
    let rest = trimmed.split_once("://").map_or(trimmed, |(_, rest)| rest);
    // `https:example.com`, `http//example.com`: a scheme is all that can be told for sure.
    if rest == trimmed
        && ["http", "https"].iter().any(|scheme| {
            rest.strip_prefix(scheme).is_some_and(|rest| rest.starts_with([':', '/']))
        })
    {
        return None;
    }
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = if host.matches(':').count() > 1 { return None } else { host.split(':').next()? };
    let host = host.strip_prefix("*.").unwrap_or(host);
    if host == input { None } else { host_name(host).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        text.parse().unwrap()
    }

    fn refusal(text: &str) -> String {
        text.parse::<Domain>().unwrap_err().message
    }

    #[test]
    fn names_that_mean_the_same_normalise_alike() {
        for (input, normal) in [
            ("netflix.com", "netflix.com"),
            ("NetFlix.COM", "netflix.com"),
            ("netflix.com.", "netflix.com"),
            ("ｎｅｔｆｌｉｘ。com", "netflix.com"),
            ("net\u{ad}flix.com", "netflix.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("faß.de", "xn--fa-hia.de"),
            ("r3---sn-abc.googlevideo.com", "r3---sn-abc.googlevideo.com"),
            ("localhost", "localhost"),
            ("0xg.example", "0xg.example"),
            ("127.0.0.1.example", "127.0.0.1.example"),
        ] {
            assert_eq!(domain(input).as_str(), normal);
            assert_eq!(domain(normal).as_str(), normal, "normalising twice changes nothing");
        }
        assert_ne!(domain("www.netflix.com"), domain("netflix.com"));
    }

    #[test]
    fn a_refusal_says_what_to_send_instead() {
        for (input, message) in [
            (
                "https://u:p@Netflix.com:443/login?x#y",
                "has a scheme; send the bare host name \"netflix.com\"",
            ),
            ("netflix.com/login", "has a path; send the bare host name \"netflix.com\""),
            ("netflix.com:443", "has a port; send the bare host name \"netflix.com\""),
            ("me@netflix.com", "has user info; send the bare host name \"netflix.com\""),
            (" netflix.com", "has white space; send the bare host name \"netflix.com\""),
            ("*.netflix.com", "has a wildcard; send the bare host name \"netflix.com\""),
            ("my_host.com", "has an underscore, which no host name has; send a bare host name"),
            ("[::1]", "is an IP address; send a bare host name"),
        ] {
            assert!(refusal(input).contains(message), "{input}: {}", refusal(input));
        }
        assert_eq!(refusal(""), "\"\" is empty; send a bare host name such as \"netflix.com\"");
    }

    #[test]
    fn ip_addresses_are_refused_in_every_disguise() {
        for input in [
            "127.0.0.1",
            "127.1",
            "1.2.3.4.",
            "0x7f.1",
            "0x7f000001",
            "127.0.0.0x1",
            "a.0x",
            "2130706433",
            "１２７.０.０.１",
            "①.②",
            "example.09",
            "0X7F.1",
        ] {
            assert!(refusal(input).contains("IP address"), "{input}: {}", refusal(input));
        }
    }

    #[test]
    fn lengths_and_hyphens_are_held_to_their_bounds() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(domain(&longest).as_str().len(), 253);
        for input in [
            format!("{longest}a"),
            format!("{}.com", "a".repeat(64)),
            "-a.com".into(),
            "a-.com".into(),
            "a..com".into(),
            "a.com..".into(),
            ".".into(),
            ".com".into(),
            "\u{ad}".into(),
            "a".repeat(INPUT_MAX_BYTES + 1),
        ] {
            assert!(input.parse::<Domain>().is_err(), "{input}");
        }
    }

    #[test]
    fn bad_punycode_and_joiners_are_refused() {
        for input in ["xn--a.com", "xn--.com", "xn--zca\u{301}.com", "a\u{200d}b.com", "aא1.com"] {
            assert!(input.parse::<Domain>().is_err(), "{input}");
        }
    }

    #[test]
    fn a_pattern_stands_for_subdomains_only() {
        let pattern: HostPattern = "*.Example.com".parse().unwrap();
        assert_eq!(pattern.as_str(), "*.example.com");
        assert!(matches(pattern.as_str(), &domain("a.b.example.com")));
        assert!(!matches(pattern.as_str(), &domain("example.com")));
        assert!(!matches(pattern.as_str(), &domain("badexample.com")));
        assert!(matches("example.com", &domain("example.com")));
        assert!(!matches("example.com", &domain("a.example.com")));
        for input in ["*.com", "*", "*.", "a.*.com", "*.*.com", "**.a.com"] {
            assert!(input.parse::<HostPattern>().is_err(), "{input}");
        }
    }
}
