//! [`WebUrl`], the address of a page.

use crate::Problem;
use crate::error::quoted;
use crate::text::text_type;
use fluent_uri::Uri;

text_type! {
    /// An RFC 3986 URI with the scheme `http` or `https`, a non-empty host and no user info, kept as given.
    ///
    /// ASCII, at most 2048 bytes. User info is refused because no secret is ever stored. A fragment is
    /// allowed: login pages live behind them.
    WebUrl, check
}

/// The longest address, in bytes.
const MAX_BYTES: usize = 2048;

fn check(text: &str) -> Result<Box<str>, Problem> {
    let Some(fault) = fault(text) else { return Ok(text.into()) };
    // What stands before an @ may be a secret, and messages are logged.
    let shown = if text.contains('@') { "the value".into() } else { quoted(text) };
    let message = format!("{shown} {fault}, such as \"https://example.com/login\"");
    Err(Problem::value(message))
}

fn fault(text: &str) -> Option<&'static str> {
    if text.len() > MAX_BYTES {
        return Some("is longer than 2048 bytes; send a shorter address");
    }
    if !text.is_ascii() {
        return Some("is not ASCII; send it percent-encoded, its host in Punycode");
    }
    let Ok(uri) = Uri::parse(text) else {
        return Some("is not an absolute URI (RFC 3986); send one");
    };
    let scheme = uri.scheme().as_str();
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Some("is neither http nor https; send an address of a web page");
    }
    match uri.authority() {
        Some(authority) if authority.userinfo().is_some() => {
            Some("has user info, and no secret may be stored; send it without")
        }
        Some(authority) if !authority.host().is_empty() => None,
        _ => Some("has no host; send an absolute address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_as_given() {
        for good in [
            "https://netflix.com/login",
            "HTTP://Example.com:8080/a%20b?q=1#top",
            "https://[::1]/",
            "https://localhost",
        ] {
            assert_eq!(good.parse::<WebUrl>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        for (bad, message) in [
            ("", "not an absolute URI"),
            ("/login", "not an absolute URI"),
            ("//example.com/", "not an absolute URI"),
            ("https://a b/", "not an absolute URI"),
            ("https://example.com/%zz", "not an absolute URI"),
            ("ftp://example.com/", "neither http nor https"),
            ("javascript:alert(1)", "neither http nor https"),
            ("https:", "has no host"),
            ("https:///login", "has no host"),
            ("https:login", "has no host"),
            ("https://user:secret@example.com/", "has user info"),
            ("https://@example.com/", "has user info"),
            ("https://bücher.example/", "is not ASCII"),
            (&format!("https://example.com/{}", "a".repeat(2048)), "longer than 2048"),
        ] {
            let problem = bad.parse::<WebUrl>().unwrap_err();
            assert!(problem.message.contains(message), "{bad}: {problem}");
        }
    }
}
