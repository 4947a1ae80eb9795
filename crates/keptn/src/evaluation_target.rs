//! The target of an objective, for example `<0.5`.

use std::fmt;
use std::str::FromStr;

/// Why a target cannot be used.
///
/// The messages begin with Keptn's own words (`keptnevaluation/common.go`) and then say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationTargetError {
    /// There is no target.
    #[error("no values: the target is empty; write `>` or `<` and a number, like \"<0.5\"")]
    Empty,
    /// The first character is neither `>` nor `<`.
    #[error("invalid operator: the target {0:?} must begin with `>` or `<`, like \"<0.5\"")]
    Operator(String),
    /// `>=` or `<=`, which Keptn does not know.
    #[error(
        "the target {target:?} is not supported: Keptn compares only with `>` and `<`; \
         write {instead:?}"
    )]
    OrEqual {
        /// The target as it was written.
        target: String,
        /// A target that Keptn takes.
        instead: String,
    },
    /// What follows the operator is not a number.
    #[error("the target {0:?} has no number after its operator; write it like \"<0.5\"")]
    Number(String),
}

/// What comes of comparing a value with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The value is strictly on the wanted side.
    Met,
    /// It is not, or it is not a number (NaN).
    NotMet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Greater,
    Less,
}

/// `>` or `<` and a number; the comparison is strict. There is no `>=`, and no space is allowed.
///
/// ```
/// use stagelink_keptn::{EvaluationTarget, Verdict};
///
/// let target: EvaluationTarget = "<0.5".parse()?;
/// assert_eq!(target.judge(0.25), Verdict::Met);
/// assert_eq!(target.judge(0.5), Verdict::NotMet);
/// assert_eq!(target.message("0.25", Verdict::Met), "value '0.25' met objective '<0.5'");
/// # Ok::<(), stagelink_keptn::EvaluationTargetError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationTarget {
    operator: Operator,
    threshold: f64,
    text: String,
}

impl EvaluationTarget {
    /// Compares a value with this target; NaN meets no target.
    pub fn judge(&self, value: f64) -> Verdict {
        let met = match self.operator {
            Operator::Greater => value > self.threshold,
            Operator::Less => value < self.threshold,
        };
        if met { Verdict::Met } else { Verdict::NotMet }
    }

    /// Keptn's message for a value and what came of it.
    pub fn message(&self, value: &str, verdict: Verdict) -> String {
        let did = match verdict {
            Verdict::Met => "met",
            Verdict::NotMet => "did not meet",
        };
        format!("value '{value}' {did} objective '{}'", self.text)
    }

    /// The number after the operator.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The target as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for EvaluationTarget {
    type Err = EvaluationTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(64).collect::<String>();
        let operator = match text.chars().next() {
            None => return Err(EvaluationTargetError::Empty),
            Some('>') => Operator::Greater,
            Some('<') => Operator::Less,
            Some(_) => return Err(EvaluationTargetError::Operator(shown())),
        };
        // Both operators are one byte.
        let number = &text[1..];
        if let Some(rest) = number.strip_prefix('=') {
            return Err(EvaluationTargetError::OrEqual {
                target: shown(),
                instead: format!("{}{}", &text[..1], rest.trim())
                    .chars()
                    .take(64)
                    .collect(),
            });
        }
        let threshold =
            parse_go_float(number).ok_or_else(|| EvaluationTargetError::Number(shown()))?;
        Ok(Self {
            operator,
            threshold,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for EvaluationTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Go's `strconv.ParseFloat` for decimal numbers: `1e3`, `.5`, `inf`, `nan`, a sign, but no space.
/// Too large a number is an error, as in Go. (Go's hexadecimal floats are not read.)
fn parse_go_float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    (!(value.is_infinite() && digits)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_is_strict_as_keptns() {
        use Verdict::{Met, NotMet};
        for (target, value, verdict) in [
            (">10", 10.0, NotMet),
            (">10", 9.0, NotMet),
            (">10", 11.0, Met),
            ("<10", 10.0, NotMet),
            ("<10", 9.0, Met),
            ("<10", 11.0, NotMet),
            (">10", f64::NAN, NotMet),
            ("<10", f64::NAN, NotMet),
            ("<.5", 0.4, Met),
            (">1e3", 1001.0, Met),
            ("<-1", -2.0, Met),
            ("<inf", f64::MAX, Met),
            (">nan", 1.0, NotMet),
        ] {
            let parsed: EvaluationTarget = target.parse().unwrap();
            assert_eq!(parsed.judge(value), verdict, "{value} {target}");
            assert_eq!(parsed.to_string(), target);
        }
    }

    #[test]
    fn what_is_not_a_target_is_refused() {
        for (text, message) in [
            ("", "no values: "),
            ("10", "invalid operator: "),
            ("=10", "invalid operator: "),
            (" >10", "invalid operator: "),
            (
                ">=5",
                "the target \">=5\" is not supported: Keptn compares only with `>` and `<`; write \">5\"",
            ),
            (
                "<= 5",
                "the target \"<= 5\" is not supported: Keptn compares only with `>` and `<`; write \"<5\"",
            ),
            (">", "the target \">\" has no number"),
            ("> 10", "the target \"> 10\" has no number"),
            (">10%", "the target \">10%\" has no number"),
            ("<1e999", "the target \"<1e999\" has no number"),
            ("≥5", "invalid operator: "),
        ] {
            let error = text.parse::<EvaluationTarget>().unwrap_err().to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }
}
