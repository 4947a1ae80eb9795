//! What a query gives.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What a query gives (`data` of the API's answer).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub enum Answer {
    /// One value for each series, at one time.
    Vector(Vec<Sample>),
    /// Values over time, for each series.
    Matrix(Vec<Series>),
    /// A number without a series.
    Scalar(#[serde(deserialize_with = "value")] f64),
    /// A text; no number at all.
    String(serde::de::IgnoredAny),
}

/// A series' value at one time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sample {
    /// The series.
    #[serde(default)]
    pub metric: BTreeMap<String, String>,
    /// Its value; may be NaN or infinite.
    #[serde(deserialize_with = "value")]
    pub value: f64,
}

/// A series' values over time, oldest first.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Series {
    /// The series.
    #[serde(default)]
    pub metric: BTreeMap<String, String>,
    /// Its values; each may be NaN or infinite.
    #[serde(deserialize_with = "values")]
    pub values: Vec<f64>,
}

impl Answer {
    /// All numbers of the answer, series by series.
    pub fn values(&self) -> Vec<f64> {
        match self {
            Self::Vector(samples) => samples.iter().map(|sample| sample.value).collect(),
            Self::Matrix(series) => series.iter().flat_map(|one| one.values.clone()).collect(),
            Self::Scalar(value) => vec![*value],
            Self::String(_) => Vec::new(),
        }
    }
}

/// `[<seconds>, "<number>"]`: the number is a text because JSON has no NaN.
fn value<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let pair = <(f64, String)>::deserialize(from)?;
    number(&pair).map_err(D::Error::custom)
}

fn values<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let pairs = Vec::<(f64, String)>::deserialize(from)?;
    pairs
        .iter()
        .map(|pair| number(pair).map_err(D::Error::custom))
        .collect()
}

fn number((_, text): &(f64, String)) -> Result<f64, &'static str> {
    text.parse().map_err(|_| "a value is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Answer, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn every_kind_of_answer_is_read() {
        for (json, expected) in [
            (
                r#"{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1,"1.5"]},{"metric":{},"value":[1.25,"+Inf"]}]}"#,
                vec![1.5, f64::INFINITY],
            ),
            (
                r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"-Inf"]]},{"values":[[1,"3"]]}]}"#,
                vec![1.0, f64::NEG_INFINITY, 3.0],
            ),
            (r#"{"resultType":"scalar","result":[1.5,"42"]}"#, vec![42.0]),
            (r#"{"resultType":"string","result":[1.5,"text"]}"#, vec![]),
            (r#"{"resultType":"vector","result":[]}"#, vec![]),
        ] {
            assert_eq!(read(json).unwrap().values(), expected, "{json}");
        }
        let nan = r#"{"resultType":"scalar","result":[1,"NaN"]}"#;
        assert!(read(nan).unwrap().values()[0].is_nan());
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for json in [
            r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}"#,
            r#"{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}"#,
            r#"{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}"#,
            r#"{"resultType":"other","result":[]}"#,
            r#"{"resultType":"vector"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
