//! What templates see besides their functions: `Release`, `Chart`, `Values`, `Files`, `Capabilities`, `Template`, `Subcharts`.

pub(crate) mod capabilities;
pub(crate) mod files;
pub(crate) mod glob;
pub(crate) mod scope;

use stagelink_gotemplate::{MapKind, Value};

use crate::functions::layout::Time;
use capabilities::{ApiVersions, CapabilitiesObject, HelmVersion, KubeVersion};
use files::Files;

/// Type of `.Values` and `.Template`.
pub(crate) const VALUES: MapKind = MapKind::Named("common.Values");

/// A host object as the maps, lists and texts that JSON has for it.
pub(crate) fn plain_value(value: &Value) -> Option<Value> {
    if let Some(object) = value.downcast::<CapabilitiesObject>() {
        return Some(object.plain());
    }
    if let Some(object) = value.downcast::<KubeVersion>() {
        return Some(object.plain());
    }
    if let Some(object) = value.downcast::<ApiVersions>() {
        return Some(object.plain());
    }
    if let Some(object) = value.downcast::<HelmVersion>() {
        return Some(object.plain());
    }
    if let Some(object) = value.downcast::<Files>() {
        return Some(object.plain());
    }
    value
        .downcast::<Time>()
        .map(|time| Value::string(time.format(b"2006-01-02T15:04:05.999999999Z07:00")))
}
