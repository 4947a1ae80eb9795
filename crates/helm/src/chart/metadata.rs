//! `Chart.yaml`, and `requirements.yaml` of old charts.

use super::error::{ChartError, ChartErrorKind};
use crate::semver::Version;
use stagelink_yaml::{Document, Node, NodeKind, Scalar, format_float};
use std::collections::{BTreeMap, BTreeSet};

/// What `Chart.yaml` says. Absent texts are empty, as in Helm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the chart; of an aliased sub-chart its alias, once the dependencies are processed.
    pub name: String,
    /// Address of the project's page.
    pub home: String,
    /// Addresses of the sources.
    pub sources: Vec<String>,
    /// Version of the chart.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Keywords.
    pub keywords: Vec<String>,
    /// Who looks after it.
    pub maintainers: Vec<Maintainer>,
    /// Address of an icon.
    pub icon: String,
    /// `v2`, or `v1` (also when the file says nothing).
    pub api_version: String,
    /// Unused by Helm itself.
    pub condition: String,
    /// Unused by Helm itself.
    pub tags: String,
    /// Version of what is in the chart.
    pub app_version: String,
    /// Not to be used any more.
    pub deprecated: bool,
    /// Anything.
    pub annotations: BTreeMap<String, String>,
    /// The versions of Kubernetes that it needs, as a range.
    pub kube_version: String,
    /// The charts that it needs.
    pub dependencies: Vec<Dependency>,
    /// `application`, `library` or empty (`type` in the file).
    pub chart_type: String,
}

/// Who looks after a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// Name.
    pub name: String,
    /// Address for letters.
    pub email: String,
    /// Address of a page.
    pub url: String,
}

/// A chart that a chart needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Name of the needed chart; its alias, once the dependencies are processed.
    pub name: String,
    /// Range of versions.
    pub version: String,
    /// Where it is published.
    pub repository: String,
    /// Paths of values, comma separated; the first that is a bool switches the dependency on or off.
    pub condition: String,
    /// Groups that `tags.…` values switch on or off.
    pub tags: Vec<String>,
    /// Whether it is switched on; set when the dependencies are processed.
    pub enabled: bool,
    /// Values to take from it: texts (names of `exports`), or maps of `child` and `parent`.
    pub import_values: Vec<serde_json::Value>,
    /// Another name, so that a chart can be used twice.
    pub alias: String,
}

impl Metadata {
    /// Whether the chart is a library, which gives others templates and renders nothing itself.
    pub fn is_library(&self) -> bool {
        self.chart_type.eq_ignore_ascii_case("library")
    }

    /// Reads a file into this; a field that the file does not have stays as it is. Names of fields match in any case.
    pub(crate) fn read(&mut self, file: &str, text: &[u8]) -> Result<(), ChartError> {
        let document = Document::parse(text).map_err(|error| ChartError::yaml(file, &error))?;
        // What is no JSON is refused as Helm refuses it, even in fields that nobody looks at.
        document
            .to_json()
            .map_err(|error| ChartError::yaml(file, &error))?;
        let reader = Reader { file };
        let root = document.root();
        if root.is_null() {
            return Ok(());
        }
        reader.expect(root, NodeKind::Mapping, "the file")?;
        reader.text(root, "name", &mut self.name)?;
        reader.text(root, "home", &mut self.home)?;
        reader.texts(root, "sources", &mut self.sources)?;
        reader.text(root, "version", &mut self.version)?;
        reader.text(root, "description", &mut self.description)?;
        reader.texts(root, "keywords", &mut self.keywords)?;
        reader.text(root, "icon", &mut self.icon)?;
        reader.text(root, "apiVersion", &mut self.api_version)?;
        reader.text(root, "condition", &mut self.condition)?;
        reader.text(root, "tags", &mut self.tags)?;
        reader.text(root, "appVersion", &mut self.app_version)?;
        reader.flag(root, "deprecated", &mut self.deprecated)?;
        reader.text(root, "kubeVersion", &mut self.kube_version)?;
        reader.text(root, "type", &mut self.chart_type)?;
        if let Some(annotations) = reader.field(root, "annotations") {
            reader.expect(annotations, NodeKind::Mapping, "annotations")?;
            for (key, value) in annotations.entries().filter(|(key, _)| !key.is_merge_key()) {
                let key = key.key().unwrap_or_default();
                let value = reader.string(value, &format!("annotations.{key}"))?;
                self.annotations.insert(key, value);
            }
        }
        if let Some(maintainers) = reader.field(root, "maintainers") {
            self.maintainers =
                reader.list(maintainers, "maintainers", |node| reader.maintainer(node))?;
        }
        if let Some(dependencies) = reader.field(root, "dependencies") {
            self.dependencies =
                reader.list(dependencies, "dependencies", |node| reader.dependency(node))?;
        }
        Ok(())
    }

    /// Cleans all texts as Helm does, and checks what Helm checks.
    pub(crate) fn validate(&mut self) -> Result<(), ChartError> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ]
        .into_iter()
        .chain(&mut self.sources)
        .chain(&mut self.keywords)
        {
            sanitize(text);
        }
        for maintainer in &mut self.maintainers {
            for text in [
                &mut maintainer.name,
                &mut maintainer.email,
                &mut maintainer.url,
            ] {
                sanitize(text);
            }
        }
        for dependency in &mut self.dependencies {
            let texts = [
                &mut dependency.name,
                &mut dependency.version,
                &mut dependency.repository,
                &mut dependency.condition,
            ];
            texts
                .into_iter()
                .chain(&mut dependency.tags)
                .for_each(sanitize);
        }
        match self.problem() {
            Some((problem, advice)) => {
                let message = format!("validation: {problem}");
                Err(ChartError::new(
                    ChartErrorKind::Content,
                    "Chart.yaml",
                    message,
                    advice,
                ))
            }
            None => Ok(()),
        }
    }

    fn problem(&self) -> Option<(String, &'static str)> {
        let name = &self.name;
        if name.is_empty() {
            return Some(("chart.metadata.name is required".into(), "add `name: …`"));
        }
        if name == "." || name == ".." {
            return Some((
                format!("chart.metadata.name {name:?} is not allowed"),
                "choose another name",
            ));
        }
        if name.contains('/') {
            return Some((
                format!("chart.metadata.name {name:?} is invalid"),
                "use a name without `/`",
            ));
        }
        if self.version.is_empty() {
            return Some((
                "chart.metadata.version is required".into(),
                "add `version: 0.1.0`",
            ));
        }
        if Version::parse(&self.version).is_err() {
            let problem = format!("chart.metadata.version {:?} is invalid", self.version);
            return Some((problem, "use a version like 1.2.3"));
        }
        if !["", "application", "library"].contains(&self.chart_type.as_str()) {
            return Some((
                "chart.metadata.type must be application or library".into(),
                "correct `type`",
            ));
        }
        let mut names = BTreeSet::new();
        for dependency in &self.dependencies {
            let alias = &dependency.alias;
            if !alias
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            {
                let problem = format!(
                    "dependency {:?} has disallowed characters in the alias",
                    dependency.name
                );
                return Some((problem, "use only letters, digits, `-` and `_`"));
            }
            let key = if alias.is_empty() {
                &dependency.name
            } else {
                alias
            };
            if !names.insert(key) {
                let problem = format!("more than one dependency with name or alias {key:?}");
                return Some((problem, "give one of them an alias"));
            }
        }
        None
    }
}

/// Spaces of all kinds become one kind, what cannot be printed is dropped.
fn sanitize(text: &mut String) {
    if text
        .chars()
        .any(|letter| letter != ' ' && (letter.is_whitespace() || letter.is_control()))
    {
        *text = text
            .chars()
            .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
            .filter(|letter| !letter.is_control())
            .collect();
    }
}

/// Takes fields out of a document in the way of Go's `encoding/json` behind `sigs.k8s.io/yaml`.
struct Reader<'file> {
    file: &'file str,
}

impl Reader<'_> {
    fn error(&self, node: Node<'_>, message: String) -> ChartError {
        ChartError::new(
            ChartErrorKind::Content,
            self.file,
            message,
            "correct the field",
        )
        .at(node.start())
    }

    /// A field that is there and not null.
    fn field<'document>(&self, map: Node<'document>, name: &str) -> Option<Node<'document>> {
        let found = map.get(name).or_else(|| {
            let same = |key: Node<'_>| key.key().is_some_and(|key| key.eq_ignore_ascii_case(name));
            map.entries()
                .find(|(key, _)| same(*key))
                .map(|(_, value)| value)
        });
        found.map(Node::target).filter(|node| !node.is_null())
    }

    fn expect(&self, node: Node<'_>, kind: NodeKind, name: &str) -> Result<(), ChartError> {
        let found = node.target().kind();
        if found == kind {
            return Ok(());
        }
        Err(self.error(
            node,
            format!("{name} must be {}, not {}", describe(kind), describe(found)),
        ))
    }

    /// A text; numbers and bools are taken for one, in Go's spelling.
    fn string(&self, node: Node<'_>, name: &str) -> Result<String, ChartError> {
        let node = node.target();
        let meaning = match node.scalar() {
            None => {
                return Err(self.error(
                    node,
                    format!("{name} must be a text, not {}", describe(node.kind())),
                ));
            }
            Some(meaning) => meaning.map_err(|error| ChartError::yaml(self.file, &error))?,
        };
        Ok(match meaning {
            Scalar::Null => String::new(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Unsigned(value) => value.to_string(),
            Scalar::Float(value) => format_float(value, 32),
            Scalar::Timestamp(text) | Scalar::String(text) => text,
        })
    }

    fn text(&self, map: Node<'_>, name: &str, target: &mut String) -> Result<(), ChartError> {
        if let Some(node) = self.field(map, name) {
            *target = self.string(node, name)?;
        }
        Ok(())
    }

    fn texts(&self, map: Node<'_>, name: &str, target: &mut Vec<String>) -> Result<(), ChartError> {
        if let Some(node) = self.field(map, name) {
            self.expect(node, NodeKind::Sequence, name)?;
            *target = node
                .items()
                .map(|item| self.string(item, name))
                .collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    fn flag(&self, map: Node<'_>, name: &str, target: &mut bool) -> Result<(), ChartError> {
        match self.field(map, name).map(|node| (node, node.scalar())) {
            None => Ok(()),
            Some((_, Some(Ok(Scalar::Bool(value))))) => {
                *target = value;
                Ok(())
            }
            Some((node, _)) => Err(self.error(node, format!("{name} must be true or false"))),
        }
    }

    fn list<T>(
        &self,
        node: Node<'_>,
        name: &str,
        read: impl Fn(Node<'_>) -> Result<T, ChartError>,
    ) -> Result<Vec<T>, ChartError> {
        self.expect(node, NodeKind::Sequence, name)?;
        let items = node.items().enumerate().map(|(index, item)| {
            if item.is_null() {
                let message = format!(
                    "validation: {name} must not contain empty or null nodes (item {})",
                    index + 1
                );
                return Err(ChartError::new(
                    ChartErrorKind::Content,
                    self.file,
                    message,
                    "remove the item",
                )
                .at(item.start()));
            }
            self.expect(item, NodeKind::Mapping, &format!("{name}[{index}]"))?;
            read(item.target())
        });
        items.collect()
    }

    fn maintainer(&self, node: Node<'_>) -> Result<Maintainer, ChartError> {
        let mut maintainer = Maintainer::default();
        self.text(node, "name", &mut maintainer.name)?;
        self.text(node, "email", &mut maintainer.email)?;
        self.text(node, "url", &mut maintainer.url)?;
        Ok(maintainer)
    }

    fn dependency(&self, node: Node<'_>) -> Result<Dependency, ChartError> {
        let mut dependency = Dependency::default();
        self.text(node, "name", &mut dependency.name)?;
        self.text(node, "version", &mut dependency.version)?;
        self.text(node, "repository", &mut dependency.repository)?;
        self.text(node, "condition", &mut dependency.condition)?;
        self.text(node, "alias", &mut dependency.alias)?;
        self.texts(node, "tags", &mut dependency.tags)?;
        self.flag(node, "enabled", &mut dependency.enabled)?;
        if let Some(imports) = self.field(node, "import-values") {
            self.expect(imports, NodeKind::Sequence, "import-values")?;
            let imports = imports.items().map(Node::to_json).collect::<Result<_, _>>();
            dependency.import_values =
                imports.map_err(|error| ChartError::yaml(self.file, &error))?;
        }
        Ok(dependency)
    }
}

fn describe(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Scalar => "a single value",
        NodeKind::Sequence => "a list",
        NodeKind::Mapping => "a map",
        NodeKind::Alias => "an alias",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Metadata, String> {
        let mut metadata = Metadata::default();
        metadata
            .read("Chart.yaml", text.as_bytes())
            .and_then(|()| metadata.validate())
            .map_err(|error| error.to_string())?;
        Ok(metadata)
    }

    #[test]
    fn texts_are_coerced_as_in_helm() {
        let metadata = read(
            "Name: y\nversion: 1.0\nappVersion: 1.10\nkubeVersion: 7244500.0\nannotations: {a: on, b: 2}\n",
        );
        let metadata = metadata.expect("metadata");
        let texts = [
            &metadata.name,
            &metadata.version,
            &metadata.app_version,
            &metadata.kube_version,
        ];
        assert_eq!(texts, ["true", "1", "1.1", "7.2445e+06"]);
        assert_eq!(
            metadata.annotations.into_values().collect::<Vec<_>>(),
            ["true", "2"]
        );
    }

    #[test]
    fn dependencies_are_read() {
        let text = "name: a\nversion: 1\ndependencies:\n- name: b\n  version: 1.x\n  alias: c\n  tags: [x, 1]\n  import-values:\n  - data\n  - child: p\n    parent: q\n";
        let metadata = read(text).expect("metadata");
        let dependency = &metadata.dependencies[0];
        assert_eq!(
            (dependency.alias.as_str(), dependency.tags.as_slice()),
            ("c", ["x".to_owned(), "1".to_owned()].as_slice())
        );
        assert_eq!(dependency.import_values[1]["parent"], "q");
    }

    #[test]
    fn a_broken_chart_yaml_says_where_and_what_to_do() {
        for (text, message) in [
            (
                "",
                "Chart.yaml: validation: chart.metadata.name is required; add `name: …`",
            ),
            (
                "name: a\n",
                "Chart.yaml: validation: chart.metadata.version is required; add `version: 0.1.0`",
            ),
            (
                "name: a/b\nversion: 1\n",
                "Chart.yaml: validation: chart.metadata.name \"a/b\" is invalid; use a name without `/`",
            ),
            (
                "name: a\nversion: one\n",
                "Chart.yaml: validation: chart.metadata.version \"one\" is invalid; use a version like 1.2.3",
            ),
            (
                "name: a\nversion: 1\ntype: x\n",
                "Chart.yaml: validation: chart.metadata.type must be application or library; correct `type`",
            ),
            (
                "name: a\nversion: {b: c}\n",
                "Chart.yaml:2:10: version must be a text, not a map; correct the field",
            ),
            (
                "- a\n",
                "Chart.yaml:1:1: the file must be a map, not a list; correct the field",
            ),
            (
                "name: a\nversion: 1\nmaintainers:\n- name: b\n-\n",
                "Chart.yaml:5:2: validation: maintainers must not contain empty or null nodes (item 2); remove the item",
            ),
            (
                "name: a\nversion: 1\ndependencies: [~]\n",
                "Chart.yaml:3:16: validation: dependencies must not contain empty or null nodes (item 1); remove the item",
            ),
            (
                "name: a\nversion: 1\ndependencies: [{name: b}, {name: b}]\n",
                "Chart.yaml: validation: more than one dependency with name or alias \"b\"; give one of them an alias",
            ),
            (
                "name: a\nversion: 1\ndependencies: [{name: b, alias: b.c}]\n",
                "Chart.yaml: validation: dependency \"b\" has disallowed characters in the alias; use only letters, digits, `-` and `_`",
            ),
            (
                "a: b: c\n",
                "Chart.yaml:1:5: error converting YAML to JSON: yaml: mapping values are not allowed in this context; correct the YAML",
            ),
        ] {
            assert_eq!(read(text).expect_err(text), message);
        }
    }
}
