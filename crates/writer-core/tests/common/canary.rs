//! A text that `Debug` shows nowhere, for the tests of all libraries.

use std::fmt::Debug;

pub(crate) const CANARY: &str = "canary-7c1d";

/// Fails if the text is in what `Debug` prints, also as a list of bytes.
#[track_caller]
pub(crate) fn hides(value: &dyn Debug) {
    let bytes: Vec<String> = CANARY.bytes().map(|byte| byte.to_string()).collect();
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!shown.contains(CANARY), "{shown}");
        let dense: String = shown.split_whitespace().collect();
        assert!(!dense.contains(&bytes.join(",")), "{shown}");
        assert!(shown.len() > 4, "{shown}");
    }
}
