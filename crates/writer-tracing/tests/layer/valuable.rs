//! Values that describe themselves: `valuable`, which `tracing` has only under
//! `--cfg tracing_unstable`.

use std::collections::BTreeMap;

use crate::support::{all, all_with};
use serde_json::json;
use tracing::{info, info_span};
use valuable::Valuable;
use writer_tracing::json::{Part, Schema};

fn order() -> BTreeMap<String, Vec<Option<u32>>> {
    BTreeMap::from([("free".to_owned(), vec![Some(3), None])])
}

#[test]
fn nested_values_are_nested_in_events_and_spans() {
    let lines = all(|| {
        let order = order();
        let span = info_span!("s", order = order.as_value(), late = tracing::field::Empty);
        let _entered = span.enter();
        info!(order = order.as_value(), "x");
        span.record("late", order.as_value());
        info!("y");
    });
    let order = json!({"free": [3, null]});
    assert_eq!((&lines[0]["order"], &lines[0]["spans"][0]["order"]), (&order, &order));
    assert_eq!(lines[1]["spans"][0]["late"], order);
}

#[test]
fn they_are_nested_among_merged_fields_too() {
    let lines = all_with(
        |builder| builder.schema(Schema::Logxpy).hide(Part::Target),
        || {
            let order = order();
            info_span!("s", order = order.as_value()).in_scope(|| info!("x"));
        },
    );
    assert_eq!(lines[0]["order"], json!({"free": [3, null]}));
}
