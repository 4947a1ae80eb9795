//! Where the ledger is kept: that also tells whether a hook works with a cluster.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// A file of this machine, or a ConfigMap of the app's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerPlace {
    /// A file; tasks, workloads and secrets are this machine's, too.
    File(PathBuf),
    /// A ConfigMap, by name; tasks, workloads and secrets are the cluster's, too.
    ConfigMap(String),
}

impl FromStr for LedgerPlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("configmap:") {
            Some(name) => Self::ConfigMap(name.to_owned()),
            None => Self::File(PathBuf::from(text)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configmap_is_named_as_one() {
        let place = |text: &str| text.parse::<LedgerPlace>().unwrap();
        let map = LedgerPlace::ConfigMap("shop-stagelink-ledger".to_owned());
        assert_eq!(place("configmap:shop-stagelink-ledger"), map);
        for file in ["ledger.json", "/state/ledger.json", "./configmap:x"] {
            assert_eq!(place(file), LedgerPlace::File(PathBuf::from(file)));
        }
    }
}
