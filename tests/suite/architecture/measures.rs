//! What the shape of the program comes to in numbers, and the bounds that hold them. A bound may only fall: who brings a
//! number down writes the new one here in the same commit.

use std::fmt::Write as _;

use super::{
    circles::circles,
    counting::{Counts, count},
    tree::{Source, sources},
};

/// Each measure with its upper bound, in the order in which they are shown.
const BOUNDS: &[(&str, usize)] = &[
    ("import circles between files", 3),
    ("files of the largest circle", 5),
    ("engine files in a circle", 0),
    ("engine files that import `Phases`", 12),
    ("fields of the largest struct", 20),
    ("files over 450 lines", 1),
    ("functions over 60 lines", 4),
    ("functions with 6 or more parameters beside `self`", 3),
    ("functions nested 4 or deeper", 19),
    ("files that name a variant of `Verb`", 9),
    ("matches over `Verb` with a wildcard", 0),
    ("`matches!` over `Verb`", 0),
    ("cli files that import the store", 0),
    ("store writes in cli", 0),
    ("`json!` in cli", 2),
    ("untyped meta calls outside the store", 0),
    ("page loops by hand", 4),
    ("references to absent documents", 0),
    ("questions in engine whether the cycle applies", 15),
];

/// A measure: its value, and where what it counts is found.
struct Measure(usize, Vec<String>);

impl Measure {
    fn of(places: Vec<String>) -> Self {
        Self(places.len(), places)
    }
}

/// `cargo test --test suite architecture -- --nocapture` prints them; `MEASURES=all` each place too.
#[test]
fn measures_do_not_grow() {
    let all = std::env::var_os("MEASURES").is_some();
    let mut table = String::from("| measure | now | bound |\n| --- | --- | --- |\n");
    let mut grown = String::new();
    for ((name, bound), Measure(now, places)) in BOUNDS.iter().zip(measures()) {
        let _ = writeln!(table, "| {name} | {now} | {bound} |");
        let listed = format!("{name}: {now}, at most {bound}\n  {}\n", places.join("\n  "));
        if all {
            eprintln!("{listed}");
        }
        if now > *bound {
            grown += &listed;
        }
        if now < *bound {
            let _ = writeln!(table, "  ^ write {now} into BOUNDS");
        }
    }
    eprintln!("{table}");
    assert!(grown.is_empty(), "measures that grew:\n{grown}");
}

fn measures() -> Vec<Measure> {
    let sources = sources();
    let files: Vec<(&Source, Counts)> = sources
        .values()
        .map(|source| (source, count(&source.items)))
        .collect();
    let circles = circles(&sources);
    let places = |of: fn(&Counts) -> &[(usize, String)], outside: &[&str]| {
        let inside = files
            .iter()
            .filter(|(file, _)| !outside.iter().any(|root| file.path.starts_with(root)));
        let each = inside.flat_map(|(file, counts)| {
            of(counts)
                .iter()
                .map(|(line, what)| format!("{}:{line} {what}", file.path))
        });
        Measure::of(each.collect())
    };
    let those = |root: &str, wanted: &dyn Fn(&Source, &Counts) -> bool| {
        let found = files
            .iter()
            .filter(|(file, counts)| file.path.starts_with(root) && wanted(file, counts));
        Measure::of(found.map(|(file, _)| file.path.clone()).collect())
    };
    let sum = |root: &str, of: fn(&Counts) -> usize| {
        let each = files.iter().filter(|(file, _)| file.path.starts_with(root));
        let each: Vec<_> = each
            .map(|(file, counts)| (of(counts), &file.path))
            .filter(|(n, _)| *n > 0)
            .collect();
        Measure(
            each.iter().map(|(n, _)| n).sum(),
            each.iter().map(|(n, path)| format!("{path} × {n}")).collect(),
        )
    };
    let functions = |wanted: fn(usize, usize, usize) -> bool| {
        let each = files.iter().flat_map(|(file, counts)| {
            let those = counts
                .functions
                .iter()
                .filter(move |(_, lines, parameters, depth)| wanted(*lines, *parameters, *depth));
            those.map(|(name, lines, parameters, depth)| {
                format!(
                    "{} {name}: {lines} lines, {parameters} parameters, {depth} deep",
                    file.path
                )
            })
        });
        Measure::of(each.collect())
    };
    let largest = files
        .iter()
        .flat_map(|(file, counts)| {
            let named = counts.structs.iter();
            named.map(|(fields, name)| (*fields, format!("{} {name}", file.path)))
        })
        .max()
        .unwrap();
    vec![
        Measure(
            circles.len(),
            circles
                .iter()
                .flat_map(|circle| std::iter::once(circle.files.join(" ")).chain(circle.imports.clone()))
                .collect(),
        ),
        circles
            .first()
            .map_or(Measure(0, vec![]), |circle| Measure::of(circle.files.clone())),
        Measure::of(
            circles
                .iter()
                .flat_map(|circle| circle.files.clone())
                .filter(|path| path.starts_with("src/engine/"))
                .collect(),
        ),
        those("src/engine/", &|_, counts| {
            counts.imports.iter().any(|path| path.ends_with("::Phases"))
        }),
        Measure(largest.0, vec![largest.1]),
        those("src/", &|file, _| file.lines > 450),
        functions(|lines, _, _| lines > 60),
        functions(|_, parameters, _| parameters >= 6),
        functions(|_, _, depth| depth >= 4),
        those("src/", &|_, counts| counts.verbs > 0),
        places(|counts| &counts.wildcards, &[]),
        places(|counts| &counts.matches, &[]),
        those("src/cli/", &|_, counts| {
            let store = |path: &String| path.starts_with("crate::snapshot::");
            counts.imports.iter().any(store)
        }),
        sum("src/cli/", |counts| counts.store_writes),
        sum("src/cli/", |counts| counts.json),
        places(|counts| &counts.meta, &["src/snapshot/"]),
        places(|counts| &counts.page_loops, &[]),
        Measure::of(super::absent_documents()),
        sum("src/engine/", |counts| counts.applies),
    ]
}
