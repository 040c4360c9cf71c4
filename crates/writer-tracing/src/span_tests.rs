//! What is kept of a span that is deep, forked or closed.

use super::*;

/// Of a span with such a field the name alone is kept once it is closed.
const LONG: usize = 2000;

/// A list with such a field is kept once, and not by each thread.
const LONG_LIST: usize = 10_000;

fn node(layer: u64, text: usize) -> Node {
    let mut encoded = Format::default().span("s");
    encoded.record(0, "text").str(&"x".repeat(text));
    Node::new(layer, encoded, None)
}

/// As it is in a process forked off from the one where it was made.
fn inherited(mut node: Node) -> Arc<Node> {
    node.process = node.process.wrapping_sub(1);
    assert!(node.is_inherited());
    Arc::new(node)
}

fn renewed(node: &Node) -> Arc<Node> {
    node.renew(None, || panic!("nobody holds its lock"))
}

fn kept_list(node: &Node) -> Option<Arc<SpanList>> {
    lock(&node.list).as_ref().map(|(_, list)| Arc::clone(list))
}

fn is_name_alone(node: &Node) -> bool {
    kept_list(node).is_none() && node.encoded().json() == br#"{"name":"s"}"#
}

#[test]
fn whoever_remembers_closed_spans_keeps_their_names_alone() {
    let nodes = [0, 1, 2].map(|layer| Arc::new(node(layer, LONG)));
    let [first, second, third] = &nodes;
    let mut kept = Nodes::new(Arc::clone(first));
    kept.add(Arc::clone(second));
    kept.set(Arc::clone(third));
    for node in &nodes {
        node.list();
        assert!(kept_list(node).is_some() && !node.closed());
    }
    drop(kept);
    for node in &nodes {
        assert!(is_name_alone(node) && node.closed());
    }
}

#[test]
fn a_span_whose_list_is_in_use_can_be_closed() {
    let node = Arc::new(node(0, LONG));
    let kept = Nodes::new(Arc::clone(&node));
    let (list, encoded) = (lock(&node.list), node.encoded());
    drop(kept);
    assert!(node.closed());
    drop((list, encoded));
}

#[test]
fn what_took_the_place_of_a_span_in_a_child_is_closed_with_it() {
    let old = inherited(node(0, LONG));
    let new = renewed(&old);
    assert!(Arc::ptr_eq(&old.latest(), &new) && Arc::ptr_eq(&new.latest(), &new));
    assert!(Arc::ptr_eq(&renewed(&old), &new), "there is one");
    assert_eq!(new.encoded().json(), old.encoded().json());
    new.list();
    drop(Nodes::new(Arc::clone(&old)));
    assert!(old.closed() && new.closed());
    assert!(is_name_alone(&new));
}

#[test]
fn a_span_goes_on_being_measured_in_a_child() {
    let mut old = node(0, 0);
    old.measure();
    old.times(Times::enter);
    let old = inherited(old);
    let new = renewed(&old);
    let times = |node: &Node| node.times(|times| format!("{times:?}"));
    assert!(times(&new).is_some());
    assert_eq!(times(&new), times(&old));
}

#[test]
fn what_takes_the_place_of_a_node_of_its_layer_closes_it() {
    for layer in [0, 1] {
        let (old, new) = (Arc::new(node(layer, 0)), Arc::new(node(layer, 0)));
        let mut kept = Nodes::new(Arc::new(node(0, 0)));
        kept.set(Arc::clone(&old));
        kept.set(Arc::clone(&new));
        assert!(old.closed() && !new.closed());
        assert!(Arc::ptr_eq(kept.get(layer).unwrap(), &new));
        assert!(kept.get(2).is_none());
    }
}

#[test]
fn a_list_is_put_together_once_and_kept_by_threads_if_it_is_short() {
    for (text, short) in [(0, true), (LONG_LIST, false)] {
        let node = node(0, text);
        let (stamp, list, keep) = node.list();
        let (same_stamp, same_list, same_keep) = node.list();
        assert_eq!((stamp, keep, same_keep), (same_stamp, short, short));
        assert!(Arc::ptr_eq(&list, &same_list));
        let mut newer = Format::default().span_update();
        newer.record(0, "text").str("new");
        node.update(&newer, [(0, "text")]);
        let (stamp, list, _) = node.list();
        assert!(stamp == same_stamp + 1 && !Arc::ptr_eq(&list, &same_list));
    }
}

#[test]
fn the_lists_of_spans_in_many_others_are_not_kept() {
    let mut parent = None;
    for depth in 0..2 * KEPT_DEPTH {
        let mut node = node(0, 0);
        node.parent = parent;
        let (_, _, keep) = node.list();
        assert_eq!(keep, depth < KEPT_DEPTH, "{depth}");
        assert_eq!(kept_list(&node).is_some(), keep, "{depth}");
        parent = Some(Arc::new(node));
    }
}

#[test]
fn a_list_that_no_line_can_hold_is_not_kept() {
    let format = Format::builder().flatten_spans().max_record_bytes(4096).build().unwrap();
    let mut parent = None;
    for depth in 0..8 {
        let mut encoded = format.span("s");
        encoded.record(0, "text").str(&"x".repeat(800));
        let node = Node::new(0, encoded, parent);
        let (_, _, keep) = node.list();
        assert_eq!(keep, depth < 4, "{depth}");
        assert_eq!(kept_list(&node).is_some(), keep, "{depth}");
        parent = Some(Arc::new(node));
    }
}
