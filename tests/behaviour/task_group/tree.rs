//! The error of a group: a tree that can be walked, divided, taken apart and printed.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use lone_executor::yield_now;
use lone_sync::{Failure, GroupError, TaskGroup};
use proptest::prelude::*;

use crate::help::executor;

/// What a tree of errors looks like: leaves are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Leaf(u8),
    Node(Vec<Shape>),
}

impl Shape {
    fn leaves(&self) -> Vec<u8> {
        match self {
            Shape::Leaf(leaf) => vec![*leaf],
            Shape::Node(inner) => inner.iter().flat_map(Shape::leaves).collect(),
        }
    }

    /// Those leaves for which it is true, and the branches that lead to them.
    fn keep(&self, wanted: &dyn Fn(u8) -> bool) -> Option<Shape> {
        match self {
            Shape::Leaf(leaf) => wanted(*leaf).then_some(Shape::Leaf(*leaf)),
            Shape::Node(inner) => {
                let kept: Vec<Shape> =
                    inner.iter().filter_map(|shape| shape.keep(wanted)).collect();
                (!kept.is_empty()).then_some(Shape::Node(kept))
            }
        }
    }

    fn of(error: &GroupError<u8>) -> Shape {
        assert!(!error.failures().is_empty(), "a group error has one leaf at least");
        let shape = |failure: &Failure<u8>| match failure {
            Failure::Error(leaf) => Shape::Leaf(*leaf),
            Failure::Group(group) => Shape::of(group),
            other => panic!("neither leaf nor branch: {other:?}"),
        };
        Shape::Node(error.failures().iter().map(shape).collect())
    }
}

/// A real error of this shape: of groups whose children fail in order.
fn fail(shape: Shape) -> Pin<Box<dyn Future<Output = Failure<u8>>>> {
    Box::pin(async move {
        match shape {
            Shape::Leaf(leaf) => Failure::Error(leaf),
            Shape::Node(inner) => {
                let mut failures = Vec::new();
                for shape in inner {
                    failures.push(fail(shape).await);
                }
                let ran = TaskGroup::run(async move |group| {
                    for failure in failures {
                        drop(group.spawn(async move { Err::<(), _>(failure) }));
                    }
                    Ok::<_, u8>(())
                });
                Failure::Group(ran.await.expect_err("all fail"))
            }
        }
    })
}

fn error_of(shape: &Shape) -> GroupError<u8> {
    match executor().block_on(fail(shape.clone())) {
        Failure::Group(error) => error,
        other => panic!("a node: {other:?}"),
    }
}

fn nodes() -> impl Strategy<Value = Shape> {
    let leaf = any::<u8>().prop_map(Shape::Leaf);
    let tree = leaf
        .prop_recursive(4, 32, 5, |inner| prop::collection::vec(inner, 1..5).prop_map(Shape::Node));
    prop::collection::vec(tree, 1..5).prop_map(Shape::Node)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    // SEM-201, SEM-202: the shape stays, no leaf is lost, no group is empty.
    #[test]
    fn error_that_is_split_keeps_its_shape_on_both_sides(shape in nodes(), limit in any::<u8>()) {
        let error = error_of(&shape);
        prop_assert_eq!(Shape::of(&error), shape.clone());
        let leaves: Vec<u8> = error.iter().filter_map(Failure::error).copied().collect();
        prop_assert_eq!(leaves, shape.leaves());
        let (small, large) = error.split(|leaf| leaf.error().is_some_and(|leaf| *leaf < limit));
        prop_assert_eq!(small.as_ref().map(Shape::of), shape.keep(&|leaf| leaf < limit));
        prop_assert_eq!(large.as_ref().map(Shape::of), shape.keep(&|leaf| leaf >= limit));
    }

    // SEM-203: a lone leaf comes out, however deep; else nothing changes.
    #[test]
    fn error_with_one_leaf_gives_it_and_any_other_stays_as_it_was(shape in nodes()) {
        let leaves = shape.leaves();
        match error_of(&shape).into_single() {
            Ok(leaf) => prop_assert_eq!(vec![leaf], leaves),
            Err(error) => {
                prop_assert!(leaves.len() > 1);
                prop_assert_eq!(Shape::of(&error), shape);
            }
        }
    }
}

/// An error with a panic below a branch, behind an error.
fn with_panics() -> GroupError<&'static str> {
    executor().block_on(async {
        let inner = TaskGroup::<&str>::run(async |group| {
            drop(group.spawn(async { Err::<(), _>("an error") }));
            drop(group.spawn(async {
                if true {
                    std::panic::panic_any(7_u32);
                }
                Ok::<_, &str>(())
            }));
            Ok::<_, &str>(())
        });
        let inner = inner.await.expect_err("two fail");
        let outer = TaskGroup::run(async move |group| {
            drop(group.spawn(async { Err::<(), _>("the first") }));
            drop(group.spawn(async move { Err::<(), _>(inner) }));
            Ok::<_, &str>(())
        });
        outer.await.expect_err("two fail")
    })
}

// SEM-196: the payload is the panic's own.
#[test]
fn panic_in_the_tree_goes_on_where_it_is_resumed() {
    let error = with_panics();
    let panicked = catch_unwind(AssertUnwindSafe(|| error.resume_panic()));
    let payload = panicked.expect_err("it goes on");
    assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
    let (_panics, rest) = with_panics().split(|leaf| matches!(leaf, Failure::Panicked(_)));
    let rest = rest.expect("there are errors as well").resume_panic();
    assert_eq!(rest.iter().count(), 2, "without a panic it is what it was");
}

// SEM-203: a panic is no error that was returned.
#[test]
fn lone_panic_is_not_taken_out_as_an_error() {
    let (panics, _rest) = with_panics().split(|leaf| matches!(leaf, Failure::Panicked(_)));
    let error = panics.expect("there is one").into_single().expect_err("it is a panic");
    assert_eq!(error.iter().count(), 1);
}

// SEM-201: a line each, inner groups indented, and errors of several lines with them.
#[test]
fn error_is_printed_as_an_indented_tree() {
    let error = executor().block_on(async {
        let inner = TaskGroup::<String>::run(async |group| {
            drop(group.spawn(async { Err::<(), _>("out of cheese".to_string()) }));
            drop(group.spawn(async { Err::<(), _>("a list:\n- bread\n- milk".to_string()) }));
            Ok::<_, String>(())
        });
        let inner = inner.await.expect_err("two fail");
        let outer = TaskGroup::run(async move |group| {
            drop(group.spawn(async { Err::<(), _>("the first".to_string()) }));
            drop(group.spawn(async move { Err::<(), _>(inner) }));
            let left = lone_sync::finally(std::future::pending::<Result<(), String>>(), async {
                panic!("cannot\nclose")
            });
            drop(group.spawn(left));
            yield_now().await;
            Ok::<_, String>(())
        });
        outer.await.expect_err("three fail")
    });
    // The lines of this file in it change with it.
    let printed: Vec<String> = error
        .to_string()
        .lines()
        .map(|line| line.split(" at ").next().unwrap_or(line).to_owned())
        .collect();
    assert_eq!(
        printed,
        [
            "3 failures in the task group",
            "  - the first",
            "  - 2 failures in the task group",
            "      - out of cheese",
            "      - a list:",
            "        - bread",
            "        - milk",
            "  - cancelled: another one of its group has failed; its cleanup failed: a cleanup, panicked: cannot",
            "    close",
        ]
    );
}

#[test]
fn error_with_one_failure_is_printed_with_its_line() {
    let error = error_of(&Shape::Node(vec![Shape::Leaf(3)]));
    let site = error.site().to_string();
    assert!(site.starts_with("tests/behaviour/task_group/tree.rs:"), "{site}");
    assert_eq!(error.to_string(), format!("1 failure in the task group at {site}\n  - 3"));
    assert_eq!(format!("{error:?}"), "GroupError { failures: [Error(3)], .. }");
}

/// An error with a source.
#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no number")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn chain(error: &dyn Error) -> Vec<String> {
    let mut chain = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        chain.push(source.to_string());
        next = source.source();
    }
    chain
}

// SEM-201: the source is the first failure, where that is an error; through branches.
#[test]
fn sources_of_boxed_errors_panics_and_branches_are_followed() {
    type Boxed = Box<dyn Error + Send + Sync>;

    fn outer() -> Outer {
        Outer("x".parse::<i32>().expect_err("it is none"))
    }
    executor().block_on(async {
        let one = TaskGroup::<Boxed>::run(async |_group| Err::<(), Boxed>(outer().into())).await;
        let one = one.expect_err("it fails");
        assert_eq!(chain(&one), ["no number", "invalid digit found in string"]);

        let two = TaskGroup::<Boxed>::run(async move |_group| Err::<(), _>(one)).await;
        let two = two.expect_err("it fails");
        assert_eq!(chain(&two)[1..], ["no number", "invalid digit found in string"]);
        assert!(chain(&two)[0].starts_with("1 failure in the task group at "));

        type Local = Box<dyn Error>;
        let local = TaskGroup::<Local>::run(async |_group| Err::<(), Local>(outer().into())).await;
        let local = local.expect_err("it fails");
        assert_eq!(chain(&local), ["no number", "invalid digit found in string"]);

        let plain = TaskGroup::<&str>::run(async |_group| Err::<(), _>("text")).await;
        assert!(plain.expect_err("it fails").source().is_none());
    });
    let (panics, _rest) = with_panics().split(|leaf| matches!(leaf, Failure::Panicked(_)));
    let chained = chain(&panics.expect("there is one"));
    assert!(chained[1].contains("panicked: a panic whose payload is not a string"), "{chained:?}");
}
