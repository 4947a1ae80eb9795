//! `discover`: whether a directory is a chart that Stagelink should render without being asked for by name.

use std::path::Path;

use stagelink_helm::Chart;

/// `Chart.yaml`, if the directory has a chart with something of Keptn's in its templates; else `None`.
///
/// Every Helm chart could be rendered, but Argo CD asks plugins before it looks for Helm charts, and
/// those that want nothing of Stagelink are to stay with Argo CD. A chart that cannot be loaded is
/// none of Stagelink's.
pub fn discover(directory: &Path) -> Option<&'static str> {
    let chart = Chart::load(directory).ok()?;
    chart
        .templates()
        .iter()
        .any(|file| {
            let needle = b"keptn.sh/";
            file.data
                .windows(needle.len())
                .any(|window| window == needle)
        })
        .then_some("Chart.yaml")
}
