//! Reading as Kubernetes does: a `null` field is an absent one.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A field whose `null` means its default.
pub(crate) fn or_default<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A list whose `null` items are left out, as in charts that render an empty value into a list.
/// Validation reports them; the API server refuses them.
pub(crate) fn list<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let items = Option::<Vec<Option<T>>>::deserialize(from)?.unwrap_or_default();
    Ok(items.into_iter().flatten().collect())
}

/// A map of texts whose `null` values are left out.
pub(crate) fn texts<'de, D>(from: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let entries =
        Option::<BTreeMap<String, Option<String>>>::deserialize(from)?.unwrap_or_default();
    Ok(entries
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect())
}
