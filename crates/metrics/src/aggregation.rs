//! How the values of a range become one.

use stagelink_keptn::Aggregation;

/// The values as one, or none if there are no values.
///
/// Unlike Keptn's (`metrics-operator/controllers/common/aggregation`), a percentile is taken from the
/// values in order of size, and nothing does not become 0. Values that are no number count as
/// absent: Prometheus answers NaN where there was nothing to compute from.
pub(crate) fn aggregate(aggregation: Aggregation, values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    Some(match aggregation {
        Aggregation::Min => first,
        Aggregation::Max => last,
        Aggregation::Avg => sorted.iter().sum::<f64>() / length(&sorted),
        Aggregation::Median => {
            let middle = sorted.len() / 2;
            let upper = sorted.get(middle).copied().unwrap_or(last);
            match sorted.len() % 2 {
                1 => upper,
                _ => f64::midpoint(sorted.get(middle - 1).copied().unwrap_or(first), upper),
            }
        }
        Aggregation::P90 => nearest_rank(&sorted, 90).unwrap_or(last),
        Aggregation::P95 => nearest_rank(&sorted, 95).unwrap_or(last),
        Aggregation::P99 => nearest_rank(&sorted, 99).unwrap_or(last),
    })
}

/// The smallest value that at least `percent` of all are not above (Keptn's definition).
fn nearest_rank(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "as many values as one answer holds"
)]
fn length(values: &[f64]) -> f64 {
    values.len() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Aggregation; 7] = [
        Aggregation::P90,
        Aggregation::P95,
        Aggregation::P99,
        Aggregation::Max,
        Aggregation::Min,
        Aggregation::Avg,
        Aggregation::Median,
    ];

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let descending: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        for (aggregation, expected) in ALL
            .into_iter()
            .zip([90.0, 95.0, 99.0, 100.0, 1.0, 50.5, 50.5])
        {
            assert_eq!(
                aggregate(aggregation, &descending),
                Some(expected),
                "{aggregation}"
            );
        }
        for aggregation in ALL {
            assert_eq!(aggregate(aggregation, &[7.0]), Some(7.0));
        }
        assert_eq!(aggregate(Aggregation::Median, &[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(aggregate(Aggregation::P90, &[1.0, 2.0, 3.0]), Some(3.0));
    }

    #[test]
    fn nothing_is_not_zero_and_no_number_is_nothing() {
        for aggregation in ALL {
            assert_eq!(aggregate(aggregation, &[]), None);
            assert_eq!(aggregate(aggregation, &[f64::NAN]), None);
            assert_eq!(aggregate(aggregation, &[f64::NAN, 2.0]), Some(2.0));
        }
        assert_eq!(
            aggregate(Aggregation::Max, &[1.0, f64::INFINITY]),
            Some(f64::INFINITY)
        );
    }

    proptest! {
        #[test]
        fn an_aggregate_lies_between_the_extremes(values in prop::collection::vec(-1e6..1e6f64, 1..50)) {
            let [p90, p95, p99, max, min, avg, median] =
                ALL.map(|aggregation| aggregate(aggregation, &values).unwrap());
            prop_assert!(min <= median && median <= p90 && p90 <= p95 && p95 <= p99 && p99 <= max);
            prop_assert!(min - 1e-6 <= avg && avg <= max + 1e-6);
        }
    }
}
