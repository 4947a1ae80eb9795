//! What keeps a promotion over git from happening: a clear error, and nothing lost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

#[path = "support/http.rs"]
mod http;
mod support;

use std::time::{Duration, Instant};

use stagelink_promotion::git::Credentials;
use stagelink_promotion::{GitTarget, PromotionError, Secret, Target, promote};
use support::{BRANCH, DEV, PROD, World, direct, executable, git, promotion, run};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_refused_push_says_what_the_server_said() {
    for hook in ["pre-receive", "update"] {
        let world = World::new();
        let v2 = world.release("v2");
        world.hook(
            hook,
            "#!/bin/sh\ncat >/dev/null\necho 'no promotion on a friday' >&2\nexit 1\n",
        );
        for target in [world.target(), direct(world.target())] {
            let error = run(&promotion(&v2), &target).await.unwrap_err();
            assert!(
                matches!(error, PromotionError::PushRefused { .. }),
                "{error}"
            );
            assert!(
                error.to_string().contains("no promotion on a friday"),
                "{error}"
            );
            assert!(!error.is_worth_another_try());
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
        assert_eq!(world.revision(BRANCH), None);
        assert_eq!(world.revision("main").unwrap(), v2);
    }
}

#[tokio::test]
async fn a_branch_in_the_way_of_the_name_is_told() {
    let world = World::new();
    let v2 = world.release("v2");
    git(
        &world.clone(),
        &["push", "--quiet", "origin", "HEAD:refs/heads/promotion"],
    );
    let error = run(&promotion(&v2), &world.target()).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::PushRefused { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("another branch has the name of a part of it"),
        "{error}"
    );
}

#[tokio::test]
async fn endless_contention_ends() {
    let world = World::new();
    let v2 = world.release("v2");
    // Somebody is always faster: the branch moves while the push is under way.
    world.hook(
        "update",
        "#!/bin/sh\nold=$(git rev-parse main)\n\
         new=$(git -c user.name=x -c user.email=x commit-tree -p $old -m faster \"$old^{tree}\")\n\
         git update-ref refs/heads/main $new\n",
    );
    let mut target = direct(world.target());
    target.attempts = 3;
    let error = run(&promotion(&v2), &target).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::Contended { attempts: 3, .. }),
        "{error}"
    );
    assert!(error.is_worth_another_try());
    assert_eq!(world.show("main", "prod/values.yaml"), PROD);
}

#[tokio::test]
async fn a_rewritten_branch_that_the_server_protects_is_refused() {
    let world = World::new();
    let v2 = world.release("v2");
    run(&promotion(&v2), &world.target()).await.unwrap();
    git(
        &world.remote(),
        &["config", "receive.denyNonFastForwards", "true"],
    );
    let v3 = world.release("v3");
    let error = run(&promotion(&v3), &world.target()).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::PushRefused { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("non-fast-forward"), "{error}");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let world = World::new();
    let v2 = world.release("v2");
    std::os::unix::fs::symlink("values.yaml", world.clone().join("prod/link.yaml")).unwrap();
    let latin = world.clone().join("prod/latin.yaml");
    std::fs::write(latin, b"a: \xe4\n").unwrap();
    let large = "x".repeat(5 * 1024 * 1024 + 1);
    world.commit(
        "odd",
        &[("prod/large.yaml", &large), ("prod/broken.yaml", "a: [\n")],
    );

    let mut cases: Vec<(&str, GitTarget, support::Change, &str)> = Vec::new();
    let mut case =
        |change: support::Change, expected| cases.push(("", world.target(), change, expected));
    case(
        |p| p.values.target_file = "prod/none.yaml".into(),
        "prod/none.yaml is not there at branch main",
    );
    case(|p| p.values.target_file = "prod".into(), "prod is a folder");
    case(
        |p| p.values.target_file = "prod/link.yaml".into(),
        "is a symbolic link",
    );
    case(
        |p| p.values.target_file = "prod/large.yaml".into(),
        "is larger than 5 MiB",
    );
    case(
        |p| p.values.target_file = "prod/latin.yaml".into(),
        "is not UTF-8 text",
    );
    case(
        |p| p.values.target_file = "prod/broken.yaml".into(),
        "prod/broken.yaml at branch main: line ",
    );
    case(
        |p| p.values.target_file = "../prod/values.yaml".into(),
        "--to-file: needs a path inside",
    );
    case(
        |p| p.values.target_file = ".git/config".into(),
        "--to-file: needs a path inside",
    );
    case(
        |p| p.values.source_file = "dev/none.yaml".into(),
        "dev/none.yaml is not there at revision ",
    );
    case(
        |p| p.values.source_file = "/etc/passwd".into(),
        "--from-file: needs a path inside",
    );
    case(
        |p| p.values.keys = vec!["image.tag".parse().unwrap()],
        "there is no image.tag",
    );
    case(|p| p.values.keys = Vec::new(), "--key: give at least one");
    case(
        |p| p.values.trace_parent_key = Some("serviceVersion.x".parse().unwrap()),
        "serviceVersion is a single value",
    );
    case(
        |p| p.revision = None,
        "--revision: the delivered revision is not known",
    );
    case(
        |p| p.revision = Some("0123456789012345678901234567890123456789".into()),
        "revision 0123456789012345678901234567890123456789 cannot be had",
    );
    case(
        |p| p.revision = Some("abc1234".into()),
        "no branch or tag has this name",
    );
    case(
        |p| p.revision = Some("1.2.3".into()),
        "no branch or tag has this name",
    );
    case(
        |p| p.revision = Some("--upload-pack=x".into()),
        "no branch or tag has this name",
    );
    case(
        |p| p.texts.branch = "a..b".into(),
        "--branch-template: `a..b` is no name for a branch",
    );
    case(
        |p| p.texts.branch = "main".into(),
        "--branch-template: `main` is the base branch",
    );
    case(
        |p| p.texts.commit = "{{nobody}}".into(),
        "the template of the commit message",
    );

    let mut none = world.target();
    none.repository = world
        .folder
        .path()
        .join("none.git")
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    cases.push(("", none, |_| {}, "there is no repository at "));
    let mut branch = world.target();
    branch.base_branch = Some("production".parse().unwrap());
    cases.push(("", branch, |_| {}, "has no branch production"));
    let empty = World::new();
    git(
        empty.folder.path(),
        &["init", "--quiet", "--bare", "empty.git"],
    );
    let mut target = world.target();
    target.source_repository = Some(target.repository);
    target.repository = empty
        .folder
        .path()
        .join("empty.git")
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    cases.push((
        "",
        target,
        |_| {},
        "has no default branch; push a first commit",
    ));
    let mut program = world.target();
    program.git = "/no/such/git".into();
    cases.push(("again", program, |_| {}, "install git"));
    let mut identity = world.target();
    identity.identity.name = "a <b>".into();
    cases.push(("", identity, |_| {}, "--author-name: "));

    let before = git(&world.remote(), &["for-each-ref"]);
    for (again, target, change, expected) in cases {
        let mut promotion = promotion(&v2);
        change(&mut promotion);
        let error = run(&promotion, &target).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
        assert_eq!(error.is_worth_another_try(), !again.is_empty(), "{error}");
    }
    assert_eq!(git(&world.remote(), &["for-each-ref"]), before);
}

#[tokio::test]
async fn a_work_tree_is_not_changed_under_somebodys_feet() {
    let world = World::new();
    let v2 = world.release("v2");
    let clone = world.clone();
    let mut target = world.target();
    target.repository = clone.to_str().unwrap().parse().unwrap();

    let error = run(&promotion(&v2), &direct(target.clone()))
        .await
        .unwrap_err();
    assert!(
        matches!(error, PromotionError::CheckedOut { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("receive.denyCurrentBranch updateInstead"),
        "{error}"
    );

    // A branch of its own is no problem, whatever the work tree is like.
    std::fs::write(clone.join("prod/values.yaml"), "being: edited\n").unwrap();
    std::fs::write(clone.join("new"), "").unwrap();
    assert!(run(&promotion(&v2), &target).await.unwrap().changed);
    assert_eq!(
        std::fs::read_to_string(clone.join("prod/values.yaml")).unwrap(),
        "being: edited\n"
    );
    assert_eq!(
        git(&clone, &["status", "--porcelain"]),
        " M prod/values.yaml\n?? new"
    );

    // With a work tree that may be updated, changes that are not committed are not lost.
    git(
        &clone,
        &["config", "receive.denyCurrentBranch", "updateInstead"],
    );
    let error = run(&promotion(&v2), &direct(target.clone()))
        .await
        .unwrap_err();
    assert!(matches!(error, PromotionError::Dirty { .. }), "{error}");
    assert_eq!(
        std::fs::read_to_string(clone.join("prod/values.yaml")).unwrap(),
        "being: edited\n"
    );
    git(&clone, &["checkout", "--quiet", "."]);
    assert!(run(&promotion(&v2), &direct(target)).await.unwrap().changed);
    assert!(
        std::fs::read_to_string(clone.join("prod/values.yaml"))
            .unwrap()
            .contains("v2")
    );
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_nothing_is_left_running() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/repository.git", silent.local_addr().unwrap());
    let target = |timeout| {
        let mut target = GitTarget::new(url.parse().unwrap());
        target.timeout = timeout;
        target
    };
    let began = Instant::now();
    let error = run(&promotion("main"), &target(Duration::from_millis(700)))
        .await
        .unwrap_err();
    assert!(matches!(error, PromotionError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("longer than 0.7 s"), "{error}");
    assert!(error.is_worth_another_try());
    assert!(began.elapsed() >= Duration::from_millis(700));

    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    });
    let hanging = Target::Git(Box::new(target(Duration::from_secs(600))));
    let error = promote(&promotion("main"), &hanging, &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, PromotionError::Cancelled), "{error}");

    // A promotion that is dropped ends its git as well.
    let dropped = tokio::time::timeout(
        Duration::from_millis(300),
        promote(&promotion("main"), &hanging, &CancellationToken::new()),
    )
    .await;
    assert!(dropped.is_err());

    let running = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.unwrap().path().join("cmdline")).ok())
            .filter(|line| String::from_utf8_lossy(line).contains(&url))
            .count()
    };
    // The kernel may take a moment to bury them.
    for _ in 0..50 {
        if running() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} processes are left", running());
}

/// `Basic me:s3cret`
const BASIC: &str = "Basic bWU6czNjcmV0";

#[tokio::test]
async fn credentials_reach_the_server_and_nobody_else() {
    let world = World::new();
    git(&world.remote(), &["config", "http.receivepack", "true"]);
    let v2 = world.release("v2");
    let address = http::git_server(world.folder.path().to_owned(), BASIC).await;
    // A git that notes how it is called.
    let log = world.folder.path().join("log");
    let program = world.folder.path().join("bin/git");
    executable(
        &program,
        &format!(
            "#!/bin/sh\n{{ printf 'ARGS %s\\n' \"$*\"; env | grep -v '^STAGELINK_GIT_' | sed 's/^/ENV /'; \
             test -e \"$GIT_DIR/config\" && sed 's/^/CONFIG /' \"$GIT_DIR/config\" \"$GIT_CONFIG_GLOBAL\"; }} >>{}\nexec git \"$@\"\n",
            log.display()
        ),
    );
    let mut target = GitTarget::new(format!("http://{address}/remote.git").parse().unwrap());
    target.git = program;
    target.credentials = Some(Credentials {
        username: "me".into(),
        password: Secret::new("s3cret"),
    });
    let done = run(&promotion(&v2), &target).await.unwrap();
    assert!(done.changed);
    assert!(world.show(BRANCH, "prod/values.yaml").contains("v2"));
    let noted = std::fs::read_to_string(&log).unwrap();
    assert!(
        noted.contains("ARGS push") && noted.contains("CONFIG \thelper"),
        "{noted}"
    );
    assert!(
        !noted.contains("s3cret"),
        "a secret where others can see it"
    );
    assert!(noted.contains("ENV GIT_TERMINAL_PROMPT=0"));
    for line in noted.lines().filter_map(|line| line.strip_prefix("ENV ")) {
        let name = line.split('=').next().unwrap();
        assert!(
            !name.starts_with("CARGO"),
            "the environment is not clean: {line}"
        );
    }
    // Nothing of it is left.
    let folder = noted
        .lines()
        .find_map(|line| line.strip_prefix("ENV GIT_CONFIG_GLOBAL="))
        .unwrap();
    assert!(!std::path::Path::new(folder).parent().unwrap().exists());

    // The same where there is no shell for a helper: git asks a program.
    let v2b = world.release("v2b");
    let asked = world.folder.path().join("asked");
    let askpass = world.folder.path().join("bin/askpass");
    executable(
        &askpass,
        &format!(
            "#!/bin/sh\nprintf '%s %s\\n' \"$STAGELINK_GIT_ORIGIN_0\" \"$1\" >>{}\n\
             case $1 in U*) echo \"$STAGELINK_GIT_USERNAME_0\";; P*) echo \"$STAGELINK_GIT_PASSWORD_0\";; esac\n",
            asked.display()
        ),
    );
    std::fs::remove_file(&log).unwrap();
    target.askpass = Some(askpass);
    run(&promotion(&v2b), &target).await.unwrap();
    assert!(world.show(BRANCH, "prod/values.yaml").contains("v2b"));
    let noted = std::fs::read_to_string(&log).unwrap();
    assert!(
        !noted.contains("helper") && !noted.contains("s3cret"),
        "{noted}"
    );
    let asked = std::fs::read_to_string(&asked).unwrap();
    for question in [
        format!("http://{address} Username for 'http://{address}': \n"),
        format!("http://{address} Password for 'http://me@{address}': \n"),
    ] {
        assert!(asked.contains(&question), "{asked}");
    }

    // In the address, as people have it: the address is never shown with it.
    let v3 = world.release("v3");
    let mut target = GitTarget::new(
        format!("http://me:s3cret@{address}/remote.git")
            .parse()
            .unwrap(),
    );
    let done = run(&promotion(&v3), &target).await.unwrap();
    assert!(!format!("{done:?} {target:?}").contains("s3cret"));

    target.credentials = Some(Credentials {
        username: "me".into(),
        password: Secret::new("wr0ng"),
    });
    let error = run(&promotion(&v3), &target).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::Credentials { .. }),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error}");
    target = GitTarget::new(format!("http://{address}/remote.git").parse().unwrap());
    let error = run(&promotion(&v3), &target).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::Credentials { .. }),
        "{error}"
    );

    // A repository that is not there, and a server that is not there.
    target = GitTarget::new(
        format!("http://me:s3cret@{address}/none.git")
            .parse()
            .unwrap(),
    );
    let error = run(&promotion(&v3), &target).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::NoRepository { .. }),
        "{error}"
    );
    target = GitTarget::new("http://127.0.0.1:1/none.git".parse().unwrap());
    let error = run(&promotion(&v3), &target).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::Unreachable { .. }),
        "{error}"
    );
    assert!(error.is_worth_another_try());
}

#[tokio::test]
async fn ssh_never_asks_and_its_refusals_are_told_apart() {
    let world = World::new();
    let v2 = world.release("v2");
    let bin = world.folder.path().join("bin");
    let log = world.folder.path().join("ssh.log");
    // What stands for the network: runs the other side's git here.
    let connected = format!(
        "#!/bin/sh\necho \"$*\" >>{}\nfor last; do :; done\nexec sh -c \"$last\"\n",
        log.display()
    );
    let program = world.folder.path().join("git-with-this-ssh");
    let script = format!(
        "#!/bin/sh\nexport PATH={}:$PATH\nexec git \"$@\"\n",
        bin.display()
    );
    executable(&program, &script);
    let path = world.remote();
    let key = world.folder.path().join("a key");
    for address in [
        format!("ssh://git@forge.example:2222{}", path.display()),
        format!("git@forge.example:{}", path.display()),
    ] {
        executable(&bin.join("ssh"), &connected);
        let mut target = GitTarget::new(address.parse().unwrap());
        target.git.clone_from(&program);
        target.ssh_key = Some(key.clone());
        target.ssh_known_hosts = Some("/etc/known hosts".into());
        run(&promotion(&v2), &target).await.unwrap();
        let called = std::fs::read_to_string(&log).unwrap();
        for part in [
            "-o BatchMode=yes -o ConnectTimeout=20",
            "-oUserKnownHostsFile=\"/etc/known hosts\" -i/",
            "/a key -o IdentitiesOnly=yes ",
            "git@forge.example git-upload-pack",
        ] {
            assert!(called.contains(part), "{part}: {called}");
        }
        for (said, expected) in [
            (
                "git@forge.example: Permission denied (publickey).",
                "refuses these credentials",
            ),
            (
                "Host key verification failed.",
                "give its host key (--ssh-known-hosts)",
            ),
            (
                "ssh: Could not resolve hostname forge.example: Name or service not known",
                "cannot be reached",
            ),
            (
                "ssh: connect to host forge.example port 22: Connection refused",
                "cannot be reached",
            ),
            ("ERROR: Repository not found.", "there is no repository at"),
        ] {
            executable(
                &bin.join("ssh"),
                &format!("#!/bin/sh\necho '{said}' >&2\nexit 255\n"),
            );
            let error = run(&promotion(&v2), &target).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{said}: {error}");
        }
        target.ssh_key = Some("it's".into());
        assert!(
            run(&promotion(&v2), &target)
                .await
                .unwrap_err()
                .to_string()
                .starts_with("--ssh-key: ")
        );
        std::fs::remove_file(&log).unwrap();
    }
}

#[tokio::test]
async fn an_old_server_that_gives_out_only_branches_is_searched() {
    let world = World::new();
    let v2 = world.release("v2");
    world.release("v3");
    // Protocol 0, whatever is asked for: no single commits.
    git(
        &world.remote(),
        &["config", "uploadpack.allowAnySHA1InWant", "false"],
    );
    let program = world.folder.path().join("bin/git");
    executable(
        &program,
        "#!/bin/sh\nunset GIT_PROTOCOL\nexec git -c protocol.version=0 \"$@\"\n",
    );
    let mut target = world.target();
    target.git = program;
    run(&promotion(&v2), &target).await.unwrap();
    assert!(
        world
            .show(BRANCH, "prod/values.yaml")
            .contains("serviceVersion: v2")
    );
    let mut none = promotion(&v2);
    none.revision = Some("0123456789012345678901234567890123456789".into());
    let error = run(&none, &target).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::NoRevision { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_version_is_only_ever_a_text() {
    let world = World::new();
    let odd = r#""v2; touch x $(id) `id` --\e[31m\nStagelink-App: other\n""#;
    let v2 = world.commit("odd", &[("dev/values.yaml", &DEV.replace("v1", odd))]);
    let done = run(&promotion(&v2), &world.target()).await.unwrap();
    let written = world.show(BRANCH, "prod/values.yaml");
    assert!(written.contains(r#"serviceVersion: "v2; touch x $(id) `id` --\x1B[31m\nStagelink-App: other\n" # the service"#), "{written}");
    let message = git(&world.remote(), &["log", "-1", "--format=%B", BRANCH]);
    for shown in [&message, &done.summary, &done.body] {
        assert!(
            !shown.contains('\u{1b}') && !shown.contains("\nStagelink-App: other"),
            "{shown}"
        );
    }
    assert_eq!(
        git(
            &world.remote(),
            &[
                "log",
                "-1",
                "--format=%(trailers:key=Stagelink-App,valueonly)",
                BRANCH
            ]
        ),
        "simple-go"
    );
}
