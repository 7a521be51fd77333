//! A stored trace is executed again.

use crate::support::*;
use carronade_trace::{Verdict, Work, Worker, segments, verify};
use std::time::Duration;

#[test]
fn every_segment_of_a_true_trace_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = open("oracle", folder.path(), translator(), oracle()).unwrap();
    trace.end().unwrap();
    let store = store(folder.path(), "oracle");
    let segments = segments(&store).unwrap();
    assert!(segments.len() > 10, "{} segments", segments.len());
    for segment in segments {
        for engine in [interpreter(), translator()] {
            let verdict = verify(&store, segment, &engine, &|| false).unwrap();
            assert_eq!(verdict, Verdict::Confirmed);
        }
    }
}

#[test]
fn workers_share_a_trace_and_each_segment_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = open("oracle", folder.path(), translator(), oracle()).unwrap();
    trace.end().unwrap();
    // What is written beside the run is to be there.
    trace.flush().unwrap();
    let store = store(folder.path(), "oracle");
    let all = segments(&store).unwrap();
    let worker = |name: &str| {
        let time = Duration::from_secs(60);
        Worker::new(store.clone(), "first", name.into(), time).unwrap()
    };
    let (mut one, mut other) = (worker("one"), worker("other"));
    let mut done = Vec::new();
    loop {
        let mut at_work = false;
        for worker in [&mut one, &mut other] {
            if let Some(Work::Done(segment, verdict)) =
                worker.work(&translator(), &|| false).unwrap()
            {
                assert_eq!(verdict, Verdict::Confirmed);
                done.push(segment);
                at_work = true;
            }
        }
        if !at_work {
            break;
        }
    }
    done.sort_by_key(|segment| segment.from.step);
    done.dedup();
    assert_eq!(done, all);
}
