//! TLS towards the agent (a local authority and its leaf certificates) and towards the upstream
//! (verified always).

pub(crate) mod authority;
pub(crate) mod port;
pub(crate) mod roots;
