//! A small service and its client, whose libraries do the logging: `tower-http` through `tracing`
//! into one file, `ureq` through `log` into another.
//!
//! `cargo run --release --example quickstart`; options are listed by `-- --help`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path as UrlPath;
use axum::http::StatusCode;
use axum::routing::get;
use lexopt::prelude::*;
use tower_http::trace::TraceLayer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use writer_core::{Mode, QueuePolicy, Strategy, Writer, WriterBuilder};

const USAGE: &str = "\
usage: quickstart [options]
    --records N        at least so many records, default 10000
    --strategy NAME    line, block (default), mmap
    --mode NAME        trigger (default), loop, manual
    --policy NAME      block (default), drop_oldest, drop_newest, warn
    --dir FOLDER       where the files go, default a new temporary folder";

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Default)]
struct Options {
    records: u64,
    strategy: Strategy,
    mode: Mode,
    policy: QueuePolicy,
    dir: Option<PathBuf>,
}

impl Options {
    fn parse() -> std::result::Result<Options, lexopt::Error> {
        let mut options = Options { records: 10_000, ..Options::default() };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("records") => options.records = parser.value()?.parse::<u64>()?.max(1),
                Long("strategy") => options.strategy = parser.value()?.parse()?,
                Long("mode") => options.mode = parser.value()?.parse()?,
                Long("policy") => options.policy = parser.value()?.parse()?,
                Long("dir") => options.dir = Some(parser.value()?.into()),
                Short('h') | Long("help") => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }

    fn writer(&self, path: &Path) -> WriterBuilder {
        Writer::builder(path)
            .strategy(self.strategy)
            .mode(self.mode)
            .queue_policy(self.policy)
            .truncate(true)
    }
}

async fn order(UrlPath(id): UrlPath<u64>) -> (StatusCode, String) {
    if id.is_multiple_of(50) {
        tracing::warn!(id, "out of stock");
        return (StatusCode::SERVICE_UNAVAILABLE, String::from("out of stock"));
    }
    tracing::info!(id, total = 9.5 * id as f64, "order accepted");
    (StatusCode::OK, format!("order {id}"))
}

/// Serves on a free port of the loopback until `clients` is done with it.
fn serve(clients: impl FnOnce(&str)) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = format!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/orders/{id}", get(order)).layer(TraceLayer::new_for_http());
    runtime.spawn(async move { axum::serve(listener, app).await });
    clients(&address);
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// Orders until both writers together were sent `records` records.
fn client(address: &str, records: u64, writers: [&Writer; 2]) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent = ureq::Agent::new_with_config(config);
    // Each order logs something, or the loop ends at the latest after `records` orders.
    for id in 1..=records {
        match agent.get(format!("{address}/orders/{id}")).call() {
            Ok(answer) => log::info!(id, status = answer.status().as_u16(); "answered"),
            Err(error) => log::error!(id, error:err; "no answer"),
        }
        writers.into_iter().for_each(Writer::trigger); // Only Manual cares.
        if writers.map(|writer| writer.metrics().sent).iter().sum::<u64>() >= records {
            break;
        }
    }
}

/// Shows a file and what its writer counted, and checks that the two agree.
fn show(path: &Path, writer: &Writer) -> Result<u64> {
    let text = std::fs::read_to_string(path)?;
    let m = writer.metrics();
    println!("\n{} ({} bytes)", path.display(), text.len());
    text.lines().take(3).for_each(|line| println!("  {line}"));
    println!(
        "  sent {}, written {}, dropped {}, in {} flushes with {} wake-ups, longest queue {}",
        m.sent, m.written, m.dropped, m.flush_count, m.wake_count, m.high_water
    );
    for line in text.lines() {
        serde_json::from_str::<serde_json::Map<_, _>>(line)?;
    }
    assert!(m.written > 0, "{m:?}");
    assert_eq!((m.pending, m.rejected, m.lost), (0, 0, 0), "{m:?}");
    assert_eq!((m.written, m.bytes_written), (text.lines().count() as u64, text.len() as u64));
    Ok(m.sent)
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => tempfile::Builder::new().prefix("quickstart-").tempdir()?.keep(),
    };
    let [log_file, tracing_file] = ["log.jsonl", "tracing.jsonl"].map(|name| dir.join(name));

    let log_guard = writer_log::builder(options.writer(&log_file)).filter("debug").init()?;
    let (layer, tracing_guard) = writer_tracing::builder(options.writer(&tracing_file)).build()?;
    let subscriber = tracing_subscriber::registry().with(LevelFilter::DEBUG).with(layer);
    tracing::subscriber::set_global_default(subscriber)?;

    let writers = [log_guard.writer(), tracing_guard.writer()];
    let start = Instant::now();
    serve(|address| {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| client(address, options.records, writers));
            }
        });
    })?;
    for writer in writers {
        writer.shutdown(Duration::from_secs(5))?;
    }
    let time = start.elapsed();

    let sent = show(&log_file, writers[0])? + show(&tracing_file, writers[1])?;
    assert!(sent >= options.records);
    println!("\nok: {sent} records in {time:.1?} ({})", writers[0].config().strategy);
    Ok(())
}
