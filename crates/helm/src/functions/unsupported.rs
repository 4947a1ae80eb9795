//! Functions that Helm has and this crate does not have yet.
//!
//! A chart that only mentions one renders; a chart that calls one gets a clear error. Nothing is silently different.

use stagelink_gotemplate::{FunctionError, FunctionTable, Rest, Value};

/// Names of what is missing: keys and certificates, derived passwords, AES, TOML, and YAML in the style of yaml.v3.
pub(super) const NAMES: [&str; 15] = [
    "buildCustomCert",
    "decryptAES",
    "derivePassword",
    "encryptAES",
    "fromToml",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "mustToToml",
    "toToml",
    "toYamlPretty",
];

/// How the error ends when something of Helm's is missing here.
pub(crate) const NOT_SUPPORTED: &str = "is not supported by Stagelink yet";

/// Adds functions that say that they are missing.
pub(super) fn register(table: &mut FunctionTable) {
    for name in NAMES {
        table.add(name, move |_: Rest<Value>| {
            Err::<Value, _>(FunctionError::new(format!(
                "function {name:?} {NOT_SUPPORTED}"
            )))
        });
    }
}
