//! What the tests have in common.

use stagelink_keptn::Container;
use stagelink_tasks::builtin;

/// The container of a task with these arguments.
pub(crate) fn container(args: Vec<String>) -> Container {
    Container {
        image: Some(builtin::IMAGE.to_owned()),
        args,
        ..Container::default()
    }
}
