//! A restarted child has a task of its own for what it logs outside spans. One process, one test.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/fork.rs"]
mod fork;
mod support;

use std::path::Path;
use std::time::Duration;

use fork::{End, in_child};
use support::{Log, read};
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;
use writer_tracing::json::{Schema, TaskIds};
use writer_tracing::{JsonLayer, WriterGuard};

fn logxpy(path: &Path, ids: TaskIds) -> (JsonLayer, WriterGuard) {
    writer_tracing::builder(path).schema(Schema::Logxpy).task_ids(ids).build().unwrap()
}

#[test]
fn a_child_and_its_child_have_tasks_of_their_own() {
    let log = Log::new();
    let uuids = Log::new();
    let (short, guard) = logxpy(&log.path(), TaskIds::Short);
    let (long, other_guard) = logxpy(&uuids.path(), TaskIds::Uuid);
    tracing_subscriber::registry().with(short).with(long).init();
    let shared = info_span!("shared");
    let say = |who| {
        info!(who, place = "outside");
        info_span!("own").in_scope(|| info!(who, place = "own"));
        shared.in_scope(|| info!(who, place = "shared"));
        info!(who, place = "outside");
    };
    let both = [&guard, &other_guard];
    let restart = || both.iter().for_each(|guard| guard.restart_after_fork().unwrap());
    let end = || {
        both.iter().for_each(|guard| guard.shutdown(Duration::from_secs(10)).unwrap());
    };

    say("parent");
    in_child(&log.other(), End::Exit, || {
        restart();
        say("child");
        in_child(&log.other(), End::Exit, || {
            restart();
            say("grandchild");
            end();
        });
        end();
    });
    end();

    for path in [log.path(), uuids.path()] {
        let lines = read(&path);
        assert_eq!(lines.len(), 12, "{lines:?}");
        let ids = |who: &str, place: &str| {
            let of = lines.iter().filter(|line| line["who"] == who && line["place"] == place);
            let mut ids: Vec<_> = of.map(|line| line["tid"].as_str().unwrap()).collect();
            ids.dedup();
            let [id] = ids[..] else { panic!("{who}, {place}: {lines:?}") };
            id
        };
        let all = ["parent", "child", "grandchild"];
        let mut different: Vec<_> =
            all.iter().flat_map(|who| [ids(who, "outside"), ids(who, "own")]).collect();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), 6, "{lines:?}");
        // A span from before the fork is one task, wherever it goes on.
        for who in all {
            assert_eq!(ids(who, "shared"), ids("parent", "shared"));
        }
    }
}
