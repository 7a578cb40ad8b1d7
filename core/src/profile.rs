//! [`ProfileName`], the name of a browser profile, and [`Profile`], what the registry knows of it.

use crate::Problem;
use crate::error::quoted;
use crate::text::{is_name, text_type};
use serde::Serialize;

text_type! {
    /// The name of a browser profile: 1 to 255 of `A-Z a-z 0-9 . _ -`, case-sensitive.
    ///
    /// Exactly 24 characters of `a-z0-9` are refused, because the API reads such a name as an ID.
    ///
    /// ```
    /// use connectory::ProfileName;
    ///
    /// let name: ProfileName = "user-123".parse()?;
    /// assert_eq!(name.as_str(), "user-123");
    /// assert!("a b".parse::<ProfileName>().is_err());
    /// # Ok::<(), connectory::Problem>(())
    /// ```
    ProfileName, check
}

fn check(text: &str) -> Result<Box<str>, Problem> {
    const RULE: &str = "send 1 to 255 of A-Z a-z 0-9 . _ -";
    if !is_name(text) {
        let fault = match text.chars().find(|c| !is_name(c.encode_utf8(&mut [0; 4]))) {
            Some(c) => format!("has the character {c:?}"),
            None if text.is_empty() => "is empty".into(),
            None => format!("is {} characters long", text.len()),
        };
        return Err(Problem::value(format!("{} {fault}; {RULE}", quoted(text))));
    }
    let reads_as_id = text.len() == 24
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if reads_as_id {
        return Err(Problem::value(format!(
            "{} reads as an ID (24 of a-z 0-9); send a name of another length or with another character",
            quoted(text)
        )));
    }
    Ok(text.into())
}

/// A browser profile: created with its first connection, kept when its last one goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// How many connections it has.
    pub connections: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_and_the_lengths_are_held() {
        for good in ["a", "User.Name_1-2", &"x".repeat(255), &"a".repeat(23), &"A".repeat(24)] {
            assert_eq!(good.parse::<ProfileName>().unwrap().as_str(), good);
        }
        for (bad, message) in [
            ("", "is empty"),
            ("a b", "has the character ' '"),
            ("a/b", "has the character '/'"),
            ("ü", "has the character 'ü'"),
            (&"x".repeat(256), "is 256 characters long"),
            (&"a1".repeat(12), "reads as an ID"),
        ] {
            let problem = bad.parse::<ProfileName>().unwrap_err();
            assert!(problem.message.contains(message), "{bad}: {problem}");
        }
    }
}
