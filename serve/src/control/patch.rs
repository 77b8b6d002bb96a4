//! Changes of settings and torrents: what is missing stays, and null is a value like any other.

use serde::{Deserialize, Deserializer};

/// Makes a struct of changes: each field may be missing, which is not the same as null.
macro_rules! patch {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(
                    deserialize_with = "crate::control::patch::present",
                    skip_serializing_if = "Option::is_none"
                )]
                #[schema(value_type = $type, required = false)]
                pub $field: Option<$type>,
            )*
        }
    };
}

pub(super) use patch;

/// A field that is there, with null as a value where its type has it.
pub(super) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
