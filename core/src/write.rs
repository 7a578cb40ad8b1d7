//! [`Write`], a write as a value.

use crate::engine::{Op, Written};
use crate::live::mismatched;
use crate::{
    ConnectionId, CreateOptions, Creation, Error, NewConnection, Observation, Patch, ProfileName,
    ProxyId, ProxyName,
};

/// A write as a value, to be done by [`Store::write`](crate::Store::write), or with others in one commit by
/// [`Store::write_many`](crate::Store::write_many).
///
/// ```
/// use connectory::{CreateOptions, NewConnection, Store, Write};
///
/// let store = Store::in_memory()?;
/// let pair = || -> Result<_, connectory::Problem> {
///     Ok(NewConnection::new("netflix.com".parse()?, "user-123".parse()?))
/// };
/// let create = || Ok::<_, connectory::Problem>(Write::create(pair()?, CreateOptions::default()));
///
/// assert!(store.peek(&create()?)?.is_none());
/// let answers = store.write_many([create()?, create()?]);
/// let outcomes = answers.into_iter().map(|answer| Ok(answer?.into_creation()?.outcome()));
/// assert_eq!(outcomes.collect::<Result<Vec<_>, connectory::Error>>()?, ["created", "conflict"]);
/// assert!(store.peek(&create()?)?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Write(pub(crate) Op);

impl Write {
    /// As [`Store::create_with`](crate::Store::create_with).
    pub fn create(request: NewConnection, options: CreateOptions) -> Self {
        Self(Op::Create(Box::new(options.create(request))))
    }

    /// As [`Store::update`](crate::Store::update).
    pub fn update(id: ConnectionId, patch: Patch) -> Self {
        Self(Op::Update(id, Box::new(patch)))
    }

    /// As [`Store::record`](crate::Store::record).
    pub fn record(id: ConnectionId, seen: Observation) -> Self {
        Self(Op::Record(id, Box::new(seen)))
    }

    /// As [`Store::delete`](crate::Store::delete).
    pub fn delete(id: ConnectionId) -> Self {
        Self(Op::Delete(id))
    }

    /// As [`Store::delete_profile`](crate::Store::delete_profile).
    pub fn delete_profile(name: ProfileName) -> Self {
        Self(Op::DeleteProfile(name))
    }

    /// As [`Store::register_proxy`](crate::Store::register_proxy).
    pub fn register_proxy(id: ProxyId, name: Option<ProxyName>) -> Self {
        Self(Op::RegisterProxy(id, name))
    }

    /// As [`Store::remove_proxy`](crate::Store::remove_proxy).
    pub fn remove_proxy(id: ProxyId) -> Self {
        Self(Op::RemoveProxy(id))
    }
}

impl Written {
    /// The answer to a create.
    ///
    /// # Errors
    ///
    /// [`StoreError::Internal`](crate::StoreError::Internal) for the answer to something else; no store gives that.
    pub fn into_creation(self) -> Result<Creation, Error> {
        match self {
            Self::Creation(creation) => Ok(*creation),
            _ => Err(mismatched()),
        }
    }
}
