//! Password hashes: `bcrypt` and `htpasswd`. The salt comes from where all random texts of a render come from.

use std::rc::Rc;

use stagelink_gotemplate::{FunctionError, FunctionTable, GoString};

use super::shared::Surroundings;

/// Go's default.
const COST: u32 = 10;

/// Longest password that bcrypt takes, in bytes.
const LONGEST_PASSWORD: usize = 72;

/// Most hashes in one render; each takes some 50 ms.
const MAXIMUM_HASHES: u32 = 100;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable, surroundings: &Rc<Surroundings>) {
    let around = Rc::clone(surroundings);
    table.add("bcrypt", move |password: GoString| hash(&around, &password));
    let around = Rc::clone(surroundings);
    table.add("htpasswd", move |user: GoString, password: GoString| {
        if user.contains(&b':') {
            return Ok(GoString::from(
                [b"invalid username: ", user.as_bytes()].concat(),
            ));
        }
        let hash = hash(&around, &password)?;
        Ok::<_, FunctionError>(GoString::from(
            [user.as_bytes(), b":", hash.as_bytes()].concat(),
        ))
    });
}

fn hash(around: &Surroundings, password: &GoString) -> Result<String, FunctionError> {
    if password.len() > LONGEST_PASSWORD {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
                .to_owned(),
        );
    }
    let count = around.password_hashes.get() + 1;
    around.password_hashes.set(count);
    if count > MAXIMUM_HASHES {
        return Err(FunctionError::Limit(format!(
            "more than the {MAXIMUM_HASHES} password hashes that are allowed"
        )));
    }
    let mut salt = [0; 16];
    salt.copy_from_slice(&around.randomness.borrow().draw().bytes(16)?);
    match bcrypt::hash_with_salt(password.as_bytes(), COST, salt) {
        Ok(parts) => Ok(parts.format_for_version(bcrypt::Version::TwoA)),
        Err(error) => Err(format!("failed to encrypt string with bcrypt: {error}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::Randomness;

    #[test]
    fn hashes_verify_and_are_stable_with_a_seed() {
        let around = || {
            let around = Surroundings::default();
            around
                .randomness
                .replace(Randomness::new(Some(b"seed"), "app"));
            around
        };
        let first = hash(&around(), &"password".into()).unwrap();
        assert!(first.starts_with("$2a$10$") && bcrypt::verify("password", &first).unwrap());
        assert_eq!(first, hash(&around(), &"password".into()).unwrap());
        assert!(
            hash(&around(), &"x".repeat(73).into())
                .unwrap()
                .starts_with("failed to encrypt")
        );
    }

    #[test]
    fn a_loop_of_hashes_ends() {
        let around = Surroundings::default();
        around.password_hashes.set(MAXIMUM_HASHES);
        assert!(matches!(
            hash(&around, &"x".into()),
            Err(FunctionError::Limit(_))
        ));
    }
}
