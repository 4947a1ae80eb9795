//! Numbers: integer and decimal arithmetic, conversions, rounding and sequences.

use stagelink_gotemplate::{FunctionError, FunctionTable, GoString, List, ListKind, Rest, Value};

use super::convert::{parse_int, printed, to_float64, to_int64};
use super::decimal::Decimal;
use super::shared::check_items;

/// Most digits of an intermediate result; a product of many factors grows with each.
const MAXIMUM_DIGITS: u64 = 10_000;

/// What these functions give.
type Result<T> = std::result::Result<T, FunctionError>;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("add", |values: Rest<Value>| {
        Value::Int64(values.0.iter().map(to_int64).fold(0, i64::wrapping_add))
    });
    table.add("add1", |value: Value| {
        Value::Int64(to_int64(&value).wrapping_add(1))
    });
    table.add("add1f", |value: Value| {
        decimals(&value, &[Value::Int(1)], |left, right| Ok(left.add(right)))
    });
    table.add("addf", |values: Rest<Value>| {
        decimals(&Value::Float(0.0), &values.0, |left, right| {
            Ok(left.add(right))
        })
    });
    table.add("atoi", |text: GoString| parse_int(&text, 10).unwrap_or(0));
    for name in ["biggest", "max"] {
        table.add(name, |first: Value, others: Rest<Value>| {
            extreme(&first, &others.0, i64::max)
        });
    }
    table.add("ceil", |value: Value| to_float64(&value).ceil());
    table.add("div", |left: Value, right: Value| {
        divide(&left, &right, i64::wrapping_div)
    });
    table.add("divf", |first: Value, others: Rest<Value>| {
        decimals(&first, &others.0, Decimal::div)
    });
    table.add("float64", |value: Value| to_float64(&value));
    table.add("floor", |value: Value| to_float64(&value).floor());
    table.add("int", |value: Value| to_int64(&value));
    table.add("int64", |value: Value| Value::Int64(to_int64(&value)));
    table.add("maxf", |first: Value, others: Rest<Value>| {
        extreme_float(&first, &others.0, |left, right| left > right)
    });
    table.add("min", |first: Value, others: Rest<Value>| {
        extreme(&first, &others.0, i64::min)
    });
    table.add("minf", |first: Value, others: Rest<Value>| {
        extreme_float(&first, &others.0, |left, right| left < right)
    });
    table.add("mod", |left: Value, right: Value| {
        divide(&left, &right, i64::wrapping_rem)
    });
    table.add("mul", |first: Value, others: Rest<Value>| {
        Value::Int64(
            others
                .0
                .iter()
                .map(to_int64)
                .fold(to_int64(&first), i64::wrapping_mul),
        )
    });
    table.add("mulf", |first: Value, others: Rest<Value>| {
        decimals(&first, &others.0, |left, right| Ok(left.mul(right)))
    });
    table.add("round", round);
    table.add("seq", seq);
    table.add("sub", |left: Value, right: Value| {
        Value::Int64(to_int64(&left).wrapping_sub(to_int64(&right)))
    });
    table.add("subf", |first: Value, others: Rest<Value>| {
        decimals(&first, &others.0, |left, right| Ok(left.sub(right)))
    });
    table.add("toDecimal", |value: Value| {
        Value::Int64(parse_int(&printed(&value), 8).unwrap_or(0))
    });
    table.add("until", |count: i64| {
        steps(0, count, if count < 0 { -1 } else { 1 }).map(integers)
    });
    table.add("untilStep", |start: i64, stop: i64, step: i64| {
        steps(start, stop, step).map(integers)
    });
}

fn divide(left: &Value, right: &Value, operation: fn(i64, i64) -> i64) -> Result<Value> {
    match to_int64(right) {
        0 => Err("runtime error: integer divide by zero".into()),
        divisor => Ok(Value::Int64(operation(to_int64(left), divisor))),
    }
}

fn extreme(first: &Value, others: &[Value], choose: fn(i64, i64) -> i64) -> Value {
    Value::Int64(others.iter().map(to_int64).fold(to_int64(first), choose))
}

fn extreme_float(first: &Value, others: &[Value], better: fn(f64, f64) -> bool) -> f64 {
    others
        .iter()
        .map(to_float64)
        .fold(to_float64(first), |best, next| {
            // As `math.Max`: NaN wins over everything.
            if best.is_nan() || next.is_nan() {
                f64::NAN
            } else if better(next, best) {
                next
            } else {
                best
            }
        })
}

fn decimals(
    first: &Value,
    others: &[Value],
    operation: impl Fn(&Decimal, &Decimal) -> std::result::Result<Decimal, String>,
) -> Result<f64> {
    let mut result = Decimal::from_f64(to_float64(first))?;
    for operand in others {
        result = operation(&result, &Decimal::from_f64(to_float64(operand))?)?;
        if result.size() > MAXIMUM_DIGITS {
            return Err(FunctionError::Limit(format!(
                "a number has more than the {MAXIMUM_DIGITS} digits that are allowed"
            )));
        }
    }
    Ok(result.to_f64())
}

fn round(value: Value, places: i64, threshold: Rest<f64>) -> f64 {
    let threshold = threshold.0.first().copied().unwrap_or(0.5);
    let power = 10_f64.powf(places as f64);
    let digit = power * to_float64(&value);
    let rounded = if digit.fract() >= threshold {
        digit.ceil()
    } else {
        digit.floor()
    };
    rounded / power
}

fn integers(numbers: Vec<i64>) -> List {
    List::with_kind(numbers.into_iter().map(Value::Int).collect(), ListKind::Int)
}

/// Numbers from `start` towards `stop` (not included); none when `step` leads away from it.
fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    let away = if stop < start { step >= 0 } else { step <= 0 };
    if away || start == stop {
        return Ok(Vec::new());
    }
    check_items(start.abs_diff(stop).div_ceil(step.unsigned_abs()))?;
    let inside = |number: &i64| {
        if step > 0 {
            *number < stop
        } else {
            *number > stop
        }
    };
    Ok(
        std::iter::successors(Some(start), |number| number.checked_add(step))
            .take_while(inside)
            .collect(),
    )
}

fn seq(bounds: Rest<i64>) -> Result<String> {
    let numbers = match *bounds.0.as_slice() {
        [end] => {
            let increment = if end < 1 { -1 } else { 1 };
            steps(1, end.saturating_add(increment), increment)?
        }
        [start, end] => {
            let step = if end < start { -1 } else { 1 };
            steps(start, end.saturating_add(step), step)?
        }
        [start, step, end] if end >= start || step <= 0 => steps(
            start,
            end.saturating_add(if end < start { -1 } else { 1 }),
            step,
        )?,
        _ => Vec::new(),
    };
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(texts.join(" "))
}
