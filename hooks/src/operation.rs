//! Which sync operation a hook belongs to, from the name of its Job.

use jiff::Timestamp;

/// Argo CD's words for the phases of hooks, in the names that it makes.
const PHASES: [&str; 3] = ["presync", "postsync", "syncfail"];

/// A sync operation, as the names of its Jobs tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// What is common to the names of the operation's Jobs: `<revision>-<start>`.
    pub(crate) name: String,
    /// When it started, if Argo CD says so.
    pub(crate) started_at: Option<Timestamp>,
    /// The name says the revision alone: all operations of that revision have it.
    pub(crate) recurs: bool,
}

impl Operation {
    /// From the name of a Job, which Argo CD completes to
    /// `<generateName><7 of the revision>-<phase>-<start in seconds>` (gitops-engine
    /// `pkg/sync/sync_context.go`); a retry keeps the start. Where Argo CD cannot make a name of the
    /// revision, the plugin does, with the start 0. A name of another form is an operation's as it is.
    pub(crate) fn of(job: &str) -> Self {
        Self::generated(job).unwrap_or_else(|| Self {
            name: job.to_owned(),
            started_at: None,
            recurs: false,
        })
    }

    fn generated(job: &str) -> Option<Self> {
        let (rest, seconds) = job.rsplit_once('-')?;
        let recurs = seconds == "0";
        let started_at = start(seconds);
        if started_at.is_none() && !recurs {
            return None;
        }
        let phase = PHASES
            .into_iter()
            .find(|phase| rest.ends_with(&format!("-{phase}")))?;
        let rest = rest.get(..rest.len() - phase.len() - 1)?;
        // Stagelink's own prefixes end in the phase, which is another one for each hook; of others
        // only the last part is surely no prefix.
        let revision = match rest.rfind(&format!("-{phase}-")) {
            Some(at) => rest.get(at + phase.len() + 2..)?,
            None => rest.rsplit('-').next()?,
        };
        Some(Self {
            name: format!("{revision}-{seconds}"),
            started_at,
            recurs,
        })
    }
}

/// Seconds since 1970, if that is what it is: some time between 2001 and 2286.
fn start(digits: &str) -> Option<Timestamp> {
    let is_time = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = is_time.then(|| digits.parse().ok())??;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jobs_of_an_operation_have_it_in_common() {
        for job in [
            "shop-dev-presync-0a1b2c3-presync-1700000000",
            "shop-dev-postsync-0a1b2c3-postsync-1700000000",
            "shop-dev-syncfail-0a1b2c3-syncfail-1700000000",
            // A name that was cut, with a hash.
            "a-very-long-application-a1b2c3-presync-0a1b2c3-presync-1700000000",
            // A prefix of one's own.
            "before-0a1b2c3-presync-1700000000",
            "0a1b2c3-presync-1700000000",
            // An app that is called after a phase.
            "presync-presync-0a1b2c3-presync-1700000000",
        ] {
            let operation = Operation::of(job);
            assert_eq!(operation.name, "0a1b2c3-1700000000", "{job}");
            assert_eq!(
                operation.started_at.unwrap().as_second(),
                1_700_000_000,
                "{job}"
            );
            assert!(!operation.recurs, "{job}");
        }
    }

    #[test]
    fn a_name_of_the_plugin_says_only_the_revision() {
        for phase in ["presync", "postsync", "syncfail"] {
            let operation = Operation::of(&format!("shop-{phase}-2024-1-5-{phase}-0"));
            let expected = Operation {
                name: "2024-1-5-0".to_owned(),
                started_at: None,
                recurs: true,
            };
            assert_eq!(operation, expected);
        }
        // An Application of several sources has no revision of its own.
        let several = Operation::of("shop-presync--presync-1700000000");
        assert_eq!(several.name, "-1700000000");
        assert!(!several.recurs);
    }

    #[test]
    fn operations_stay_apart() {
        let names = [
            "shop-presync-0a1b2c3-presync-1700000000",
            "shop-presync-0a1b2c3-presync-1700000001",
            "shop-presync-0a1b2c4-presync-1700000000",
            // Chart versions and tags, of which Argo CD takes seven characters, too.
            "shop-presync-1.2.3-presync-1700000000",
            "shop-presync-v1.2-rc-presync-1700000000",
            "shop-presync-v1.3-rc-presync-1700000000",
        ]
        .map(|job| Operation::of(job).name);
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert_eq!(names[4], "v1.2-rc-1700000000");
    }

    #[test]
    fn any_other_name_is_taken_as_it_is() {
        for name in [
            "op-1",
            "",
            "-",
            "presync",
            "a-presync-x",
            "shop-presync-0a1b2c3",
            "x-17",
        ] {
            let operation = Operation::of(name);
            assert_eq!(
                (operation.name.as_str(), operation.started_at),
                (name, None)
            );
        }
    }
}
