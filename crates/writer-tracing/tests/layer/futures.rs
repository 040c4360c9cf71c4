//! Futures that move between threads, and functions made spans by `#[instrument]`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use crate::support::{all_with, spans};
use serde_json::{Map, Value, json};
use tracing::{Dispatch, Instrument, dispatcher, info, info_span, instrument};
use writer_tracing::SpanEvents;
use writer_tracing::json::Part;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Gives the thread back once.
struct Yield(bool);

fn pause() -> Yield {
    Yield(false)
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

struct Woken;

impl Wake for Woken {
    fn wake(self: Arc<Self>) {}
}

/// Runs the tasks to their ends; a task that is not ready goes on in the next thread.
fn run(threads: usize, tasks: Vec<Task>) {
    let dispatch = dispatcher::get_default(Dispatch::clone);
    let left = Mutex::new(tasks.len());
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::channel()).unzip();
    for (number, task) in tasks.into_iter().enumerate() {
        senders[number % threads].send(Some(task)).unwrap();
    }
    std::thread::scope(|scope| {
        for (number, receiver) in receivers.into_iter().enumerate() {
            let (senders, dispatch, left) = (senders.clone(), &dispatch, &left);
            let work = move || {
                let waker = Waker::from(Arc::new(Woken));
                while let Ok(Some(mut task)) = receiver.recv() {
                    match task.as_mut().poll(&mut Context::from_waker(&waker)) {
                        Poll::Pending => senders[(number + 1) % threads].send(Some(task)).unwrap(),
                        Poll::Ready(()) => {
                            drop(task);
                            let mut left = left.lock().unwrap();
                            *left -= 1;
                            if *left == 0 {
                                senders.iter().for_each(|sender| drop(sender.send(None)));
                            }
                        }
                    }
                }
            };
            scope.spawn(move || dispatcher::with_default(dispatch, work));
        }
    });
}

fn lines(body: impl FnOnce()) -> Vec<Map<String, Value>> {
    all_with(|builder| builder.show(Part::Span).show(Part::ThreadId), body)
}

#[test]
fn a_future_takes_its_spans_from_thread_to_thread() {
    const TASKS: usize = 12;
    const STEPS: usize = 9;
    let lines = lines(|| {
        let task = |task: usize| -> Task {
            let steps = async move {
                for step in 0..STEPS {
                    let inner = async {
                        info!(task, step, "before");
                        pause().await;
                        info!(task, step, "after");
                    };
                    inner.instrument(info_span!("step", step)).await;
                }
            };
            Box::pin(steps.instrument(info_span!("task", task)))
        };
        run(3, (0..TASKS).map(task).collect());
    });
    assert_eq!(lines.len(), TASKS * STEPS * 2);
    let mut threads = std::collections::HashSet::new();
    for line in &lines {
        threads.insert(line["thread_id"].as_u64().unwrap());
        let (task, step) = (&line["task"], &line["step"]);
        let expected = json!([{"name": "task", "task": task}, {"name": "step", "step": step}]);
        assert_eq!(line["spans"], expected);
        assert_eq!(line["span"], expected[1]);
    }
    assert_eq!(threads.len(), 3);
}

#[test]
fn a_thread_that_a_future_has_left_is_in_no_span() {
    let lines = lines(|| {
        let waker = Waker::from(Arc::new(Woken));
        let mut context = Context::from_waker(&waker);
        let inside = async {
            info!("inside");
            pause().await;
            info!("inside");
        };
        let mut task: Task = Box::pin(inside.instrument(info_span!("task")));
        assert!(task.as_mut().poll(&mut context).is_pending());
        info!("outside");
        info_span!("other").in_scope(|| assert!(task.as_mut().poll(&mut context).is_ready()));
        drop(task);
    });
    let seen: Vec<_> = lines.iter().map(spans).collect();
    assert_eq!(seen, [r#"[{"name":"task"}]"#, "", r#"[{"name":"task"}]"#]);
}

#[derive(Debug)]
struct Failure;

#[instrument(fields(kind = "test"), skip(secret), err(Debug))]
async fn asynchronous(id: u32, secret: &str) -> Result<usize, Failure> {
    pause().await;
    info!("inside");
    if secret.is_empty() { Err(Failure) } else { Ok(secret.len()) }
}

#[instrument(ret, target = "shop", name = "renamed")]
fn synchronous(r#type: u8, bytes: &[u8]) -> u8 {
    info!(r#type, bytes, "inside");
    r#type + 1
}

#[test]
fn instrumented_functions_are_spans() {
    let lines = lines(|| {
        let both = async {
            assert_eq!(asynchronous(1, "secret").await.unwrap(), 6);
            assert!(asynchronous(2, "").await.is_err());
            assert_eq!(synchronous(7, &[0, 0xff]), 8);
        };
        run(2, vec![Box::pin(both)]);
    });
    let seen: Vec<_> = lines.iter().map(|line| line.contains_key("message")).collect();
    assert_eq!(seen, [true, true, false, true, false]);
    assert_eq!(spans(&lines[0]), r#"[{"id":1,"kind":"test","name":"asynchronous"}]"#);
    let failed = r#"[{"id":2,"kind":"test","name":"asynchronous"}]"#;
    assert_eq!((spans(&lines[1]), spans(&lines[2])), (failed.to_owned(), failed.to_owned()));
    assert_eq!((&lines[2]["level"], &lines[2]["error"]), (&json!("ERROR"), &json!("Failure")));
    assert_eq!((&lines[3]["type"], &lines[3]["bytes"]), (&json!(7), &json!("00ff")));
    // `#[instrument]` records what is no number, bool or str by `Debug`.
    let renamed = json!([{"name": "renamed", "type": 7, "bytes": "[0, 255]"}]);
    assert_eq!((&lines[3]["spans"], &lines[4]["spans"]), (&renamed, &renamed));
    assert_eq!((&lines[4]["return"], &lines[4]["target"]), (&json!("8"), &json!("shop")));
}

#[test]
fn a_dropped_future_closes_its_span_where_it_is_dropped() {
    let lines = all_with(
        |builder| builder.span_events(SpanEvents::NewAndClose),
        || {
            let waker = Waker::from(Arc::new(Woken));
            let inside = async {
                info!("inside");
                pause().await;
                info!("never");
            };
            let mut task: Task = Box::pin(inside.instrument(info_span!("task")));
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let dispatch = dispatcher::get_default(Dispatch::clone);
            let end = || dispatcher::with_default(&dispatch, || drop(task));
            std::thread::scope(|scope| scope.spawn(end).join().unwrap());
        },
    );
    let seen: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(seen, ["new", "inside", "close"]);
}
