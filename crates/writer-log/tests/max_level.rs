//! The maximum level of the program follows the filter of the installed logger: one process, one
//! test.
#![allow(missing_docs, clippy::unwrap_used)]

use log::LevelFilter;
use writer_log::Logger;

#[test]
fn the_maximum_level_is_that_of_the_filter_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    // Built and not installed: nothing of the program changes.
    let (other, _other_guard) =
        writer_log::builder(folder.path().join("other")).filter("trace").build().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Off);

    let builder = writer_log::builder(folder.path().join("app.jsonl")).filter("warn,shop=debug");
    let _guard = builder.init().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Debug);
    other.set_filter("error").unwrap();
    assert_eq!(log::max_level(), LevelFilter::Debug);

    let logger = Logger::installed().unwrap();
    for (directives, level) in [
        ("off", LevelFilter::Off),
        ("shop=trace", LevelFilter::Trace),
        ("error,shop=off", LevelFilter::Error),
        ("info", LevelFilter::Info),
    ] {
        logger.set_filter(directives).unwrap();
        assert_eq!((log::max_level(), logger.max_level()), (level, level), "{directives}");
    }
    assert!(logger.set_filter("a=b=c").is_err());
    assert_eq!(log::max_level(), LevelFilter::Info);

    for _ in 0..200 {
        std::thread::scope(|scope| {
            for directives in ["error", "trace", "shop=debug", "off"] {
                scope.spawn(move || logger.set_filter(directives).unwrap());
            }
        });
        assert_eq!(log::max_level(), logger.max_level());
    }
}
