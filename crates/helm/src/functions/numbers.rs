//! Numbers: integer and decimal arithmetic, conversions, rounding and sequences.

use stagelink_gotemplate::{FunctionError, List, ListKind, Value};

use super::convert::{parse_int, printed, to_float64, to_int64};
use super::decimal::Decimal;
use super::entry::Type::{Any, Float, Int, Text};
use super::entry::{Arguments, Entry, Outcome, check_items, pure, text, variadic};

/// Most digits of an intermediate result; a product of many factors grows with each.
const MAXIMUM_DIGITS: u64 = 10_000;

pub(super) const FUNCTIONS: &[Entry] = &[
    variadic("add", &[], Any, |call| {
        Ok(Value::Int64(
            call.rest(0).iter().map(to_int64).fold(0, i64::wrapping_add),
        ))
    }),
    pure("add1", &[Any], |call| {
        Ok(Value::Int64(to_int64(call.any(0)).wrapping_add(1)))
    }),
    pure("add1f", &[Any], |call| {
        decimals(call.any(0), &[Value::Int(1)], |left, right| {
            Ok(left.add(right))
        })
    }),
    variadic("addf", &[], Any, |call| {
        decimals(&Value::Float(0.0), call.rest(0), |left, right| {
            Ok(left.add(right))
        })
    }),
    pure("atoi", &[Text], |call| {
        Ok(Value::Int(parse_int(call.text(0)?, 10).unwrap_or(0)))
    }),
    variadic("biggest", &[Any], Any, |call| extreme(call, i64::max)),
    pure("ceil", &[Any], |call| {
        Ok(Value::Float(to_float64(call.any(0)).ceil()))
    }),
    pure("div", &[Any, Any], |call| divide(call, i64::wrapping_div)),
    variadic("divf", &[Any], Any, |call| {
        decimals(call.any(0), call.rest(1), Decimal::div)
    }),
    pure("float64", &[Any], |call| {
        Ok(Value::Float(to_float64(call.any(0))))
    }),
    pure("floor", &[Any], |call| {
        Ok(Value::Float(to_float64(call.any(0)).floor()))
    }),
    pure("int", &[Any], |call| Ok(Value::Int(to_int64(call.any(0))))),
    pure("int64", &[Any], |call| {
        Ok(Value::Int64(to_int64(call.any(0))))
    }),
    variadic("max", &[Any], Any, |call| extreme(call, i64::max)),
    variadic("maxf", &[Any], Any, |call| {
        extreme_float(call, |left, right| left > right)
    }),
    variadic("min", &[Any], Any, |call| extreme(call, i64::min)),
    variadic("minf", &[Any], Any, |call| {
        extreme_float(call, |left, right| left < right)
    }),
    pure("mod", &[Any, Any], |call| divide(call, i64::wrapping_rem)),
    variadic("mul", &[Any], Any, |call| {
        Ok(Value::Int64(
            call.rest(0).iter().map(to_int64).fold(1, i64::wrapping_mul),
        ))
    }),
    variadic("mulf", &[Any], Any, |call| {
        decimals(call.any(0), call.rest(1), |left, right| Ok(left.mul(right)))
    }),
    variadic("round", &[Any, Int], Float, round),
    variadic("seq", &[], Int, seq),
    pure("sub", &[Any, Any], |call| {
        Ok(Value::Int64(
            to_int64(call.any(0)).wrapping_sub(to_int64(call.any(1))),
        ))
    }),
    variadic("subf", &[Any], Any, |call| {
        decimals(call.any(0), call.rest(1), |left, right| Ok(left.sub(right)))
    }),
    pure("toDecimal", &[Any], |call| {
        Ok(Value::Int64(
            parse_int(&printed(call.any(0)), 8).unwrap_or(0),
        ))
    }),
    pure("until", &[Int], until),
    pure("untilStep", &[Int, Int, Int], |call| {
        integers(steps(call.int(0)?, call.int(1)?, call.int(2)?)?)
    }),
];

fn divide(call: Arguments<'_>, operation: fn(i64, i64) -> i64) -> Outcome {
    match to_int64(call.any(1)) {
        0 => Err("runtime error: integer divide by zero".into()),
        divisor => Ok(Value::Int64(operation(to_int64(call.any(0)), divisor))),
    }
}

fn extreme(call: Arguments<'_>, choose: fn(i64, i64) -> i64) -> Outcome {
    let first = to_int64(call.any(0));
    Ok(Value::Int64(
        call.rest(1).iter().map(to_int64).fold(first, choose),
    ))
}

fn extreme_float(call: Arguments<'_>, better: fn(f64, f64) -> bool) -> Outcome {
    let first = to_float64(call.any(0));
    let chosen = call
        .rest(1)
        .iter()
        .map(to_float64)
        .fold(first, |best, next| {
            // As `math.Max`: NaN wins over everything.
            if best.is_nan() || next.is_nan() {
                f64::NAN
            } else if better(next, best) {
                next
            } else {
                best
            }
        });
    Ok(Value::Float(chosen))
}

fn decimals(
    first: &Value,
    rest: &[Value],
    operation: impl Fn(&Decimal, &Decimal) -> Result<Decimal, String>,
) -> Outcome {
    let mut result = Decimal::from_f64(to_float64(first))?;
    for operand in rest {
        result = operation(&result, &Decimal::from_f64(to_float64(operand))?)?;
        if result.size() > MAXIMUM_DIGITS {
            return Err(FunctionError::Limit(format!(
                "a number has more than the {MAXIMUM_DIGITS} digits that are allowed"
            )));
        }
    }
    Ok(Value::Float(result.to_f64()))
}

fn round(call: Arguments<'_>) -> Outcome {
    let threshold = call.rest(2).first().map_or(0.5, to_float64);
    let power = 10_f64.powf(call.int(1)? as f64);
    let digit = power * to_float64(call.any(0));
    let rounded = if digit.fract() >= threshold {
        digit.ceil()
    } else {
        digit.floor()
    };
    Ok(Value::Float(rounded / power))
}

fn integers(numbers: Vec<i64>) -> Outcome {
    Ok(Value::List(List::with_kind(
        numbers.into_iter().map(Value::Int).collect(),
        ListKind::Int,
    )))
}

fn until(call: Arguments<'_>) -> Outcome {
    let count = call.int(0)?;
    integers(steps(0, count, if count < 0 { -1 } else { 1 })?)
}

/// Numbers from `start` towards `stop` (not included); none when `step` leads away from it.
fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, FunctionError> {
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

fn seq(call: Arguments<'_>) -> Outcome {
    let numbers = match call.len() {
        1 => {
            let end = call.int(0)?;
            let increment = if end < 1 { -1 } else { 1 };
            steps(1, end.saturating_add(increment), increment)?
        }
        2 => {
            let (start, end) = (call.int(0)?, call.int(1)?);
            let step = if end < start { -1 } else { 1 };
            steps(start, end.saturating_add(step), step)?
        }
        3 => {
            let (start, step, end) = (call.int(0)?, call.int(1)?, call.int(2)?);
            if end < start && step > 0 {
                return text("");
            }
            steps(
                start,
                end.saturating_add(if end < start { -1 } else { 1 }),
                step,
            )?
        }
        _ => return text(""),
    };
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    text(texts.join(" "))
}
