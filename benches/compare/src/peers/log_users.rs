//! Loggers behind `log`.

use std::path::Path;

use log::Log;

use super::{FILE, log_event, log_text};
use crate::case::Running;

fn flexi(folder: &Path, mode: flexi_logger::WriteMode) -> Running {
    let file = flexi_logger::FileSpec::default().directory(folder).suppress_timestamp();
    let handle = flexi_logger::Logger::try_with_str("info")
        .expect("a level")
        .log_to_file(file)
        .format(flexi_logger::json_format)
        .write_mode(mode)
        .start()
        .expect("a logger");
    Running::new(log_event, || drop(handle))
}

pub fn flexi_buffered(folder: &Path) -> Running {
    flexi(folder, flexi_logger::WriteMode::BufferAndFlush)
}

pub fn flexi_async(folder: &Path) -> Running {
    flexi(folder, flexi_logger::WriteMode::Async)
}

pub fn logforth(folder: &Path) -> Running {
    let file = logforth::append::file::FileBuilder::new(folder, "app")
        .layout(logforth::layout::JsonLayout::default())
        .build()
        .expect("a file");
    let queue = logforth::append::asynchronous::AsyncBuilder::new("logforth").append(file).build();
    let logger = logforth::core::builder().dispatch(|d| d.append(queue)).build();
    log::set_boxed_logger(Box::new(logforth::bridge::log::LogBridge::new(logger)))
        .expect("the first logger");
    log::set_max_level(log::LevelFilter::Info);
    Running::new(log_event, || log::logger().flush())
}

pub fn log4rs(folder: &Path) -> Running {
    use log4rs::config::{Appender, Config, Root};
    let file = log4rs::append::file::FileAppender::builder()
        .encoder(Box::new(log4rs::encode::json::JsonEncoder::new()))
        .build(folder.join(FILE))
        .expect("a file");
    let config = Config::builder()
        .appender(Appender::builder().build("file", Box::new(file)))
        .build(Root::builder().appender("file").build(log::LevelFilter::Info))
        .expect("a configuration");
    log4rs::init_config(config).expect("the first logger");
    Running::new(log_event, || log::logger().flush())
}

pub fn fast_log(folder: &Path) -> Running {
    let file = folder.join(FILE);
    let config = fast_log::Config::new()
        .level(log::LevelFilter::Info)
        .chan_len(Some(100_000))
        .format(fast_log::FastLogFormatJson::new())
        .file(file.to_str().expect("a path in UTF-8"));
    let logger = fast_log::init(config).expect("the first logger");
    Running::new(log_text, || logger.flush())
}

fn with_ftlog(folder: &Path, block_when_full: bool) -> Running {
    let file = ftlog::appender::FileAppender::builder().path(folder.join(FILE)).build();
    let guard = ftlog::builder()
        .max_log_level(ftlog::LevelFilter::Info)
        .bounded(100_000, block_when_full)
        .fixed_timezone(time::UtcOffset::UTC)
        .root(file)
        .try_init()
        .expect("the first logger");
    Running::new(log_text, || drop(guard))
}

pub fn ftlog(folder: &Path) -> Running {
    with_ftlog(folder, true)
}

pub fn ftlog_lossy(folder: &Path) -> Running {
    with_ftlog(folder, false)
}
