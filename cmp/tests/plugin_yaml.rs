//! `plugin.yaml` and the code say the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

use stagelink_cmp::{Announcement, HELM_PARAMETERS, KNOWN};

fn plugin() -> serde_json::Value {
    let text = include_str!("../../plugin.yaml");
    stagelink_yaml::to_json(text).unwrap()
}

#[test]
fn the_plugin_is_named_and_does_not_discover() {
    let plugin = plugin();
    assert_eq!(plugin["kind"], "ConfigManagementPlugin");
    assert_eq!(plugin["metadata"]["name"], "stagelink");
    // With a version Applications would have to name it, too.
    assert_eq!(plugin["spec"].get("version"), None);
    assert_eq!(plugin["spec"].get("discover"), None);
    assert_eq!(plugin["spec"].get("init"), None);
    assert_eq!(
        plugin["spec"]["generate"]["command"],
        serde_json::json!(["stagelink-cmp", "generate"])
    );
}

#[test]
fn the_static_parameters_are_those_of_the_code() {
    let announced: Vec<Announcement> =
        serde_json::from_value(plugin()["spec"]["parameters"]["static"].clone()).unwrap();
    let expected: Vec<Announcement> = KNOWN
        .iter()
        // This one is announced for each chart, with its values.
        .filter(|known| known.name != HELM_PARAMETERS)
        .map(|known| {
            let mut announcement = Announcement::from(known);
            if announcement.item_type == "string" {
                announcement.item_type.clear();
            }
            announcement
        })
        .collect();
    assert_eq!(announced, expected);
}
