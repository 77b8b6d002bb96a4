//! Who sent a request, for the handlers below [`Door::guard`](super::Door::guard).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::answer::text;
use crate::control::Access;
use crate::stream::Client;

/// Where the client reaches us, among the extensions of a request: scheme and host, as it named it.
#[derive(Clone, Debug)]
pub(super) struct Base(pub(super) String);

/// Who sent a request, and what is needed to answer it.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    access: Access,
    pub(crate) client: Arc<Client>,
    /// What stands before paths in URLs that the client is given.
    pub(crate) base: String,
}

impl Asker {
    /// Whether its password allows to change something.
    pub(crate) fn may_change(&self) -> bool {
        self.access == Access::Full
    }

    /// The answer to one who may only read, and wants to change something.
    pub(crate) fn refused(&self) -> Option<Response> {
        read_only(self.access)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let extensions = &parts.extensions;
        let access = extensions.get::<Access>().copied();
        let client = extensions.get::<Arc<Client>>().cloned();
        let base = extensions.get::<Base>().cloned();
        match (access, client, base) {
            (Some(access), Some(client), Some(Base(base))) => Ok(Self {
                access,
                client,
                base,
            }),
            // A route that is not guarded.
            _ => Err(text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "it is not known who asks",
            )),
        }
    }
}

/// The answer to one who may only read, and wants to change something.
pub(crate) fn read_only(access: Access) -> Option<Response> {
    let refused = || text(StatusCode::FORBIDDEN, "this password may only read");
    (access != Access::Full).then(refused)
}
