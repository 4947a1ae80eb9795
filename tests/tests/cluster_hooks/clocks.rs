//! Hooks on nodes whose clocks differ by hours.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use stagelink_tests::{is_root, peer, spans, stderr};

use crate::application::{Operation, application, parameters};

const TEST: &str = "hooks whose clocks differ";

/// Runs a hook where it is three hours later. What waits for some time does so as long as ever.
fn later(faketime: &Path, sync: &Operation<'_>, hook: &str) -> Output {
    let plain = sync.hook_command(hook, &sync.application.hooks_kubeconfig());
    let mut command = Command::new(faketime);
    command.args(["-m", "--exclude-monotonic", "-f", "+3h"]);
    command.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().unwrap()
}

#[test]
fn a_trace_is_in_order_although_the_clocks_of_hooks_differ() {
    let Some(faketime) = peer("faketime", TEST) else {
        return;
    };
    for later_hook in ["PreSync", "PostSync"] {
        let Some(application) = application(TEST) else {
            return;
        };
        let start = jiff::Timestamp::now().as_second();
        let sync = application.sync(parameters(), start);
        for hook in ["PreSync", "PostSync"] {
            let output = if hook == later_hook {
                later(&faketime, &sync, hook)
            } else {
                sync.hook(hook)
            };
            assert!(output.status.success(), "{}", stderr(&output));
            if hook == "PreSync" {
                sync.apply(&["Deployment"]);
            }
        }

        let ledger = application.ledger();
        let attempt = &ledger["deliveries"][0]["attempts"][0];
        assert_eq!(attempt["outcome"], "pass", "{ledger}");
        let ended: jiff::Timestamp = attempt["endedAt"].as_str().unwrap().parse().unwrap();
        assert!(
            ended.as_second() >= start + 3 * 3600,
            "one of them was later: {ledger}"
        );

        let spans = spans(&application.spans_file());
        assert_eq!(spans.iter().filter(|span| is_root(span)).count(), 1);
        let time = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        let times: BTreeMap<&str, (u64, u64)> = spans
            .iter()
            .map(|span| {
                let times = ["startTimeUnixNano", "endTimeUnixNano"].map(|name| time(span, name));
                (span["spanId"].as_str().unwrap(), (times[0], times[1]))
            })
            .collect();
        assert_eq!(times.len(), spans.len());
        for span in &spans {
            let (began, ended) = times[span["spanId"].as_str().unwrap()];
            assert!(began <= ended, "{span}");
            if let Some((parent_began, parent_ended)) =
                times.get(span["parentSpanId"].as_str().unwrap_or_default())
            {
                assert!(*parent_began <= began && ended <= *parent_ended, "{span}");
            }
        }
        application.delete();
    }
}
