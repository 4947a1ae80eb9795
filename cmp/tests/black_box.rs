//! The plugin as Argo CD runs it: by its command line, in the chart's folder, with its environment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use stagelink_plan::Plan;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const LINK: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";

/// A call of the plugin.
struct Call {
    directory: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Call {
    /// As Argo CD calls it for a git source.
    fn new(directory: &Path) -> Self {
        let mut call = Self {
            directory: directory.to_owned(),
            variables: BTreeMap::new(),
        };
        for (name, value) in [
            ("ARGOCD_APP_NAME", "shop-dev"),
            ("ARGOCD_APP_NAMESPACE", "shop"),
            ("ARGOCD_APP_PROJECT_NAME", "default"),
            ("ARGOCD_APP_REVISION", REVISION),
            ("ARGOCD_APP_REVISION_SHORT", "0123456"),
            ("ARGOCD_APP_REVISION_SHORT_8", "01234567"),
            (
                "ARGOCD_APP_SOURCE_REPO_URL",
                "https://user:s3cret@example.com/shop.git",
            ),
            ("ARGOCD_APP_SOURCE_PATH", "."),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", "main"),
            ("ARGOCD_APP_PARAMETERS", "null"),
            ("KUBE_VERSION", "1.34.4"),
            ("KUBE_API_VERSIONS", ""),
        ] {
            call.variables.insert(name.to_owned(), value.to_owned());
        }
        call
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    fn parameters(self, parameters: Value) -> Self {
        self.set("ARGOCD_APP_PARAMETERS", &parameters.to_string())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_stagelink-cmp"))
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(&self.variables)
            .output()
            .unwrap()
    }

    /// The manifests; panics if the plugin fails.
    fn generate(&self) -> Generated {
        let output = self.run(&["generate"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        let text = String::from_utf8(output.stdout).unwrap();
        let documents = stagelink_yaml::Document::parse_all(text.as_str())
            .unwrap()
            .iter()
            .map(|document| document.to_json().unwrap())
            .collect();
        Generated {
            text,
            documents,
            stderr,
        }
    }

    /// What the plugin says when it fails; it must not have printed anything else.
    fn error(&self, code: i32) -> String {
        let output = self.run(&["generate"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(output.stdout.is_empty(), "half an output");
        assert!(
            stderr.len() < 2000 && !stderr.contains("panicked"),
            "{stderr}"
        );
        stderr
    }
}

struct Generated {
    text: String,
    documents: Vec<Value>,
    stderr: String,
}

impl Generated {
    fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.documents
            .iter()
            .find(|document| document["kind"] == kind && document["metadata"]["name"] == name)
    }

    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.documents
            .iter()
            .filter(|document| document["kind"] == kind)
            .collect()
    }

    fn plan(&self) -> Plan {
        let plan = self
            .documents
            .iter()
            .find_map(|document| document["data"]["plan.json"].as_str())
            .expect("a plan");
        Plan::from_json(plan).unwrap()
    }

    fn hooks(&self) -> Vec<&str> {
        let (jobs, pods) = (self.of_kind("Job"), self.of_kind("Pod"));
        jobs.iter()
            .chain(&pods)
            .filter_map(|job| job["metadata"]["annotations"]["argocd.argoproj.io/hook"].as_str())
            .collect()
    }
}

/// A chart of these files, by default with a ConfigMap that shows what was injected.
fn chart(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut all: BTreeMap<&str, &str> = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        (
            "values.yaml",
            "commitID: \"\"\ntraceParent: \"\"\ncolour: red\n",
        ),
        (
            "templates/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config\ndata:\n  \
             commit: {{ .Values.commitID | quote }}\n  link: {{ .Values.traceParent | quote }}\n  \
             colour: {{ .Values.colour | quote }}\n  name: {{ .Release.Name }}\n",
        ),
    ]
    .into();
    all.extend(files.iter().copied());
    for (name, content) in all {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

const CONTEXT: (&str, &str) = (
    "templates/context.yaml",
    "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n  preDeploymentTasks: [check]\n---\n\
     apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnTaskDefinition\nmetadata:\n  name: check\nspec:\n  container:\n    name: check\n    image: busybox:1.36\n",
);

fn demo(stage: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../charts")
        .join(stage)
}

fn string(name: &str, value: &str) -> Value {
    json!({"name": name, "string": value})
}

#[test]
fn the_revision_appears_verbatim_in_values_plan_and_context() {
    let chart = chart(&[CONTEXT]);
    for revision in [REVISION, "streamed", "1.2.3-rc.1", "sha256:00ff"] {
        let generated = Call::new(chart.path())
            .set("ARGOCD_APP_REVISION", revision)
            .generate();
        assert_eq!(
            generated.find("ConfigMap", "config").unwrap()["data"]["commit"],
            revision
        );
        assert_eq!(generated.plan().revision.as_deref(), Some(revision));
        assert_eq!(generated.plan().metadata["commitID"], revision);
        let context = generated.find("KeptnAppContext", "shop").unwrap();
        assert_eq!(context["spec"]["metadata"]["commitID"], revision);
    }
}

#[test]
fn a_missing_or_odd_revision_works() {
    let chart = chart(&[CONTEXT]);
    for call in [
        Call::new(chart.path()).unset("ARGOCD_APP_REVISION"),
        Call::new(chart.path()).set("ARGOCD_APP_REVISION", ""),
    ] {
        let generated = call.generate();
        assert_eq!(generated.plan().revision, None);
        let context = generated.find("KeptnAppContext", "shop").unwrap();
        assert_eq!(context["spec"].get("metadata"), None);
    }
    let generated = Call::new(chart.path())
        .set("ARGOCD_APP_REVISION", "abc\ndef\n")
        .generate();
    assert_eq!(generated.plan().revision.as_deref(), Some("abc"));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    for stage in ["simple-go-dev", "simple-go-prod"] {
        let call = Call::new(&demo(stage));
        assert_eq!(call.generate().text, call.generate().text);
    }
}

#[test]
fn nothing_but_what_argo_cd_says_matters() {
    let chart = chart(&[CONTEXT]);
    let plain = Call::new(chart.path()).generate().text;
    let other = Call::new(chart.path())
        .set("HOME", "/nowhere")
        .set("TZ", "Asia/Tokyo")
        .set("LANG", "tr_TR.UTF-8")
        .set("HELM_NAMESPACE", "x")
        .generate()
        .text;
    assert_eq!(plain, other);
}

#[test]
fn the_digest_is_of_the_content_alone() {
    let chart = chart(&[
        CONTEXT,
        (
            "templates/more.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\ndata:\n  random: {{ randAlphaNum 8 }}\n  all: {{ .Values | toJson | quote }}\n",
        ),
    ]);
    let digest = |call: Call| call.generate().plan().digest;
    let first = digest(Call::new(chart.path()));
    for same in [
        Call::new(chart.path()),
        Call::new(chart.path()).set("ARGOCD_APP_REVISION", "fedcba9876543210fedcba9876543210fedcba98"),
        Call::new(chart.path()).unset("ARGOCD_APP_REVISION"),
        Call::new(chart.path()).parameters(json!([string("trace-parent", LINK)])),
        Call::new(chart.path()).parameters(json!([string("hook-image", "other:$ARGOCD_APP_REVISION")])),
        Call::new(chart.path()).parameters(json!([{"name": "helm-parameters", "map": {"traceParent": LINK, "commitID": "$ARGOCD_APP_REVISION"}}])),
        Call::new(chart.path()).parameters(json!([string("values", &format!("traceParent: {LINK}"))])),
    ] {
        assert_eq!(digest(same), first);
    }
    for other in [
        Call::new(chart.path())
            .parameters(json!([{"name": "helm-parameters", "map": {"colour": "blue"}}])),
        Call::new(chart.path()).set("ARGOCD_APP_NAME", "shop-prod"),
    ] {
        assert_ne!(digest(other), first);
    }
}

#[test]
fn a_revision_in_a_name_is_no_content() {
    let chart = chart(&[CONTEXT]);
    let digest = |revision: &str| {
        Call::new(chart.path())
            .set("ARGOCD_APP_REVISION_SHORT", revision)
            .parameters(json!([string(
                "release-name",
                "shop-$ARGOCD_APP_REVISION_SHORT"
            )]))
            .generate()
            .plan()
            .digest
    };
    assert_eq!(digest("0123456"), digest("fedcba9"));
}

#[test]
fn a_seed_makes_random_texts_stable_and_is_shown_nowhere() {
    let chart = chart(&[(
        "templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: secret\nstringData:\n  password: {{ randAlphaNum 32 }}\n",
    )]);
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed");
    std::fs::write(&seed, "0123456789abcdef-a-very-secret-seed").unwrap();
    let call = || Call::new(chart.path()).set("STAGELINK_SEED_FILE", seed.to_str().unwrap());
    let one = call().generate().text;
    assert_eq!(one, call().generate().text);
    assert!(!one.contains("a-very-secret-seed"));
    let password = |call: Call| {
        call.generate().find("Secret", "secret").unwrap()["stringData"]["password"].clone()
    };
    assert_ne!(
        password(call()),
        password(call().set("ARGOCD_APP_NAME", "other"))
    );
    assert_ne!(
        password(Call::new(chart.path())),
        password(Call::new(chart.path()))
    );
    assert!(
        Call::new(chart.path())
            .generate()
            .stderr
            .contains("each render differs")
    );
    assert_eq!(call().generate().stderr, "");
    let error = Call::new(chart.path())
        .set("STAGELINK_SEED_FILE", "/nowhere/seed")
        .error(3);
    assert!(
        error.contains("STAGELINK_SEED_FILE /nowhere/seed"),
        "{error}"
    );
}

#[test]
fn the_hydrator_says_nothing_of_the_cluster() {
    let generated = Call::new(&demo("simple-go-dev"))
        .set("KUBE_VERSION", "")
        .set("KUBE_API_VERSIONS", "")
        .generate();
    assert!(generated.find("KeptnAppContext", "simple-go").is_some());
}

#[test]
fn a_cluster_without_keptn_gets_none_of_its_kinds_but_the_plan_has_them() {
    let generated = Call::new(&demo("simple-go-dev"))
        .set(
            "KUBE_API_VERSIONS",
            "v1,apps/v1,apps/v1/Deployment,batch/v1,batch/v1/Job",
        )
        .generate();
    assert!(!generated.text.contains("apiVersion: lifecycle.keptn.sh"));
    assert!(!generated.text.contains("apiVersion: metrics.keptn.sh"));
    let plan = generated.plan();
    assert_eq!(plan.app, "simple-go");
    assert_eq!(plan.phases.promotion_tasks, ["promote"]);
    assert_eq!(plan.task_definitions.len(), 6);
    assert_eq!(generated.hooks(), ["PreSync", "PostSync", "SyncFail"]);
}

#[test]
fn every_form_of_the_parameters_works() {
    let chart = chart(&[("prod.yaml", "colour: blue\n")]);
    let colour =
        |call: Call| call.generate().find("ConfigMap", "config").unwrap()["data"]["colour"].clone();
    for parameters in ["null", "[]", "[{\"name\":\"stage\"}]"] {
        assert_eq!(
            colour(Call::new(chart.path()).set("ARGOCD_APP_PARAMETERS", parameters)),
            "red"
        );
    }
    assert_eq!(
        colour(Call::new(chart.path()).unset("ARGOCD_APP_PARAMETERS")),
        "red"
    );
    for parameters in [
        json!([{"name": "value-files", "array": ["prod.yaml"]}]),
        json!([{"name": "value-files", "string": "prod.yaml"}]),
        json!([{"name": "helm-parameters", "map": {"colour": "blue"}}]),
        json!([{"name": "helm-string-parameters", "map": {"colour": "blue"}}]),
        json!([string("values", "colour: blue")]),
    ] {
        assert_eq!(
            colour(Call::new(chart.path()).parameters(parameters)),
            "blue"
        );
    }
    assert_eq!(
        colour(
            Call::new(chart.path())
                .unset("ARGOCD_APP_PARAMETERS")
                .set("PARAM_VALUE_FILES_0", "prod.yaml")
        ),
        "blue"
    );
    assert_eq!(
        colour(Call::new(chart.path()).set("ARGOCD_ENV_VALUE_FILES", "prod.yaml")),
        "blue"
    );
    // A parameter beats the environment.
    let both = Call::new(chart.path())
        .set("ARGOCD_ENV_VALUES", "colour: green")
        .parameters(json!([string("values", "colour: blue")]));
    assert_eq!(colour(both), "blue");
}

#[test]
fn single_values_come_over_values_and_those_over_files() {
    let chart = chart(&[
        ("prod.yaml", "colour: file\n"),
        ("text.txt", "from a file, with a comma"),
    ]);
    let colour = |parameters: Value| {
        Call::new(chart.path())
            .parameters(parameters)
            .generate()
            .find("ConfigMap", "config")
            .unwrap()["data"]["colour"]
            .clone()
    };
    let files = json!({"name": "value-files", "array": ["prod.yaml"]});
    let values = string("values", "colour: values");
    let set =
        json!({"name": "helm-parameters", "map": {"colour": "set, $ARGOCD_APP_NAME $$ $NOTHING"}});
    let file = json!({"name": "helm-file-parameters", "map": {"colour": "text.txt"}});
    assert_eq!(colour(json!([files])), "file");
    assert_eq!(colour(json!([values, files])), "values");
    assert_eq!(colour(json!([set, values, files])), "set, shop-dev $ ");
    assert_eq!(
        colour(json!([file, set, values, files])),
        "from a file, with a comma"
    );
    let document =
        json!({"name": "helm-json-parameters", "array": ["colour=\"json, $ARGOCD_APP_NAME\""]});
    let literal = json!({"name": "helm-literal-parameters", "array": ["colour={a,b} $NOTHING"]});
    assert_eq!(colour(json!([document, values])), "json, shop-dev");
    assert_eq!(colour(json!([document, set])), "set, shop-dev $ ");
    assert_eq!(
        colour(json!([literal, document, file, set])),
        "{a,b} $NOTHING"
    );
}

#[test]
fn an_application_in_another_namespace_keeps_its_name() {
    let chart = chart(&[CONTEXT]);
    let generated = Call::new(chart.path())
        .set("ARGOCD_APP_NAME", "team-a_shop")
        .generate();
    assert_eq!(
        generated.find("ConfigMap", "config").unwrap()["data"]["name"],
        "shop"
    );
    assert_eq!(generated.plan().application, "shop");
    assert!(
        generated
            .find("ConfigMap", "team-a-shop-5325ae-stagelink-plan")
            .is_some()
    );
}

#[test]
fn parameters_are_announced_without_a_revision_in_the_environment() {
    let chart = chart(&[]);
    let call = Call::new(chart.path())
        .unset("ARGOCD_APP_REVISION")
        .unset("ARGOCD_APP_NAMESPACE");
    let announced = |arguments: &[&str]| -> Vec<Value> {
        let output = call.run(arguments);
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let all = announced(&["parameters"]);
    assert!(
        all.iter()
            .any(|one| one["name"] == "stage" && one["collectionType"] == "string")
    );
    let chart_only = announced(&["parameters", "--chart-only"]);
    assert_eq!(chart_only.len(), 1);
    assert_eq!(
        chart_only[0]["map"],
        json!({"colour": "red", "commitID": "", "traceParent": ""})
    );
}

#[test]
fn only_charts_with_something_of_keptn_are_discovered() {
    let with = chart(&[CONTEXT]);
    let without = chart(&[]);
    let nothing = tempfile::tempdir().unwrap();
    for (folder, text) in [
        (with.path(), "Chart.yaml\n"),
        (without.path(), ""),
        (nothing.path(), ""),
    ] {
        let output = Call::new(folder).run(&["discover"]);
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
    }
}

#[test]
fn what_cannot_be_rendered_is_one_line_and_no_output() {
    let broken = chart(&[("templates/broken.yaml", "a: {{ .Values.x.y.z }}\n{{ end")]);
    let failing = chart(&[(
        "templates/failing.yaml",
        "{{ required \"set the colour of the shop\" .Values.nothing }}\n",
    )]);
    let no_yaml = chart(&[("templates/no.yaml", "kind: ConfigMap\n  metadata: [\n")]);
    let bad_chart = chart(&[("Chart.yaml", "name: [\n")]);
    let bad_values = chart(&[("values.yaml", "a: b: c\n")]);
    let nothing = tempfile::tempdir().unwrap();
    for (folder, part) in [
        (broken.path(), "shop/templates/broken.yaml:2"),
        (failing.path(), "set the colour of the shop"),
        (no_yaml.path(), "shop/templates/no.yaml"),
        (bad_chart.path(), "Chart.yaml"),
        (bad_values.path(), "values.yaml:1"),
        (nothing.path(), "Chart.yaml file is missing"),
    ] {
        let error = Call::new(folder).error(2);
        assert!(
            error.starts_with("error: ") && error.contains(part),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn an_empty_render_is_an_error() {
    for text in [
        "",
        "# nothing\n",
        "{{- if .Values.nothing }}\nkind: ConfigMap\n{{- end }}\n---\n",
    ] {
        let chart = chart(&[("templates/config.yaml", text)]);
        let error = Call::new(chart.path()).error(2);
        assert!(error.contains("rendered no resource at all"), "{error}");
    }
}

#[test]
fn two_contexts_and_unsupported_targets_are_errors() {
    let two = chart(&[
        CONTEXT,
        (
            "templates/zwei.yaml",
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: other\n",
        ),
    ]);
    let error = Call::new(two.path()).error(2);
    assert!(
        error.contains("KeptnAppContext/shop in shop/templates/context.yaml"),
        "{error}"
    );
    assert!(
        error.contains("KeptnAppContext/other in shop/templates/zwei.yaml"),
        "{error}"
    );
    let target = chart(&[(
        "templates/evaluation.yaml",
        "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnEvaluationDefinition\nmetadata:\n  name: slow\nspec:\n  objectives:\n    - keptnMetricRef: {name: m}\n      evaluationTarget: \">=5\"\n",
    )]);
    let error = Call::new(target.path()).error(2);
    assert!(
        error.contains("spec.objectives[0].evaluationTarget") && error.contains("write \">5\""),
        "{error}"
    );
}

#[test]
fn what_may_be_in_the_cluster_is_only_a_warning() {
    let chart = chart(&[(
        "templates/context.yaml",
        "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n  promotionTasks: [elsewhere]\n",
    )]);
    let generated = Call::new(chart.path()).generate();
    assert!(
        generated
            .stderr
            .contains("names the KeptnTaskDefinition \"elsewhere\""),
        "{}",
        generated.stderr
    );
    let role = generated
        .find("Role", "shop-dev-stagelink")
        .unwrap()
        .to_string();
    assert!(role.contains("keptntaskdefinitions"), "{role}");
}

#[test]
fn hooks_may_read_what_evaluations_need_and_the_chart_does_not_have() {
    let context = (
        "templates/context.yaml",
        "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n  preDeploymentEvaluations: [judged]\n",
    );
    let judged = (
        "templates/judged.yaml",
        "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnEvaluationDefinition\nmetadata:\n  name: judged\nspec:\n  objectives:\n  - {keptnMetricRef: {name: up}, evaluationTarget: \">0\"}\n",
    );
    let metric = (
        "templates/metric.yaml",
        "apiVersion: metrics.keptn.sh/v1\nkind: KeptnMetric\nmetadata:\n  name: up\nspec:\n  provider: {name: monitoring}\n  query: up\n",
    );
    let provider = (
        "templates/provider.yaml",
        "apiVersion: metrics.keptn.sh/v1\nkind: KeptnMetricsProvider\nmetadata:\n  name: monitoring\nspec:\n  type: prometheus\n  targetServer: http://prometheus:9090\n",
    );
    let rules = |templates: &[(&str, &str)]| {
        let generated = Call::new(chart(templates).path()).generate();
        let role = generated.find("Role", "shop-dev-stagelink").unwrap();
        let rules = role["rules"].as_array().unwrap().iter();
        let is_keptns =
            |rule: &&Value| rule["apiGroups"][0].as_str().unwrap().ends_with("keptn.sh");
        Value::Array(rules.filter(is_keptns).cloned().collect())
    };
    let get = |group: &str, resource: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": ["get"]});
    let named = |group: &str, resource: &str, name: &str| {
        let mut rule = get(group, resource);
        rule["resourceNames"] = json!([name]);
        rule
    };
    let (lifecycle, metrics) = ("lifecycle.keptn.sh", "metrics.keptn.sh");
    assert_eq!(rules(&[context, judged, metric, provider]), json!([]));
    assert_eq!(
        rules(&[context, judged, metric]),
        json!([named(metrics, "keptnmetricsproviders", "monitoring")])
    );
    // What names others is read first.
    assert_eq!(
        rules(&[context, judged]),
        json!([
            named(metrics, "keptnmetrics", "up"),
            get(metrics, "keptnmetricsproviders"),
        ])
    );
    assert_eq!(
        rules(&[context]),
        json!([
            named(lifecycle, "keptnevaluationdefinitions", "judged"),
            get(metrics, "keptnmetrics"),
            get(metrics, "keptnmetricsproviders"),
        ])
    );
}

#[test]
fn hooks_may_only_do_what_tasks_need() {
    let definitions = "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnTaskDefinition\nmetadata:\n  name: check\nspec:\n  deno:\n    functionRef:\n      name: code\n    secureParameters:\n      secret: token\n---\napiVersion: lifecycle.keptn.sh/v1\nkind: KeptnTaskDefinition\nmetadata:\n  name: code\nspec:\n  deno:\n    inline:\n      code: \"1\"\n    secureParameters:\n      secret: other\n";
    let context = "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n  preDeploymentTasks: [check]\n";
    let chart = chart(&[
        ("templates/context.yaml", context),
        ("templates/tasks.yaml", definitions),
    ]);
    let generated = Call::new(chart.path()).generate();
    let role = generated.find("Role", "shop-dev-stagelink").unwrap();
    assert_eq!(
        role["rules"],
        json!([
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"], "resourceNames": ["shop-dev-stagelink-ledger", "shop-dev-stagelink-ledger-spans"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch", "delete"]},
            {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list", "watch"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["other", "token"]},
            {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
        ])
    );
}

#[test]
fn links_come_from_values_parameter_or_the_chart_and_never_broken() {
    let links = |call: Call| {
        let generated = call.generate();
        let context = generated.find("KeptnAppContext", "shop").unwrap()["spec"]
            .get("spanLinks")
            .cloned();
        let plan: Vec<String> = generated
            .plan()
            .links
            .iter()
            .map(ToString::to_string)
            .collect();
        (context, plan, generated.stderr.contains("is left out"))
    };
    let one = (Some(json!([LINK])), vec![LINK.to_owned()], false);
    let plain = chart(&[CONTEXT]);
    assert_eq!(links(Call::new(plain.path())), (None, vec![], false));
    assert_eq!(
        links(Call::new(plain.path()).parameters(json!([string("trace-parent", LINK)]))),
        one
    );
    assert_eq!(
        links(
            Call::new(plain.path())
                .parameters(json!([string("values", &format!("traceParent: {LINK}"))]))
        ),
        one
    );
    for bad in [
        "<no value>",
        "00-00000000000000000000000000000000-f862289833f1fba3-01",
        "7",
    ] {
        assert_eq!(
            links(Call::new(plain.path()).parameters(json!([string("trace-parent", bad)]))),
            (None, vec![], true)
        );
    }
    // As in the blog: an empty value becomes a null item, a set one the link.
    let blog = chart(&[(
        "templates/context.yaml",
        "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n  metadata:\n    commitID: {{ .Values.commitID | quote }}\n  spanLinks:\n    - {{ .Values.traceParent }}\n",
    )]);
    assert_eq!(links(Call::new(blog.path())), (None, vec![], true));
    assert_eq!(
        links(Call::new(blog.path()).parameters(json!([string("trace-parent", LINK)]))),
        one
    );
    let bad = json!([string("values", "traceParent: nonsense")]);
    assert_eq!(
        links(Call::new(blog.path()).parameters(bad)),
        (None, vec![], true)
    );
}

#[test]
fn injection_can_be_chosen() {
    let chart = chart(&[CONTEXT]);
    for (inject, in_values, in_context) in [
        ("both", true, true),
        ("values", true, false),
        ("context", false, true),
        ("none", false, false),
    ] {
        let generated = Call::new(chart.path())
            .parameters(json!([string("inject", inject)]))
            .generate();
        let commit = &generated.find("ConfigMap", "config").unwrap()["data"]["commit"];
        assert_eq!(commit == REVISION, in_values, "{inject}");
        let context = generated.find("KeptnAppContext", "shop").unwrap();
        assert_eq!(
            context["spec"]["metadata"]["commitID"] == REVISION,
            in_context,
            "{inject}"
        );
    }
    let renamed = Call::new(chart.path())
        .parameters(json!([string("commit-id-value", "colour")]))
        .generate();
    assert_eq!(
        renamed.find("ConfigMap", "config").unwrap()["data"]["colour"],
        REVISION
    );
}

#[test]
fn a_closed_schema_is_not_broken_by_injection() {
    let chart = chart(&[
        ("values.yaml", "colour: red\n"),
        (
            "values.schema.json",
            r#"{"type": "object", "properties": {"colour": {"type": "string"}}, "additionalProperties": false}"#,
        ),
    ]);
    Call::new(chart.path()).generate();
    let error = Call::new(chart.path())
        .parameters(json!([string("values", "colour: 7")]))
        .error(2);
    assert!(error.contains("colour"), "{error}");
    Call::new(chart.path())
        .parameters(json!([
            string("values", "colour: 7"),
            string("skip-schema-validation", "true")
        ]))
        .generate();
}

#[test]
fn the_context_is_a_hook_by_default_and_a_resource_if_wished() {
    let chart = chart(&[CONTEXT]);
    let annotations = |call: Call| {
        call.generate().find("KeptnAppContext", "shop").unwrap()["metadata"]["annotations"].clone()
    };
    assert_eq!(
        annotations(Call::new(chart.path())),
        json!({"argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/hook-delete-policy": "HookFailed"})
    );
    assert_eq!(
        annotations(Call::new(chart.path()).parameters(json!([string("app-context", "resource")]))),
        Value::Null
    );
}

#[test]
fn a_commit_that_changes_nothing_changes_no_ordinary_resource() {
    let chart = chart(&[
        CONTEXT,
        (
            "templates/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config\ndata: {colour: {{ .Values.colour }}}\n",
        ),
    ]);
    let ordinary = |revision: &str| -> Vec<Value> {
        Call::new(chart.path())
            .set("ARGOCD_APP_REVISION", revision)
            .generate()
            .documents
            .into_iter()
            .filter(|document| {
                document["metadata"]["annotations"]["argocd.argoproj.io/hook"].is_null()
            })
            .collect()
    };
    assert_eq!(
        ordinary(REVISION),
        ordinary("fedcba9876543210fedcba9876543210fedcba98")
    );
    let names: Vec<Value> = ordinary(REVISION)
        .iter()
        .map(|document| document["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["config", "check", "shop-dev-stagelink-ledger"]);
}

#[test]
fn the_ledger_goes_with_the_application_unless_it_is_kept() {
    let chart = chart(&[CONTEXT]);
    let ledger = |parameters: Value| -> Option<Value> {
        Call::new(chart.path())
            .parameters(parameters)
            .generate()
            .find("ConfigMap", "shop-dev-stagelink-ledger")
            .cloned()
    };
    let emitted = ledger(json!([])).unwrap();
    // Without data, which Argo CD would compare with what the hooks write.
    assert_eq!(emitted["data"], Value::Null);
    // Not lost when `keep-ledger` is set later.
    let annotations = &emitted["metadata"]["annotations"];
    assert_eq!(
        annotations["argocd.argoproj.io/sync-options"],
        "Prune=false"
    );
    assert_eq!(ledger(json!([string("keep-ledger", "true")])), None);
    assert_eq!(ledger(json!([string("hooks", "false")])), None);
}

#[test]
fn the_hooks_are_as_argo_cd_runs_them_cheapest() {
    let chart = chart(&[CONTEXT]);
    let generated = Call::new(chart.path())
        .parameters(json!([
            string("hook-image", "hooks:$ARGOCD_APP_REVISION_SHORT"),
            string("hook-timeout", "10m"),
            string("deno-image", "deno:1"),
            string("python-image", "python:1"),
            string("otlp-endpoint", "http://collector:4317"),
            string("trace-url", "https://jaeger.example.com/trace/{traceId}"),
        ]))
        .generate();
    assert_eq!(generated.hooks(), ["PreSync", "PostSync", "SyncFail"]);
    for job in generated.of_kind("Job") {
        assert_eq!(job["metadata"].get("name"), None);
        assert!(
            job["metadata"]["generateName"]
                .as_str()
                .unwrap()
                .ends_with("sync-")
        );
        assert!(job["spec"]["ttlSecondsAfterFinished"].is_u64());
        assert_eq!(job["spec"]["activeDeadlineSeconds"], 600);
        let pod = &job["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(container["image"], "hooks:0123456");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            pod["volumes"][0]["configMap"]["name"],
            "shop-dev-stagelink-plan"
        );
        let names: Vec<&str> = container["env"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|variable| variable["name"].as_str())
            .collect();
        for name in [
            "STAGELINK_PLAN",
            "STAGELINK_OPERATION",
            "STAGELINK_JOB_UID",
            "STAGELINK_TERMINATION_LOG",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "STAGELINK_TRACE_URL",
            "FUNCTION_RUNNER_IMAGE",
            "PYTHON_RUNNER_IMAGE",
        ] {
            assert!(names.contains(&name), "{name}");
        }
    }
    for kind in ["ServiceAccount", "Role", "RoleBinding"] {
        let annotations =
            &generated.find(kind, "shop-dev-stagelink").unwrap()["metadata"]["annotations"];
        assert_eq!(annotations["argocd.argoproj.io/hook"], "PreSync");
        assert_eq!(
            annotations["argocd.argoproj.io/hook-delete-policy"],
            "HookSucceeded"
        );
        assert_eq!(annotations.get("argocd.argoproj.io/sync-wave"), None);
    }
    // No wildcard, and no access to secrets that nothing names.
    let role = generated
        .find("Role", "shop-dev-stagelink")
        .unwrap()
        .to_string();
    assert!(!role.contains('*') && !role.contains("secrets"), "{role}");
}

#[test]
fn hooks_can_be_pods_of_their_own() {
    let chart = chart(&[CONTEXT]);
    let generated = Call::new(chart.path())
        .parameters(json!([
            string("hook-kind", "pod"),
            string("hook-timeout", "10m")
        ]))
        .generate();
    assert!(generated.of_kind("Job").is_empty());
    assert_eq!(generated.hooks(), ["PreSync", "PostSync", "SyncFail"]);
    // SyncFail is one without being asked to: what it says last is what Argo CD shows.
    let plain = Call::new(chart.path())
        .parameters(json!([string("hook-timeout", "10m")]))
        .generate();
    assert_eq!(plain.of_kind("Job").len(), 2);
    assert_eq!(
        plain.of_kind("Pod"),
        generated.of_kind("Pod")[2..],
        "{}",
        plain.text
    );
    for pod in generated.of_kind("Pod") {
        assert!(pod["metadata"]["generateName"].is_string());
        assert_eq!(
            pod["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"],
            "HookSucceeded,HookFailed"
        );
        assert_eq!(pod["spec"]["restartPolicy"], "Never");
        assert_eq!(pod["spec"]["activeDeadlineSeconds"], 600);
        let variables = pod["spec"]["containers"][0]["env"].to_string();
        assert!(
            variables.contains(r#"{"fieldPath":"metadata.uid"}"#)
                && !variables.contains("job-name"),
            "{variables}"
        );
    }
}

#[test]
fn a_chart_without_a_context_is_traced_but_not_gated() {
    let chart = chart(&[(
        "templates/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n        - {name: web, image: \"nginx:1.27\"}\n",
    )]);
    let generated = Call::new(chart.path()).generate();
    let plan = generated.plan();
    assert_eq!((plan.app.as_str(), plan.workloads.len()), ("shop-dev", 1));
    assert_eq!(plan.workloads[0].version, "1.27");
    assert_eq!(generated.hooks(), ["PostSync", "SyncFail"]);
    let off = Call::new(chart.path())
        .parameters(json!([string("hooks", "false")]))
        .generate();
    assert_eq!(off.documents.len(), 2);
}

#[test]
fn an_existing_service_account_needs_no_role() {
    let chart = chart(&[CONTEXT]);
    let generated = Call::new(chart.path())
        .parameters(json!([string("hook-service-account", "ours")]))
        .generate();
    assert!(generated.of_kind("Role").is_empty() && generated.of_kind("ServiceAccount").is_empty());
    assert_eq!(
        generated.of_kind("Job")[0]["spec"]["template"]["spec"]["serviceAccountName"],
        "ours"
    );
}

#[test]
fn helm_hooks_keep_their_annotations_and_text() {
    let hook = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: migrate # the comment stays\n  annotations:\n    helm.sh/hook: pre-install,pre-upgrade\n    helm.sh/hook-weight: \"-5\"\n";
    let test =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: try\n  annotations: {helm.sh/hook: test}\n";
    let chart = chart(&[
        ("templates/hook.yaml", hook),
        ("templates/tests/try.yaml", test),
    ]);
    let generated = Call::new(chart.path()).generate();
    assert!(generated.text.contains(hook));
    assert!(generated.find("Pod", "try").is_some());
    let skipped = Call::new(chart.path())
        .parameters(json!([string("skip-tests", "true")]))
        .generate();
    assert!(skipped.find("Pod", "try").is_none());
}

#[test]
fn crds_come_first_unless_they_are_skipped() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: shops.example.com\n";
    let chart = chart(&[("crds/shop.yaml", crd)]);
    assert_eq!(
        Call::new(chart.path()).generate().documents[0]["kind"],
        "CustomResourceDefinition"
    );
    let skipped = Call::new(chart.path())
        .parameters(json!([string("skip-crds", "true")]))
        .generate();
    assert!(skipped.of_kind("CustomResourceDefinition").is_empty());
}

#[test]
fn a_vendored_chart_is_rendered_offline_and_a_missing_one_is_named() {
    let dependencies = "apiVersion: v2\nname: shop\nversion: 0.1.0\ndependencies:\n  - name: part\n    version: 0.1.0\n    repository: https://example.com/charts\n";
    let vendored = chart(&[
        ("Chart.yaml", dependencies),
        (
            "charts/part/Chart.yaml",
            "apiVersion: v2\nname: part\nversion: 0.1.0\n",
        ),
        (
            "charts/part/templates/part.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: part\n",
        ),
    ]);
    assert!(
        Call::new(vendored.path())
            .generate()
            .find("ConfigMap", "part")
            .is_some()
    );
    let missing = chart(&[("Chart.yaml", dependencies)]);
    let error = Call::new(missing.path()).error(2);
    assert!(error.contains("part"), "{error}");
}

#[test]
fn nothing_outside_of_the_repository_is_read() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.yaml"), "colour: s3cret\n").unwrap();
    let chart = chart(&[("a.yaml", "colour: blue\n")]);
    std::os::unix::fs::symlink(
        outside.path().join("secret.yaml"),
        chart.path().join("link.yaml"),
    )
    .unwrap();
    for file in [
        "../secret.yaml",
        "link.yaml",
        "/../../etc/passwd",
        "l*.yaml",
    ] {
        let parameters = json!([{"name": "value-files", "array": [file]}]);
        let error = Call::new(chart.path()).parameters(parameters).error(2);
        assert!(!error.contains("s3cret"), "{error}");
    }
    std::fs::remove_file(chart.path().join("link.yaml")).unwrap();
    let error = Call::new(chart.path())
        .parameters(json!([{"name": "helm-file-parameters", "map": {"colour": "/etc/passwd"}}]))
        .error(2);
    assert!(error.contains("does not exist"), "{error}");
    // A link within templates that leads out is refused with the chart.
    std::os::unix::fs::symlink(
        outside.path().join("secret.yaml"),
        chart.path().join("templates/x.yaml"),
    )
    .unwrap();
    let error = Call::new(chart.path()).error(2);
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn values_files_are_found_in_the_whole_repository() {
    let repository = tempfile::tempdir().unwrap();
    let chart = chart(&[
        ("colours/b.yaml", "colour: b\n"),
        ("colours/a.yaml", "colour: a\n"),
    ]);
    let target = repository.path().join("charts/dev");
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    std::fs::rename(chart.path(), &target).unwrap();
    std::fs::write(repository.path().join("common.yaml"), "colour: common\n").unwrap();
    let colour = |file: &str| {
        Call::new(&target)
            .set("ARGOCD_APP_SOURCE_PATH", "charts/dev")
            .parameters(json!([{"name": "value-files", "array": [file]}, string("ignore-missing-value-files", "true")]))
            .generate()
            .find("ConfigMap", "config")
            .unwrap()["data"]["colour"]
            .clone()
    };
    for (file, result) in [
        ("/common.yaml", "common"),
        ("../../common.yaml", "common"),
        ("colours/*.yaml", "b"),
        ("/charts/$ARGOCD_APP_NAMESPACE/*.yaml", "red"),
        ("none.yaml", "red"),
    ] {
        assert_eq!(colour(file), result, "{file}");
    }
}

#[test]
fn a_person_may_use_files_of_the_whole_machine() {
    let chart = chart(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("mine.yaml");
    std::fs::write(&file, "colour: mine\n").unwrap();
    let call = || {
        Call::new(chart.path())
            .parameters(json!([{"name": "value-files", "array": [file.to_str().unwrap()]}]))
    };
    call().error(2);
    let generated = call().set("STAGELINK_FILES_ROOT", "/").generate();
    assert_eq!(
        generated.find("ConfigMap", "config").unwrap()["data"]["colour"],
        "mine"
    );
}

#[test]
fn hostile_charts_end_soon_and_with_an_error() {
    for (template, part) in [
        ("{{ repeat 1000000000 \"x\" }}", ""),
        (
            "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
            "",
        ),
        ("{{ range until 2000000000 }}x{{ end }}", ""),
    ] {
        let chart = chart(&[("templates/hostile.yaml", template)]);
        let error = Call::new(chart.path()).error(2);
        assert!(
            error.contains("shop/templates/hostile.yaml") && error.contains(part),
            "{error}"
        );
    }
    let large = chart(&[]);
    std::fs::File::create(large.path().join("templates/large.yaml"))
        .unwrap()
        .set_len(6 * 1024 * 1024)
        .unwrap();
    let error = Call::new(large.path()).error(2);
    assert!(error.contains("templates/large.yaml"), "{error}");
}

#[test]
fn mistakes_in_parameters_are_said_and_secrets_are_not() {
    let chart = chart(&[]);
    for (parameters, part) in [
        (json!([string("stag", "s3cret")]), "did you mean \"stage\"?"),
        (
            json!([string("values", "a: b: s3cret")]),
            "parameter \"values\"",
        ),
        (
            json!([{"name": "value-files", "array": ["missing.yaml"]}]),
            "values file \"missing.yaml\" does not exist",
        ),
        (
            json!([{"name": "value-files", "array": ["$values/shop.yaml"]}]),
            "\"$values/shop.yaml\" is in another source",
        ),
        (
            json!([{"name": "helm-file-parameters", "map": {"a": "$ref/x"}}]),
            "\"$ref/x\" is in another source",
        ),
        (json!([string("kube-version", "newest")]), "kube-version"),
        (
            json!([string("release-name", "Not A Name")]),
            "release name",
        ),
    ] {
        let error = Call::new(chart.path()).parameters(parameters).error(2);
        assert!(error.contains(part) && !error.contains("s3cret"), "{error}");
    }
    // The repository's URL has a token, which is nowhere in the output.
    let generated = Call::new(chart.path()).generate();
    assert!(!generated.text.contains("s3cret"));
    assert_eq!(
        generated.plan().source.repo_url,
        "https://example.com/shop.git"
    );
}

#[test]
fn the_command_line_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let help = Call::new(folder.path()).run(&["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Exit codes"));
    assert_eq!(
        Call::new(folder.path()).run(&["render"]).status.code(),
        Some(2)
    );
    assert_eq!(Call::new(folder.path()).run(&[]).status.code(), Some(2));
}

#[test]
fn handlebars_templates_see_commit_and_link() {
    let chart = chart(&[(
        "templates/note.yaml.hbs",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: note\ndata:\n  commit: \"{{revision}}\"\n  link: \"{{traceParent}}\"\n",
    )]);
    let generated = Call::new(chart.path())
        .parameters(json!([string("trace-parent", LINK)]))
        .generate();
    let data = &generated.find("ConfigMap", "note").unwrap()["data"];
    assert_eq!(
        (&data["commit"], &data["link"]),
        (&json!(REVISION), &json!(LINK))
    );
}
