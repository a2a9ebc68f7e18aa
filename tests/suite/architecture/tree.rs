//! The program's source files, parsed. The sandbox and all that only tests are made of are left out.

use std::{collections::BTreeMap, fs, path::Path};

use syn::spanned::Spanned;

use super::rust_files;

/// One file of the program.
pub struct Source {
    /// Its path, with `src/`.
    pub path: String,
    /// The module that it holds: `["engine", "cycle"]`.
    pub module: Vec<String>,
    /// Its lines, without those of tests.
    pub lines: usize,
    /// What it holds, without tests.
    pub items: Vec<syn::Item>,
}

/// Reads and parses the whole program, by module.
pub fn sources() -> BTreeMap<Vec<String>, Source> {
    let mut all = BTreeMap::new();
    let mut of_tests = Vec::new();
    for path in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let module = module_of(&path);
        let mut items = syn::parse_file(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .items;
        let mut lines = text.lines().count();
        items.retain(|item| {
            let left_out = is_test(attributes(item));
            if left_out {
                lines -= item.span().end().line + 1 - item.span().start().line;
            }
            if let (true, syn::Item::Mod(inner)) = (left_out, item) {
                of_tests.push([&module[..], &[inner.ident.to_string()]].concat());
            }
            !left_out
        });
        let path = path.display().to_string();
        if path != "src/main.rs" {
            all.insert(
                module.clone(),
                Source {
                    path,
                    module,
                    lines,
                    items,
                },
            );
        }
    }
    of_tests.push(vec!["sandbox".to_owned()]);
    all.retain(|module, _| !of_tests.iter().any(|root| module.starts_with(root)));
    all
}

/// `src/engine/cycle.rs` -> `["engine", "cycle"]`, `src/engine/mod.rs` -> `["engine"]`, `src/lib.rs` -> `[]`.
fn module_of(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix("src").unwrap().with_extension("");
    let mut module: Vec<String> = inside
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// True for what only a build of tests holds.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let only = attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|flag| flag.is_ident("test"));
        only || attribute.path().is_ident("test")
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// True where a trait of this name is derived.
pub fn derives(attributes: &[syn::Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| {
        let mut found = false;
        if attribute.path().is_ident("derive") {
            let _ = attribute.parse_nested_meta(|derived| {
                found |= derived
                    .path
                    .segments
                    .last()
                    .is_some_and(|last| last.ident == name);
                Ok(())
            });
        }
        found
    })
}

/// The member of a document that a field becomes; `None` where it becomes none.
pub fn member(field: &syn::Field) -> Option<String> {
    let mut name = field.ident.as_ref().map(ToString::to_string);
    for attribute in &field.attrs {
        if !attribute.path().is_ident("serde") {
            continue;
        }
        let _ = attribute.parse_nested_meta(|option| {
            if option.path.is_ident("skip") {
                name = None;
            } else if option.path.is_ident("rename") {
                name = Some(option.value()?.parse::<syn::LitStr>()?.value());
            } else if option.input.peek(syn::Token![=]) {
                option.value()?.parse::<syn::Lit>()?;
            }
            Ok(())
        });
    }
    name
}
