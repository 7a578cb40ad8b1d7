//! [`Credential`], a reference to where a login's secrets are kept. The secrets themselves never come here.

use crate::Problem;
use crate::error::quoted;
use crate::text::text_type;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

text_type! {
    /// A name or path within a credential reference: 1 to 1024 bytes.
    CredentialText, check
}

fn check(text: &str) -> Result<Box<str>, Problem> {
    if (1..=1024).contains(&text.len()) {
        return Ok(text.into());
    }
    let message = format!("{} is {} bytes long; send 1 to 1024 bytes", quoted(text), text.len());
    Err(Problem::value(message))
}

/// A reference to stored credentials, in exactly one of three forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// `{name}`: a credential kept beside the profiles.
    Name(CredentialText),
    /// `{provider, path}`: an item of an external provider.
    Path {
        /// The provider's name.
        provider: CredentialText,
        /// The item's path there, such as `Vault/Item`.
        path: CredentialText,
    },
    /// `{provider, auto: true}`: whatever the external provider has for the domain.
    Auto {
        /// The provider's name.
        provider: CredentialText,
    },
}

impl Serialize for Credential {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = if matches!(self, Self::Name(_)) { 1 } else { 2 };
        let mut object = serializer.serialize_struct("Credential", fields)?;
        match self {
            Self::Name(name) => object.serialize_field("name", name)?,
            Self::Path { provider, path } => {
                object.serialize_field("provider", provider)?;
                object.serialize_field("path", path)?;
            }
            Self::Auto { provider } => {
                object.serialize_field("provider", provider)?;
                object.serialize_field("auto", &true)?;
            }
        }
        object.end()
    }
}
