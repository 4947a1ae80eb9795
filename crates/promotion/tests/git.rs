//! Promotions in real repositories by the real git: what is proposed, and how often.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stagelink_promotion::{Forge, PromotionError, Proposal, Proposed};

use support::{BRANCH, LINK, OTHER_LINK, PROD, World, direct, git, promotion, run};

/// prod's values as they are after a promotion.
fn promoted(version: &str, link: &str) -> String {
    PROD.replace("v1", version)
        .replace("traceParent: \"\"", &format!("traceParent: \"{link}\""))
}

#[tokio::test]
async fn a_branch_with_one_commit_is_proposed() {
    let world = World::new();
    let v2 = world.release("v2");
    let before = world.revision("main").unwrap();

    let done = run(&promotion(&v2), &world.target()).await.unwrap();
    assert!(done.changed);
    assert_eq!(done.branch.as_deref(), Some(BRANCH));
    assert_eq!(done.files, ["prod/values.yaml"]);
    assert_eq!(done.commit, world.revision(BRANCH));
    assert_eq!(
        world.revision("main").unwrap(),
        before,
        "the base branch is left alone"
    );
    assert_eq!(world.show(BRANCH, "prod/values.yaml"), promoted("v2", LINK));
    assert_eq!(world.show(BRANCH, "README"), "hello\n");
    assert_eq!(world.revision(&format!("{BRANCH}^")).unwrap(), before);
    let log = |format: &str| {
        git(
            &world.remote(),
            &["log", "-1", &format!("--format={format}"), BRANCH],
        )
    };
    assert_eq!(
        log("%B"),
        format!(
            "Promote simple-go from dev to prod\n\n\
             - serviceVersion: v1 -> v2\n- backendServiceVersion: v1 -> v2\n\n\
             Stagelink-App: simple-go\nStagelink-Stage: prod\nStagelink-File: prod/values.yaml\n\
             Stagelink-Delivery: 2.1\nStagelink-Traceparent: {LINK}\n\
             Promoted-From-Stage: dev\nPromoted-From-Revision: {v2}\n"
        )
        .trim_end()
    );
    assert_eq!(log("%(trailers:key=Promoted-From-Revision,valueonly)"), v2);
    assert_eq!(
        log("%an <%ae> %cn <%ce>"),
        "Stagelink <promotion@stagelink.invalid> Stagelink <promotion@stagelink.invalid>"
    );
    let details = done.details();
    assert_eq!(details["promotion.changed"], "true");
    assert_eq!(details["promotion.branch"], BRANCH);
    assert_eq!(Some(&details["promotion.commit"]), done.commit.as_ref());
    assert!(details["promotion.target"].ends_with("remote.git"));
}

#[tokio::test]
async fn a_repeated_promotion_does_nothing_and_says_so() {
    let world = World::new();
    let v2 = world.release("v2");
    let mut promotion = promotion(&v2);
    let first = run(&promotion, &world.target()).await.unwrap();

    // Another attempt at the same delivery has another span; the versions are the same.
    promotion.trace_parent = Some(OTHER_LINK.parse().unwrap());
    let second = run(&promotion, &world.target()).await.unwrap();
    assert!(!second.changed);
    assert_eq!(
        (second.branch.as_deref(), &second.commit),
        (Some(BRANCH), &first.commit)
    );
    assert!(
        second
            .summary
            .starts_with("nothing to do: branch promotion/simple-go/prod"),
        "{}",
        second.summary
    );

    // Unless it was asked for.
    promotion.values.always_trace_parent = true;
    let third = run(&promotion, &world.target()).await.unwrap();
    assert!(third.changed);
    assert_eq!(
        world.show(BRANCH, "prod/values.yaml"),
        promoted("v2", OTHER_LINK)
    );
    assert!(!run(&promotion, &world.target()).await.unwrap().changed);
}

#[tokio::test]
async fn the_open_branch_is_updated() {
    let world = World::new();
    let v2 = world.release("v2");
    run(&promotion(&v2), &world.target()).await.unwrap();
    let v3 = world.release("v3");
    world.commit("more", &[("README", "bye\n")]);

    let done = run(&promotion(&v3), &world.target()).await.unwrap();
    assert!(done.changed);
    assert_eq!(world.show(BRANCH, "prod/values.yaml"), promoted("v3", LINK));
    assert_eq!(world.show(BRANCH, "README"), "bye\n");
    assert_eq!(
        world.revision(&format!("{BRANCH}^")),
        world.revision("main"),
        "one commit on top of the base branch"
    );
    let branches = git(
        &world.remote(),
        &["for-each-ref", "--format=%(refname:short)"],
    );
    assert_eq!(branches.lines().collect::<Vec<_>>(), ["main", BRANCH]);
}

#[tokio::test]
async fn a_merge_of_the_base_branch_into_the_open_branch_is_no_work_of_others() {
    let world = World::new();
    let v2 = world.release("v2");
    run(&promotion(&v2), &world.target()).await.unwrap();
    let v3 = world.release("v3");
    // What the button "update branch" of a forge does.
    let clone = world.clone();
    git(&clone, &["fetch", "--quiet", "origin"]);
    git(
        &clone,
        &[
            "switch",
            "--quiet",
            "-c",
            BRANCH,
            &format!("origin/{BRANCH}"),
        ],
    );
    git(&clone, &["merge", "--quiet", "--no-edit", "origin/main"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD"]);

    let same = run(&promotion(&v2), &world.target()).await.unwrap();
    assert!(!same.changed, "{}", same.summary);
    let done = run(&promotion(&v3), &world.target()).await.unwrap();
    assert!(done.changed);
    assert_eq!(world.show(BRANCH, "prod/values.yaml"), promoted("v3", LINK));
}

#[tokio::test]
async fn commits_of_others_on_the_branch_are_never_lost() {
    let world = World::new();
    let v2 = world.release("v2");
    run(&promotion(&v2), &world.target()).await.unwrap();
    let v3 = world.release("v3");
    let clone = world.clone();
    git(&clone, &["fetch", "--quiet", "origin"]);
    git(
        &clone,
        &[
            "switch",
            "--quiet",
            "-c",
            BRANCH,
            &format!("origin/{BRANCH}"),
        ],
    );
    let theirs = world.commit("a person's", &[("README", "mine\n")]);

    let error = run(&promotion(&v3), &world.target()).await.unwrap_err();
    assert!(matches!(error, PromotionError::Diverged { .. }), "{error}");
    assert!(!error.is_worth_another_try());
    assert!(error.to_string().contains(&theirs[..12]), "{error}");
    assert_eq!(world.revision(BRANCH).unwrap(), theirs);
    // As long as the branch has the same versions there is nothing to lose.
    assert!(!run(&promotion(&v2), &world.target()).await.unwrap().changed);
}

#[tokio::test]
async fn after_the_merge_there_is_nothing_to_promote() {
    let world = World::new();
    let v2 = world.release("v2");
    run(&promotion(&v2), &world.target()).await.unwrap();
    let clone = world.clone();
    git(&clone, &["fetch", "--quiet", "origin"]);
    git(
        &clone,
        &[
            "merge",
            "--quiet",
            "--no-ff",
            "--no-edit",
            &format!("origin/{BRANCH}"),
        ],
    );
    git(&clone, &["push", "--quiet", "origin", "HEAD"]);

    let again = run(&promotion(&v2), &world.target()).await.unwrap();
    assert!(!again.changed);
    assert_eq!(again.notes, Vec::<String>::new());
    assert!(
        again.summary.starts_with("nothing to promote: main of "),
        "{}",
        again.summary
    );
    assert!(again.files.is_empty() && again.commit.is_none());

    // The branch is left from then on; the next promotion uses it again.
    let v3 = world.release("v3");
    assert!(run(&promotion(&v3), &world.target()).await.unwrap().changed);
    assert_eq!(world.show(BRANCH, "prod/values.yaml"), promoted("v3", LINK));

    // Back in dev to what prod has: the open branch is out of date, and that is said.
    let back = world.release("v2");
    let back = run(&promotion(&back), &world.target()).await.unwrap();
    assert!(!back.changed);
    assert!(
        back.notes[0].contains("still proposes other values"),
        "{:?}",
        back.notes
    );
}

#[tokio::test]
async fn the_values_are_those_of_the_delivered_revision() {
    let world = World::new();
    let v2 = world.release("v2");
    world.release("v3");
    run(&promotion(&v2), &world.target()).await.unwrap();
    assert_eq!(world.show(BRANCH, "prod/values.yaml"), promoted("v2", LINK));
}

#[tokio::test]
async fn a_revision_can_be_a_tag_or_a_branch() {
    for name in ["v2-tag", "release", "refs/tags/v2-tag", "HEAD"] {
        let world = World::new();
        world.release("v2");
        git(&world.clone(), &["tag", "-a", "v2-tag", "-m", "annotated"]);
        git(
            &world.clone(),
            &[
                "push",
                "--quiet",
                "origin",
                "v2-tag",
                "HEAD:refs/heads/release",
            ],
        );
        let done = run(&promotion(name), &world.target()).await;
        assert!(done.unwrap().changed, "{name}");
        assert_eq!(
            world.show(BRANCH, "prod/values.yaml"),
            promoted("v2", LINK),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_direct_commit_goes_on_the_base_branch() {
    let world = World::new();
    let v2 = world.release("v2");
    let target = direct(world.target());
    let done = run(&promotion(&v2), &target).await.unwrap();
    assert!(done.changed);
    assert_eq!(
        (done.branch.as_deref(), done.commit),
        (Some("main"), world.revision("main"))
    );
    assert_eq!(world.show("main", "prod/values.yaml"), promoted("v2", LINK));
    assert_eq!(world.revision("main^").unwrap(), v2);
    assert_eq!(world.revision(BRANCH), None);
    assert!(!run(&promotion(&v2), &target).await.unwrap().changed);
}

#[tokio::test]
async fn by_file_url_with_another_base_branch_and_another_source() {
    let world = World::new();
    let elsewhere = World::new();
    let v2 = elsewhere.release("v2");
    git(
        &world.clone(),
        &["push", "--quiet", "origin", "HEAD:refs/heads/production"],
    );
    world.release("v7");
    let url = |world: &World| {
        format!("file://{}", world.remote().display())
            .parse()
            .unwrap()
    };
    let mut target = world.target();
    target.repository = url(&world);
    target.source_repository = Some(url(&elsewhere));
    target.base_branch = Some("production".parse().unwrap());
    run(&promotion(&v2), &target).await.unwrap();
    assert_eq!(world.show(BRANCH, "prod/values.yaml"), promoted("v2", LINK));
    assert_eq!(
        world.revision(&format!("{BRANCH}^")),
        world.revision("production")
    );
}

#[tokio::test]
async fn mode_and_line_endings_of_the_file_stay() {
    let world = World::new();
    let prod = PROD.replace('\n', "\r\n");
    world.commit(
        "windows",
        &[
            ("prod/values.yaml", &prod),
            (".gitattributes", "* text=auto eol=lf\n"),
        ],
    );
    // As it is in the repository: .gitattributes turns it into LF when a person adds it.
    git(
        &world.clone(),
        &["update-index", "--chmod=+x", "prod/values.yaml"],
    );
    let blob = world.clone().join("blob");
    std::fs::write(&blob, &prod).unwrap();
    let id = git(
        &world.clone(),
        &["hash-object", "-w", "--no-filters", "blob"],
    );
    std::fs::remove_file(blob).unwrap();
    git(
        &world.clone(),
        &[
            "update-index",
            "--cacheinfo",
            &format!("100755,{id},prod/values.yaml"),
        ],
    );
    git(
        &world.clone(),
        &["commit", "--quiet", "-m", "executable, CRLF"],
    );
    git(&world.clone(), &["push", "--quiet", "origin", "HEAD"]);
    git(&world.clone(), &["reset", "--quiet", "--hard"]);
    let v2 = world.release("v2");
    run(&promotion(&v2), &world.target()).await.unwrap();
    assert_eq!(
        world.show(BRANCH, "prod/values.yaml"),
        promoted("v2", LINK).replace('\n', "\r\n")
    );
    let listed = git(&world.remote(), &["ls-tree", BRANCH, "prod/values.yaml"]);
    assert!(listed.starts_with("100755 "), "{listed}");
}

#[tokio::test]
async fn a_missing_and_a_duplicated_trace_parent_are_put_right() {
    for (prod, after) in [
        (
            "serviceVersion: v1\nbackendServiceVersion: v1\n",
            format!("serviceVersion: v2\nbackendServiceVersion: v2\ntraceParent: {LINK}\n"),
        ),
        (
            "traceParent: a\nserviceVersion: v1\nbackendServiceVersion: v1\ntraceParent: b\n",
            format!("serviceVersion: v2\nbackendServiceVersion: v2\ntraceParent: {LINK}\n"),
        ),
    ] {
        let world = World::new();
        world.commit("prod", &[("prod/values.yaml", prod)]);
        let v2 = world.release("v2");
        let done = run(&promotion(&v2), &world.target()).await.unwrap();
        assert_eq!(world.show(BRANCH, "prod/values.yaml"), after);
        assert_eq!(
            done.notes.len(),
            prod.matches("traceParent").count() / 2,
            "{:?}",
            done.notes
        );
        assert!(done.notes.iter().all(|note| done.summary.contains(note)));
    }
}

#[tokio::test]
async fn others_that_push_at_the_same_time_lose_nothing() {
    let world = World::new();
    let names: Vec<String> = (0..6).map(|n| format!("s{n}")).collect();
    let all = |version: &str| {
        names
            .iter()
            .map(|name| format!("{name}: {version}\n"))
            .collect::<String>()
    };
    world.commit("prod", &[("prod/values.yaml", &all("v1"))]);
    let v2 = world.commit("dev", &[("dev/values.yaml", &all("v2"))]);

    let mut running = tokio::task::JoinSet::new();
    for name in &names {
        let mut promotion = promotion(&v2);
        promotion.app.clone_from(name);
        promotion.values.keys = vec![name.parse().unwrap()];
        promotion.values.trace_parent_key = None;
        let mut target = direct(world.target());
        target.attempts = 50;
        running.spawn(async move { run(&promotion, &target).await });
    }
    for ended in running.join_all().await {
        assert!(ended.unwrap().changed);
    }
    assert_eq!(world.show("main", "prod/values.yaml"), all("v2"));
    let commits = git(
        &world.remote(),
        &["rev-list", "--count", &format!("{v2}..main")],
    );
    assert_eq!(commits, "6");
}

#[tokio::test]
async fn the_same_promotion_twice_at_the_same_time_is_one_change() {
    let world = World::new();
    let v2 = world.release("v2");
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (promotion, target) = (promotion(&v2), world.target());
        running.spawn(async move { run(&promotion, &target).await.unwrap() });
    }
    let done = running.join_all().await;
    assert_eq!(done.iter().filter(|done| done.changed).count(), 1);
    assert!(
        done.iter()
            .all(|done| done.commit == world.revision(BRANCH))
    );
}

#[tokio::test]
async fn a_promotion_that_was_cut_short_is_completed_by_the_next() {
    // Somewhere in the middle of it, and a little later each time.
    for milliseconds in (10..200).step_by(15) {
        let world = World::new();
        let v2 = world.release("v2");
        let (promotion, target) = (promotion(&v2), world.target());
        let cut = Duration::from_millis(milliseconds);
        let _ = tokio::time::timeout(cut, run(&promotion, &target)).await;

        run(&promotion, &target).await.unwrap();
        assert_eq!(world.show(BRANCH, "prod/values.yaml"), promoted("v2", LINK));
        assert_eq!(world.revision(&format!("{BRANCH}^")).unwrap(), v2);
        let branches = git(
            &world.remote(),
            &["for-each-ref", "--format=%(refname:short)"],
        );
        assert_eq!(branches.lines().collect::<Vec<_>>(), ["main", BRANCH]);
        git(&world.remote(), &["fsck", "--strict"]);
    }
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl Forge for Recorder {
    async fn propose(&self, change: &Proposal<'_>) -> Result<Proposed, PromotionError> {
        let mut seen = self.0.lock().unwrap();
        seen.push(format!(
            "{} <- {}: {}\n{}",
            change.base, change.branch, change.title, change.body
        ));
        Ok(Proposed {
            url: "https://forge.example/changes/1".into(),
            changed: seen.len() == 1,
        })
    }
}

#[tokio::test]
async fn a_forge_is_asked_each_time_so_that_what_was_cut_short_is_completed() {
    let world = World::new();
    let v2 = world.release("v2");
    let forge = Arc::new(Recorder::default());
    let mut target = world.target();
    target.forge = Some(forge.clone());
    let first = run(&promotion(&v2), &target).await.unwrap();
    assert_eq!(
        first.url.as_deref(),
        Some("https://forge.example/changes/1")
    );
    let second = run(&promotion(&v2), &target).await.unwrap();
    assert!(first.changed && !second.changed);
    let seen = forge.0.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(
        seen[0]
            .starts_with("main <- promotion/simple-go/prod: Promote simple-go from dev to prod\n"),
        "{}",
        seen[0]
    );
    assert!(
        seen[0].contains("| `serviceVersion` | v1 | v2 |"),
        "{}",
        seen[0]
    );
}
