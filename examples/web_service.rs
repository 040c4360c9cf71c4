//! An axum service whose events carry the span of their request, ended by a signal to itself.
//!
//! `cargo run --release --example web_service`

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::{Instrument, info, info_span, warn};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use writer_examples::assert_balanced;
use writer_tracing::QueuePolicy;

const REQUESTS: u64 = 50;

/// A span for each request: all that is logged on its way carries the number.
async fn in_span(request: Request, next: Next) -> Response {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let span = info_span!("request", id, method = %request.method(), path = request.uri().path());
    async {
        let response = next.run(request).await;
        info!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await
}

async fn order(Path(id): Path<u64>) -> (StatusCode, String) {
    let stock = load_stock(id).await;
    if stock == 0 {
        warn!(order = id, "sold out");
        return (StatusCode::CONFLICT, String::from("sold out"));
    }
    info!(order = id, stock, "order accepted");
    (StatusCode::OK, format!("order {id}"))
}

fn sold_out(id: u64) -> bool {
    id.is_multiple_of(7)
}

/// A step that waits: the task may go on in another thread, and keeps its span.
async fn load_stock(id: u64) -> u64 {
    async {
        tokio::task::yield_now().await;
        info!("stock loaded");
        if sold_out(id) { 0 } else { 1000 - id }
    }
    .instrument(info_span!("load_stock", shelf = id % 7))
    .await
}

async fn serve(listener: tokio::net::TcpListener, stop: oneshot::Receiver<()>) {
    let app = Router::new().route("/orders/{id}", get(order)).layer(middleware::from_fn(in_span));
    // A service waits for SIGTERM here: `tokio::signal`.
    let serving = axum::serve(listener, app).with_graceful_shutdown(async { drop(stop.await) });
    serving.await.expect("the loopback serves");
}

fn ask(address: SocketAddr, id: u64) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /orders/{id} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.jsonl");
    // A full queue must not stop the threads of the runtime.
    let (layer, guard) =
        writer_tracing::builder(&path).queue_policy(QueuePolicy::DropNewest).build()?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let service = runtime.spawn(serve(listener, stopped));
    for id in 1..=REQUESTS {
        let expected = if sold_out(id) { "sold out".into() } else { format!("order {id}") };
        assert!(ask(address, id)?.ends_with(&expected));
    }
    stop.send(()).map_err(|()| "the service is gone")?;
    runtime.block_on(service)?;
    guard.shutdown(Duration::from_secs(5))?;

    let text = std::fs::read_to_string(&path)?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for id in 1..=REQUESTS {
        let own: Vec<&Value> = lines.iter().filter(|line| line["spans"][0]["id"] == id).collect();
        let messages: Vec<_> = own.iter().map(|line| line["message"].as_str()).collect();
        let order = if sold_out(id) { "sold out" } else { "order accepted" };
        assert_eq!(messages, [Some("stock loaded"), Some(order), Some("answered")]);
        assert_eq!(own[1]["level"], if sold_out(id) { "WARN" } else { "INFO" });
        assert_eq!(own[0]["spans"][1]["shelf"], id % 7);
        assert_eq!(own[1]["spans"].as_array().map(Vec::len), Some(1));
        assert_eq!(own[2]["status"], if sold_out(id) { 409 } else { 200 });
    }
    let metrics = guard.writer().metrics();
    assert_eq!((metrics.written, metrics.dropped), (3 * REQUESTS, 0));
    assert_balanced(&metrics, 3 * REQUESTS);
    // `-- FILE` keeps a copy, for readers of docs/guide.md to try queries on.
    match std::env::args_os().nth(1) {
        Some(copy) => std::fs::write(copy, &text)?,
        None => text.lines().take(3).for_each(|line| println!("{line}")),
    }
    println!("ok: {REQUESTS} requests, {} lines, each with its request", metrics.written);
    Ok(())
}
