//! Equality of whole values, as Go's `reflect.DeepEqual`.

use super::Value;

/// How deep two values are compared before they count as different.
const DEPTH: usize = 1_000;

/// How many elements are compared before two values count as different: lists that share their
/// elements can be small and compare without end.
const COMPARISONS: usize = 1_000_000;

impl Value {
    /// True if both have the same type and the same content all the way down.
    pub fn deep_equal(&self, other: &Self) -> bool {
        equal(self, other, DEPTH, &mut 0)
    }
}

fn equal(left: &Value, right: &Value, depth: usize, compared: &mut usize) -> bool {
    *compared += 1;
    let Some(depth) = depth.checked_sub(1).filter(|_| *compared <= COMPARISONS) else {
        return false;
    };
    match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) | (Value::Int64(left), Value::Int64(right)) => {
            left == right
        }
        (Value::Uint64(left), Value::Uint64(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.kind() == right.kind()
                && (left.is_same(right)
                    || (left.len() == right.len()
                        && left
                            .items()
                            .iter()
                            .zip(right.items().iter())
                            .all(|(left, right)| equal(left, right, depth, compared))))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.kind() == right.kind()
                && (left.is_same(right)
                    || (left.len() == right.len()
                        && left.entries().iter().zip(right.entries().iter()).all(
                            |((left_key, left), (right_key, right))| {
                                left_key == right_key && equal(left, right, depth, compared)
                            },
                        )))
        }
        (Value::Object(left), Value::Object(right)) => left.is_equal(&**right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_count() {
        assert!(Value::Int(1).deep_equal(&Value::Int(1)));
        assert!(!Value::Int(1).deep_equal(&Value::Int64(1)));
        assert!(!Value::Int(1).deep_equal(&Value::Float(1.0)));
        assert!(Value::list([Value::Nil]).deep_equal(&Value::list([Value::Nil])));
        assert!(Value::map([("a", Value::Int(1))]).deep_equal(&Value::map([("a", Value::Int(1))])));
        assert!(!Value::map([("a", Value::Nil)]).deep_equal(&Value::map([("b", Value::Nil)])));
    }
}
