//! What `Debug` prints of the public types: no text of records and no value of a static field.

use crate::canary::{CANARY, hides};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use writer_tracing::Writer;

#[test]
fn builders_and_layer_show_no_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let builder = writer_tracing::builder(&path)
        .static_field("api_key", |value| value.str(CANARY))
        .redact_defaults();
    hides(&builder);
    let (layer, guard) = builder.build().unwrap();
    hides(&layer);
    hides(&guard);
    let registry = tracing_subscriber::registry().with(layer);
    let (writer, _guard) = Writer::builder(&path).build().unwrap();
    let on = writer_tracing::on(writer.clone());
    hides(&on.static_field("service", |value| value.str(CANARY)));
    let make_writer = writer_tracing::make_writer(writer);
    let mut lines = make_writer.make_writer();
    std::io::Write::write_all(&mut lines, CANARY.as_bytes()).unwrap();
    hides(&make_writer);
    hides(&lines);
    tracing::subscriber::with_default(registry, || {
        let span = tracing::info_span!("s", text = CANARY);
        span.in_scope(|| tracing::info!(password = CANARY, "{CANARY}"));
        // The registry, which holds what the layer keeps of the span.
        tracing::dispatcher::get_default(|dispatch| hides(dispatch));
        hides(&span);
    });
}
