//! `plugin.yaml` and the code say the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

use stagelink_cmp::{Announcement, HELM_PARAMETERS, KNOWN, Shape};

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

#[test]
fn every_parameter_is_in_the_reference() {
    let page = include_str!("../../docs/reference/plugin.md");
    let documented: Vec<(&str, &str)> = page
        .lines()
        .skip_while(|line| *line != "## Parameters")
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default()))
        .collect();
    let known: Vec<(&str, &str)> = KNOWN
        .iter()
        .map(|known| {
            let form = match known.shape {
                Shape::String => "string",
                Shape::Array => "array",
                Shape::Map => "map",
            };
            (known.name, form)
        })
        .collect();
    assert_eq!(documented, known);
}
