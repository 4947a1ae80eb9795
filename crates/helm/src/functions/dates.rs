//! Times and durations: `now`, `date`, `toDate`, `duration…`.
//!
//! The local zone is UTC, wherever the render runs: the same chart gives the same manifests. `UTC`, `Local` and the empty name are
//! the zones that there are; another one is an error and not silently UTC.

use std::any::Any;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use stagelink_gotemplate::{
    FunctionError, FunctionTable, GoString, Kind, Object, Parameter, Value,
};

use super::convert::{parse_float, parse_int, printed, quoted};
use super::duration;
use super::layout::Time;
use super::shared::Surroundings;
use super::text::trim_space;
use super::unsupported::NOT_SUPPORTED;

const DATE: &[u8] = b"2006-01-02";
const SECOND: i64 = 1_000_000_000;

/// What these functions give.
type Result<T> = std::result::Result<T, FunctionError>;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable, surroundings: &Rc<Surroundings>) {
    let here = || Rc::clone(surroundings);
    let around = here();
    table.add("ago", move |time: Value| {
        let now = now(&around);
        let then = moment(&time).unwrap_or_else(|| now.clone());
        duration::format(duration::round(between(&then, &now), SECOND))
    });
    let around = here();
    table.add("date", move |layout: GoString, time: Value| {
        shown(&around, &layout, &time, b"")
    });
    for name in ["dateInZone", "date_in_zone"] {
        let around = here();
        table.add(
            name,
            move |layout: GoString, time: Value, zone: GoString| {
                shown(&around, &layout, &time, &zone)
            },
        );
    }
    for name in ["dateModify", "date_modify"] {
        table.add(name, |change: GoString, time: Value| {
            let time = known(&time)?;
            Ok::<_, FunctionError>(Value::object(
                duration::parse(&change)
                    .map_or_else(|_| time.clone(), |change| moved(time, change)),
            ))
        });
    }
    for name in ["mustDateModify", "must_date_modify"] {
        table.add(name, |change: GoString, time: Value| {
            Ok::<_, FunctionError>(Value::object(moved(
                known(&time)?,
                duration::parse(&change)?,
            )))
        });
    }
    let around = here();
    table.add("htmlDate", move |time: Value| {
        shown(&around, DATE, &time, b"")
    });
    let around = here();
    table.add("htmlDateInZone", move |time: Value, zone: GoString| {
        shown(&around, DATE, &time, &zone)
    });
    table.add("mustToDate", |layout: GoString, text: GoString| {
        Time::parse(&layout, &text).map(Value::object)
    });
    let around = here();
    table.add("now", move || Value::object(now(&around)));
    table.add("toDate", |layout: GoString, text: GoString| {
        Value::object(Time::parse(&layout, &text).unwrap_or_else(|_| Time::zero()))
    });
    table.add("unixEpoch", |time: Value| {
        Ok::<_, FunctionError>(known(&time)?.seconds.to_string())
    });
    register_durations(table, here());
}

fn register_durations(table: &mut FunctionTable, surroundings: Rc<Surroundings>) {
    table.add("duration", |seconds: Value| {
        let seconds = match seconds {
            Value::Int64(seconds) => seconds,
            Value::String(seconds) => parse_int(&seconds, 10).unwrap_or(0),
            _ => 0,
        };
        duration::format(seconds.wrapping_mul(SECOND))
    });
    table.add("durationRound", move |value: Value| {
        let nanoseconds = match &value {
            Value::String(text) => duration::parse(text).unwrap_or(0),
            Value::Int64(nanoseconds) => *nanoseconds,
            other => other
                .downcast::<Time>()
                .map_or(0, |then| between(then, &now(&surroundings))),
        };
        duration::largest_unit(nanoseconds)
    });
    table.add("mustToDuration", |value: Value| {
        as_duration(&value).map(|nanoseconds| Value::object(Duration(nanoseconds)))
    });
    // What is no duration counts as none.
    let length = |value: &Value| Duration(as_duration(value).unwrap_or(0));
    table.add("durationDays", move |value: Value| {
        length(&value).hours() / 24.0
    });
    table.add("durationHours", move |value: Value| length(&value).hours());
    table.add("durationMicroseconds", move |value: Value| {
        Value::Int64(length(&value).0 / 1_000)
    });
    table.add("durationMilliseconds", move |value: Value| {
        Value::Int64(length(&value).0 / 1_000_000)
    });
    table.add("durationMinutes", move |value: Value| {
        length(&value).in_units(60 * SECOND)
    });
    table.add("durationNanoseconds", move |value: Value| {
        Value::Int64(length(&value).0)
    });
    table.add("durationSeconds", move |value: Value| {
        length(&value).in_units(SECOND)
    });
    table.add("durationWeeks", move |value: Value| {
        length(&value).hours() / 24.0 / 7.0
    });
    table.add("durationRoundTo", |value: Value, unit: Value| {
        to_multiple(&value, &unit, duration::round)
    });
    table.add("durationTruncateTo", |value: Value, unit: Value| {
        to_multiple(&value, &unit, duration::truncate)
    });
}

/// The clock; the only place where a render looks at it.
fn now(around: &Surroundings) -> Time {
    around.clock_was_read.set(true);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time::utc(
        i64::try_from(since.as_secs()).unwrap_or(0),
        since.subsec_nanos(),
    )
}

/// A time, or seconds since 1970.
fn moment(value: &Value) -> Option<Time> {
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Some(Time::utc(*seconds, 0)),
        other => other.downcast::<Time>().cloned(),
    }
}

/// A moment in a zone, in a layout; anything that is no moment is now.
fn shown(around: &Surroundings, layout: &[u8], value: &Value, zone: &[u8]) -> Result<GoString> {
    if !matches!(zone, b"" | b"UTC" | b"Local") {
        let zone = String::from_utf8_lossy(zone);
        return Err(format!("the time zone {zone:?} {NOT_SUPPORTED}").into());
    }
    let time = moment(value).unwrap_or_else(|| now(around));
    Ok(Time::utc(time.seconds, time.nanoseconds)
        .format(layout)
        .into())
}

/// A value that has to be a time.
fn known(value: &Value) -> Result<&Time> {
    let found = value.type_name();
    value
        .downcast::<Time>()
        .ok_or_else(|| format!("wrong type for value; expected time.Time; got {found}").into())
}

fn moved(time: &Time, change: i64) -> Time {
    let nanoseconds = i64::from(time.nanoseconds) + change.rem_euclid(SECOND);
    let seconds = time
        .seconds
        .saturating_add(change.div_euclid(SECOND))
        .saturating_add(nanoseconds / SECOND);
    Time {
        seconds,
        nanoseconds: (nanoseconds % SECOND) as u32,
        ..time.clone()
    }
}

/// Nanoseconds from one moment to another.
fn between(from: &Time, to: &Time) -> i64 {
    let seconds = to.seconds.saturating_sub(from.seconds);
    seconds
        .saturating_mul(SECOND)
        .saturating_add(i64::from(to.nanoseconds) - i64::from(from.nanoseconds))
}

/// Helm's reading of a duration: a duration, a text, or a number of seconds.
fn as_duration(value: &Value) -> std::result::Result<i64, String> {
    let whole = |seconds: i64| {
        seconds
            .checked_mul(SECOND)
            .ok_or_else(|| format!("duration seconds overflow: {seconds}"))
    };
    match value {
        Value::Nil => Err("invalid duration".to_owned()),
        Value::Int(seconds) | Value::Int64(seconds) => whole(*seconds),
        Value::Uint64(seconds) => i64::try_from(*seconds)
            .map_err(|_| format!("duration seconds overflow: {seconds}"))
            .and_then(whole),
        Value::Float(seconds) => from_seconds(*seconds),
        Value::String(source) => {
            let trimmed = trim_space(source);
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            match (duration::parse(trimmed), parse_float(trimmed)) {
                (Ok(value), _) => Ok(value),
                (Err(_), Some(seconds)) => from_seconds(seconds),
                (Err(_), None) => Err(format!(
                    "could not parse duration {}",
                    String::from_utf8_lossy(&quoted(source))
                )),
            }
        }
        other => match other.downcast::<Duration>() {
            Some(Duration(value)) => Ok(*value),
            None => Err(format!("unsupported duration type {}", other.type_name())),
        },
    }
}

fn from_seconds(seconds: f64) -> std::result::Result<i64, String> {
    let shown = || String::from_utf8_lossy(&printed(&Value::Float(seconds))).into_owned();
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", shown()));
    }
    if seconds.abs() > 9_223_372_036.854_775 {
        return Err(format!("duration seconds overflow: {}", shown()));
    }
    Ok((seconds * SECOND as f64) as i64)
}

fn to_multiple(value: &Value, unit: &Value, operation: fn(i64, i64) -> i64) -> Value {
    let nanoseconds = as_duration(value).map_or(0, |value| {
        as_duration(unit).map_or(value, |unit| operation(value, unit))
    });
    Value::object(Duration(nanoseconds))
}

/// A `time.Duration` in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Duration(i64);

impl Duration {
    /// In a unit, computed as Go does: whole units and the rest apart.
    fn in_units(self, unit: i64) -> f64 {
        (self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64
    }

    fn hours(self) -> f64 {
        self.in_units(3600 * SECOND)
    }
}

impl Object for Duration {
    fn type_name(&self) -> &str {
        "time.Duration"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Int64
    }

    fn has_method(&self, name: &str) -> bool {
        matches!(
            name,
            "Seconds"
                | "Minutes"
                | "Hours"
                | "Milliseconds"
                | "Microseconds"
                | "Nanoseconds"
                | "String"
        )
    }

    fn call(&self, name: &str, _: &[Value]) -> Option<std::result::Result<Value, String>> {
        Some(Ok(match name {
            "Seconds" => Value::Float(self.in_units(SECOND)),
            "Minutes" => Value::Float(self.in_units(60 * SECOND)),
            "Hours" => Value::Float(self.hours()),
            "Milliseconds" => Value::Int64(self.0 / 1_000_000),
            "Microseconds" => Value::Int64(self.0 / 1_000),
            "Nanoseconds" => Value::Int64(self.0),
            "String" => Value::from(duration::format(self.0)),
            _ => return None,
        }))
    }

    fn print(&self, verb: char) -> Vec<u8> {
        if verb == 'd' {
            self.0.to_string().into_bytes()
        } else {
            duration::format(self.0).into_bytes()
        }
    }

    fn is_true(&self) -> bool {
        self.0 != 0
    }

    fn is_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }
}

impl Object for Time {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn has_method(&self, name: &str) -> bool {
        matches!(
            name,
            "Format"
                | "Unix"
                | "UnixNano"
                | "UnixMilli"
                | "Year"
                | "Day"
                | "Hour"
                | "Minute"
                | "Second"
                | "UTC"
                | "String"
                | "IsZero"
        )
    }

    fn parameters(&self, name: &str) -> Option<&'static [Parameter]> {
        Some(if name == "Format" {
            &[Parameter::String]
        } else {
            &[]
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<std::result::Result<Value, String>> {
        let number = |layout: &[u8]| {
            let digits = self.format(layout);
            Value::Int(parse_int(&digits, 10).unwrap_or(0))
        };
        Some(Ok(match name {
            "Format" => Value::string(self.format(arguments.first()?.as_string()?)),
            "Unix" => Value::Int64(self.seconds),
            "UnixMilli" => Value::Int64(
                self.seconds.wrapping_mul(1000) + i64::from(self.nanoseconds / 1_000_000),
            ),
            "UnixNano" => Value::Int64(
                self.seconds
                    .wrapping_mul(SECOND)
                    .wrapping_add(i64::from(self.nanoseconds)),
            ),
            "Year" => number(b"2006"),
            "Day" => number(b"02"),
            "Hour" => number(b"15"),
            "Minute" => number(b"04"),
            "Second" => number(b"05"),
            "UTC" => Value::object(Self::utc(self.seconds, self.nanoseconds)),
            "IsZero" => Value::Bool(self.seconds == Self::zero().seconds && self.nanoseconds == 0),
            "String" => Value::from(self.to_text()),
            _ => return None,
        }))
    }

    fn print(&self, _: char) -> Vec<u8> {
        self.to_text().into_bytes()
    }

    fn is_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }
}
