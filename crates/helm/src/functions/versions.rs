//! Versions: `semver` and `semverCompare`.

use std::any::Any as AnyType;

use stagelink_gotemplate::{FunctionTable, GoString, Kind, Object, Value};

use crate::semver::{Constraints, Version};

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("semver", |version: GoString| {
        parse(&version).map(|version| Value::object(VersionObject(version)))
    });
    table.add("semverCompare", |range: GoString, version: GoString| {
        let range = Constraints::parse(&range.to_str_lossy()).map_err(|error| error.to_string())?;
        Ok::<_, String>(range.check(&parse(&version)?))
    });
}

fn parse(text: &[u8]) -> Result<Version, String> {
    Version::parse(&String::from_utf8_lossy(text)).map_err(|error| error.to_string())
}

/// A version with the methods that it has in Go.
#[derive(Clone, Debug)]
struct VersionObject(Version);

impl VersionObject {
    /// The next version: what comes after the raised number is reset.
    fn raised(&self, method: &str) -> Version {
        let mut next = self.0.clone();
        match method {
            "IncMajor" => {
                (next.major, next.minor, next.patch) = (next.major.saturating_add(1), 0, 0)
            }
            "IncMinor" => (next.minor, next.patch) = (next.minor.saturating_add(1), 0),
            // The release of a pre-release is the next patch.
            _ if next.prerelease.is_empty() => next.patch = next.patch.saturating_add(1),
            _ => {}
        }
        next.prerelease.clear();
        next.metadata.clear();
        let prefix = if self.0.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        next.original = format!("{prefix}{next}");
        next
    }
}

impl Object for VersionObject {
    fn type_name(&self) -> &str {
        "*semver.Version"
    }

    fn as_any(&self) -> &dyn AnyType {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn has_method(&self, name: &str) -> bool {
        matches!(
            name,
            "Major"
                | "Minor"
                | "Patch"
                | "Prerelease"
                | "Metadata"
                | "Original"
                | "String"
                | "Compare"
                | "Equal"
                | "GreaterThan"
                | "GreaterThanEqual"
                | "LessThan"
                | "LessThanEqual"
                | "IncMajor"
                | "IncMinor"
                | "IncPatch"
        )
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let version = &self.0;
        let text = |text: &str| Value::from(text);
        if matches!(
            name,
            "Compare" | "Equal" | "GreaterThan" | "GreaterThanEqual" | "LessThan" | "LessThanEqual"
        ) {
            let Some(Self(other)) = arguments.first().and_then(Value::downcast) else {
                return Some(Err(format!("{name} wants a version")));
            };
            let order = version.cmp(other);
            return Some(Ok(match name {
                "Compare" => Value::Int(order as i64),
                "Equal" => Value::Bool(order.is_eq()),
                "GreaterThan" => Value::Bool(order.is_gt()),
                "GreaterThanEqual" => Value::Bool(order.is_ge()),
                "LessThan" => Value::Bool(order.is_lt()),
                _ => Value::Bool(order.is_le()),
            }));
        }
        Some(Ok(match name {
            "Major" => Value::Uint64(version.major),
            "Minor" => Value::Uint64(version.minor),
            "Patch" => Value::Uint64(version.patch),
            "Prerelease" => text(&version.prerelease),
            "Metadata" => text(&version.metadata),
            "Original" => text(&version.original),
            "String" => text(&version.to_string()),
            "IncMajor" | "IncMinor" | "IncPatch" => Value::object(Self(self.raised(name))),
            _ => return None,
        }))
    }

    fn print(&self, _: char) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
}
