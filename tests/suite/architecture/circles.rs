//! Which files import which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::tree::Source;

type Module = Vec<String>;
type Sources = BTreeMap<Module, Source>;

/// Files each of which reaches every other by imports.
pub struct Circle {
    pub files: Vec<String>,
    /// The imports between them: `a.rs -> b.rs: what`.
    pub imports: Vec<String>,
}

/// The circles, largest first. That a module and its own children know each other is no circle.
pub fn circles(sources: &Sources) -> Vec<Circle> {
    let exports = exports(sources);
    let mut graph: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    let mut imports = Vec::new();
    for (module, source) in sources {
        let used = graph.entry(module).or_default();
        for path in paths(source) {
            let Some(other) = find(sources, &exports, &path, 0) else {
                continue;
            };
            if !other.starts_with(module) && !module.starts_with(other) {
                used.insert(other);
                imports.push((module, other, path.join("::")));
            }
        }
    }
    imports.sort();
    imports.dedup();
    let mut found: Vec<Circle> = components(&graph)
        .into_iter()
        .filter(|circle| circle.len() > 1)
        .map(|circle| {
            let name = |module: &Module| sources[module].path.clone();
            let inside = imports
                .iter()
                .filter(|(from, to, _)| circle.contains(from) && circle.contains(to));
            let mut files: Vec<String> = circle.iter().map(|module| name(module)).collect();
            files.sort();
            Circle {
                files,
                imports: inside
                    .map(|(from, to, what)| format!("  {} -> {}: {what}", name(from), name(to)))
                    .collect(),
            }
        })
        .collect();
    found.sort_by_key(|circle| (usize::MAX - circle.files.len(), circle.files.clone()));
    found
}

/// Every import from one file of the program to another: from, to, and the path that is written.
pub fn imports(sources: &Sources) -> Vec<(&Module, &Module, String)> {
    let exports = exports(sources);
    let mut all = Vec::new();
    for (module, source) in sources {
        for path in paths(source) {
            if let Some(other) = find(sources, &exports, &path, 0).filter(|other| *other != module) {
                all.push((module, other, path.join("::")));
            }
        }
    }
    all
}

/// What each module passes on under a name of its own: `pub use cycle::Cycle`.
fn exports(sources: &Sources) -> BTreeMap<Module, Module> {
    let mut found = BTreeMap::new();
    for (module, source) in sources {
        for item in &source.items {
            let syn::Item::Use(item) = item else { continue };
            if matches!(item.vis, syn::Visibility::Inherited) {
                continue;
            }
            let mut list = Vec::new();
            flatten(&item.tree, Vec::new(), &mut list);
            for (name, path) in list {
                if let Some(path) = absolute(module, &path, sources) {
                    found.insert([&module[..], &[name]].concat(), path);
                }
            }
        }
    }
    found
}

/// The file that a path leads to: its longest part that is a module, or where that module has it from.
fn find<'a>(
    sources: &'a Sources,
    exports: &BTreeMap<Module, Module>,
    path: &[String],
    hops: usize,
) -> Option<&'a Module> {
    let at = (1..=path.len())
        .rev()
        .find(|end| sources.contains_key(&path[..*end]))?;
    if let Some(from) = path
        .get(..=at)
        .and_then(|named| exports.get(named))
        .filter(|_| hops < 8)
    {
        return find(sources, exports, from, hops + 1);
    }
    sources.get_key_value(&path[..at]).map(|(module, _)| module)
}

/// All paths of a file that begin in this crate, written from its root.
fn paths(source: &Source) -> Vec<Module> {
    struct Paths(Vec<Vec<String>>);
    impl<'ast> Visit<'ast> for Paths {
        fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
            let mut list = Vec::new();
            flatten(&item.tree, Vec::new(), &mut list);
            self.0.extend(list.into_iter().map(|(_, path)| path));
        }
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.0
                .push(path.segments.iter().map(|part| part.ident.to_string()).collect());
            visit::visit_path(self, path);
        }
    }
    let mut found = Paths(Vec::new());
    source.items.iter().for_each(|item| found.visit_item(item));
    let rooted = |path: &Vec<String>| matches!(path[0].as_str(), "crate" | "super" | "self");
    found
        .0
        .iter()
        .filter(|path| rooted(path))
        .filter_map(|path| absolute(&source.module, path, &BTreeMap::new()))
        .collect()
}

fn absolute(module: &[String], path: &[String], sources: &Sources) -> Option<Module> {
    let mut base = module.to_vec();
    let mut rest = path;
    match rest.first().map(String::as_str)? {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        child => {
            let child = [module, &[child.to_owned()]].concat();
            if !sources.contains_key(&child) {
                return None;
            }
        }
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// Each name that a `use` brings in, with the path it stands for.
fn flatten(tree: &syn::UseTree, mut before: Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    match tree {
        syn::UseTree::Path(part) => {
            before.push(part.ident.to_string());
            flatten(&part.tree, before, found);
        }
        syn::UseTree::Group(group) => {
            for part in &group.items {
                flatten(part, before.clone(), found);
            }
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned().unwrap_or_default(), before));
        }
        syn::UseTree::Name(name) => {
            before.push(name.ident.to_string());
            found.push((name.ident.to_string(), before));
        }
        syn::UseTree::Rename(name) => {
            before.push(name.ident.to_string());
            found.push((name.rename.to_string(), before));
        }
        syn::UseTree::Glob(_) => found.push(("*".to_owned(), before)),
    }
}

/// The strongly connected components: two files are in one where each reaches the other.
fn components<'a>(graph: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> Vec<Vec<&'a Module>> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> = graph
        .keys()
        .map(|start| {
            let mut seen = BTreeSet::new();
            let mut open = vec![*start];
            while let Some(at) = open.pop() {
                for next in graph.get(at).into_iter().flatten() {
                    if seen.insert(*next) {
                        open.push(next);
                    }
                }
            }
            (*start, seen)
        })
        .collect();
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for start in graph.keys() {
        if done.contains(start) {
            continue;
        }
        let mut circle = vec![*start];
        circle.extend(
            reach[start]
                .iter()
                .copied()
                .filter(|other| other != start && reach[other].contains(start)),
        );
        done.extend(circle.iter().copied());
        found.push(circle);
    }
    found
}
