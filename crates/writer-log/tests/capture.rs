//! A program and its tests, as a user of the feature `capture` has them.
#![cfg(feature = "capture")]
#![allow(missing_docs, clippy::unwrap_used)]

/// The program.
fn withdraw(balance: u64, amount: u64) -> Option<u64> {
    let rest = balance.checked_sub(amount);
    match rest {
        Some(rest) => log::info!(amount = amount, rest = rest; "paid out"),
        None => log::warn!(amount = amount, missing = amount - balance; "too little"),
    }
    log::debug!(ok = rest.is_some(); "done");
    rest
}

/// Its tests. They run side by side, share the one logger of the process, and each sees the
/// records of its own thread.
mod tests {
    use std::sync::OnceLock;

    use serde_json::json;
    use writer_log::WriterGuard;
    use writer_log::capture::{self, Capture};

    use super::withdraw;

    fn start() -> Capture {
        static LOGGER: OnceLock<WriterGuard> = OnceLock::new();
        LOGGER.get_or_init(|| {
            writer_log::builder(capture::builder()).filter("debug").init().unwrap()
        });
        Capture::start()
    }

    #[test]
    fn a_payment_is_logged() {
        let capture = start();
        assert_eq!(withdraw(10, 3), Some(7));
        capture.assert_logged(json!({"level": "INFO", "amount": 3, "rest": 7}));
        assert_eq!(capture.records()[0]["message"], "paid out");
        assert_eq!(capture.len(), 2);
    }

    #[test]
    fn a_refusal_is_a_warning() {
        let capture = start();
        assert_eq!(withdraw(10, 30), None);
        let warning = capture.find(|record| record["level"] == "WARN").unwrap();
        assert_eq!((&warning["missing"], &warning["target"]), (&json!(20), &json!("capture")));
        assert!(capture.find(|record| record["level"] == "INFO").is_none());
    }

    #[test]
    fn records_of_other_threads_come_where_a_handle_is_entered() {
        let capture = start();
        let handle = capture.handle();
        let working = std::thread::spawn(move || {
            let _entered = handle.enter();
            withdraw(1, 1)
        });
        std::thread::spawn(|| withdraw(2, 2)).join().unwrap();
        working.join().unwrap();
        assert_eq!(capture.len(), 2);
        capture.assert_logged(json!({"amount": 1}));
    }

    #[test]
    fn many_at_once_see_only_their_own() {
        std::thread::scope(|scope| {
            for amount in 0..8 {
                scope.spawn(move || {
                    let capture = start();
                    (0..100).for_each(|_| assert!(withdraw(10, amount).is_some()));
                    let paid = capture.records();
                    let paid = paid.iter().filter(|record| record["message"] == "paid out");
                    assert_eq!(paid.filter(|record| record["amount"] == amount).count(), 100);
                    assert_eq!(capture.len(), 200);
                });
            }
        });
    }
}
