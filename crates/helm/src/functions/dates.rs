//! Times and durations: `now`, `date`, `toDate`, `duration…`.
//!
//! The local zone is UTC, wherever the render runs: the same chart gives the same manifests. `UTC`, `Local` and the empty name are
//! the zones that there are; another one is an error and not silently UTC.

use std::any::Any as AnyType;
use std::time::{SystemTime, UNIX_EPOCH};

use stagelink_gotemplate::{Object, Value};

use super::convert::parse_float;
use super::duration;
use super::entry::Type::{Any, Text, Time as Moment};
use super::entry::{Arguments, Entry, Outcome, Surroundings, pure, text, within};
use super::layout::Time;
use super::text::trim_space;
use super::unsupported::NOT_SUPPORTED;

const DATE: &[u8] = b"2006-01-02";
const SECOND: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Entry] = &[
    within("ago", &[Any], |around, call| {
        let now = now(around);
        let then = moment(call.any(0)).unwrap_or_else(|| now.clone());
        text(duration::format(duration::round(
            between(&then, &now),
            SECOND,
        )))
    }),
    within("date", &[Text, Any], |around, call| {
        text(shown(around, call.any(1), b"")?.format(call.text(0)?))
    }),
    within("dateInZone", &[Text, Any, Text], |around, call| {
        text(shown(around, call.any(1), call.text(2)?)?.format(call.text(0)?))
    }),
    pure("dateModify", &[Text, Moment], |call| {
        let time = time(call, 1)?;
        Ok(Value::object(duration::parse(call.text(0)?).map_or_else(
            |_| time.clone(),
            |change| moved(time, change),
        )))
    }),
    within("date_in_zone", &[Text, Any, Text], |around, call| {
        text(shown(around, call.any(1), call.text(2)?)?.format(call.text(0)?))
    }),
    pure("date_modify", &[Text, Moment], |call| {
        let time = time(call, 1)?;
        Ok(Value::object(duration::parse(call.text(0)?).map_or_else(
            |_| time.clone(),
            |change| moved(time, change),
        )))
    }),
    pure("duration", &[Any], |call| {
        let seconds = match call.any(0) {
            Value::Int64(seconds) => *seconds,
            Value::String(seconds) => super::convert::parse_int(seconds, 10).unwrap_or(0),
            _ => 0,
        };
        text(duration::format(seconds.wrapping_mul(SECOND)))
    }),
    pure("durationDays", &[Any], |call| {
        Ok(Value::Float(hours(call) / 24.0))
    }),
    pure("durationHours", &[Any], |call| {
        Ok(Value::Float(hours(call)))
    }),
    pure("durationMicroseconds", &[Any], |call| {
        Ok(Value::Int64(as_duration(call.any(0)).unwrap_or(0) / 1_000))
    }),
    pure("durationMilliseconds", &[Any], |call| {
        Ok(Value::Int64(
            as_duration(call.any(0)).unwrap_or(0) / 1_000_000,
        ))
    }),
    pure("durationMinutes", &[Any], |call| {
        Ok(Value::Float(split_units(call, 60 * SECOND)))
    }),
    pure("durationNanoseconds", &[Any], |call| {
        Ok(Value::Int64(as_duration(call.any(0)).unwrap_or(0)))
    }),
    within("durationRound", &[Any], |around, call| {
        let value = match call.any(0) {
            Value::String(value) => duration::parse(value).unwrap_or(0),
            Value::Int64(value) => *value,
            other => other
                .downcast::<Time>()
                .map_or(0, |then| between(then, &now(around))),
        };
        text(duration::largest_unit(value))
    }),
    pure("durationRoundTo", &[Any, Any], |call| {
        to_multiple(call, duration::round)
    }),
    pure("durationSeconds", &[Any], |call| {
        Ok(Value::Float(split_units(call, SECOND)))
    }),
    pure("durationTruncateTo", &[Any, Any], |call| {
        to_multiple(call, duration::truncate)
    }),
    pure("durationWeeks", &[Any], |call| {
        Ok(Value::Float(hours(call) / 24.0 / 7.0))
    }),
    within("htmlDate", &[Any], |around, call| {
        text(shown(around, call.any(0), b"")?.format(DATE))
    }),
    within("htmlDateInZone", &[Any, Text], |around, call| {
        text(shown(around, call.any(0), call.text(1)?)?.format(DATE))
    }),
    pure("mustDateModify", &[Text, Moment], |call| {
        Ok(Value::object(moved(
            time(call, 1)?,
            duration::parse(call.text(0)?)?,
        )))
    }),
    pure("mustToDate", &[Text, Text], |call| {
        Ok(Value::object(Time::parse(call.text(0)?, call.text(1)?)?))
    }),
    pure("mustToDuration", &[Any], |call| {
        Ok(Value::object(Duration(as_duration(call.any(0))?)))
    }),
    pure("must_date_modify", &[Text, Moment], |call| {
        Ok(Value::object(moved(
            time(call, 1)?,
            duration::parse(call.text(0)?)?,
        )))
    }),
    within("now", &[], |around, _| Ok(Value::object(now(around)))),
    pure("toDate", &[Text, Text], |call| {
        Ok(Value::object(
            Time::parse(call.text(0)?, call.text(1)?).unwrap_or_else(|_| Time::zero()),
        ))
    }),
    pure("unixEpoch", &[Moment], |call| {
        text(time(call, 0)?.seconds.to_string())
    }),
];

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

/// A moment in a zone; anything that is no moment is now.
fn shown(around: &Surroundings, value: &Value, zone: &[u8]) -> Result<Time, String> {
    if !matches!(zone, b"" | b"UTC" | b"Local") {
        let zone = String::from_utf8_lossy(zone);
        return Err(format!("the time zone {zone:?} {NOT_SUPPORTED}"));
    }
    let time = moment(value).unwrap_or_else(|| now(around));
    Ok(Time::utc(time.seconds, time.nanoseconds))
}

fn time<'a>(call: Arguments<'a>, index: usize) -> Result<&'a Time, String> {
    let value = call.any(index);
    value.downcast::<Time>().ok_or_else(|| {
        format!(
            "argument {} should be time.Time but is {}",
            index + 1,
            value.type_name()
        )
    })
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
fn as_duration(value: &Value) -> Result<i64, String> {
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
                    String::from_utf8_lossy(&super::convert::quoted(source))
                )),
            }
        }
        other => match other.downcast::<Duration>() {
            Some(Duration(value)) => Ok(*value),
            None => Err(format!("unsupported duration type {}", other.type_name())),
        },
    }
}

fn from_seconds(seconds: f64) -> Result<i64, String> {
    let shown =
        || String::from_utf8_lossy(&super::convert::printed(&Value::Float(seconds))).into_owned();
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", shown()));
    }
    if seconds.abs() > 9_223_372_036.854_775 {
        return Err(format!("duration seconds overflow: {}", shown()));
    }
    Ok((seconds * SECOND as f64) as i64)
}

/// The duration in a unit, computed as Go does: whole units and the rest apart. What is no duration is 0.
fn split_units(call: Arguments<'_>, unit: i64) -> f64 {
    let value = as_duration(call.any(0)).unwrap_or(0);
    (value / unit) as f64 + (value % unit) as f64 / unit as f64
}

fn hours(call: Arguments<'_>) -> f64 {
    split_units(call, 3600 * SECOND)
}

fn to_multiple(call: Arguments<'_>, operation: fn(i64, i64) -> i64) -> Outcome {
    let value = as_duration(call.any(0)).map_or(0, |value| {
        as_duration(call.any(1)).map_or(value, |unit| operation(value, unit))
    });
    Ok(Value::object(Duration(value)))
}

/// A `time.Duration` in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Duration(i64);

impl Object for Duration {
    fn type_name(&self) -> &str {
        "time.Duration"
    }

    fn as_any(&self) -> &dyn AnyType {
        self
    }

    fn kind(&self) -> stagelink_gotemplate::Kind {
        stagelink_gotemplate::Kind::Int64
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

    fn call(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        let value = Value::object(*self);
        let arguments = [value];
        let call = Arguments(&arguments);
        Some(Ok(match name {
            "Seconds" => Value::Float(split_units(call, SECOND)),
            "Minutes" => Value::Float(split_units(call, 60 * SECOND)),
            "Hours" => Value::Float(hours(call)),
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

    fn as_any(&self) -> &dyn AnyType {
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

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let number = |layout: &[u8]| {
            let digits = self.format(layout);
            Value::Int(super::convert::parse_int(&digits, 10).unwrap_or(0))
        };
        Some(Ok(match name {
            "Format" => match Arguments(arguments).text(0) {
                Ok(layout) => Value::string(self.format(layout)),
                Err(fault) => return Some(Err(fault)),
            },
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
