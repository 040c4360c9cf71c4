//! What `Debug` prints of the public types: no text of records and no value of a static field.

use crate::canary::{CANARY, hides};
use log::{Log, Record};
use writer_log::Writer;

#[test]
fn builders_and_logger_show_no_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.jsonl");
    let builder = writer_log::builder(&path)
        .static_field("api_key", |value| value.str(CANARY))
        .redact_defaults();
    hides(&builder);
    let (logger, guard) = builder.build().unwrap();
    for _ in 0..3 {
        let mut record = Record::builder();
        record.file_static(Some("f")).module_path_static(Some("m")).target(CANARY);
        record.level(log::Level::Error).key_values(&("password", CANARY));
        logger.log(&record.args(format_args!("{CANARY}")).build());
    }
    hides(&logger);
    hides(&guard);
    let (writer, _guard) = Writer::builder(&path).build().unwrap();
    hides(&writer_log::on(writer).static_field("service", |value| value.str(CANARY)));
}
