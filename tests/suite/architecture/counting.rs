//! Counts what the measures are of, in one walk over each file.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    spanned::Spanned,
    visit::{self, Visit},
};

use super::tree::is_test;

/// A finding of one walk: its line, and what it is.
pub type Places = Vec<(usize, String)>;

/// How the names of the methods that write into a transaction begin.
const WRITES: [&str; 6] = ["put_", "delete_", "clear_", "mark_", "append_", "reschedule_"];

/// What one file holds.
#[derive(Default)]
pub struct Counts {
    /// Structs with named fields: how many.
    pub structs: Vec<(usize, String)>,
    /// Functions: name, lines, parameters beside `self`, depth of nesting: of branches, loops, and closures with a block.
    pub functions: Vec<(String, usize, usize, usize)>,
    /// Paths to variants of `Verb`.
    pub verbs: usize,
    /// `match`es over verbs with an arm for all the rest.
    pub wildcards: Places,
    /// `matches!` over verbs, which have such an arm by nature.
    pub matches: Places,
    /// `json!`.
    pub json: usize,
    /// Imports, as written: `crate::snapshot::store::Snapshot`.
    pub imports: Vec<String>,
    /// Writes into a transaction.
    pub store_writes: usize,
    /// Values of the table of names read or written by their name.
    pub meta: Places,
    /// Loops that move a key through a table.
    pub page_loops: Places,
    /// Questions whether the cycle applies.
    pub applies: usize,
    within: Option<Loop>,
    depth: usize,
    deepest: usize,
}

#[derive(Default)]
struct Loop {
    pages: bool,
}

/// Walks over a file.
pub fn count(items: &[syn::Item]) -> Counts {
    let mut counts = Counts::default();
    items.iter().for_each(|item| counts.visit_item(item));
    counts
}

impl Counts {
    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let lines = body.span().end().line + 1 - signature.span().start().line;
        let outer = (
            std::mem::take(&mut self.depth),
            std::mem::take(&mut self.deepest),
            self.within.take(),
        );
        self.visit_block(body);
        self.functions.push((
            signature.ident.to_string(),
            lines,
            signature
                .inputs
                .iter()
                .filter(|input| matches!(input, syn::FnArg::Typed(_)))
                .count(),
            self.deepest,
        ));
        (self.depth, self.deepest, self.within) = outer;
    }

    fn deeper(&mut self, walk: impl FnOnce(&mut Self)) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        walk(self);
        self.depth -= 1;
    }

    fn looped(&mut self, line: usize, walk: impl FnOnce(&mut Self)) {
        let outer = self.within.replace(Loop::default());
        self.deeper(walk);
        if self.within.take().is_some_and(|inner| inner.pages) {
            self.page_loops.push((line, "a loop over pages".to_owned()));
        }
        self.within = outer;
    }
}

impl<'ast> Visit<'ast> for Counts {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.structs.push((item.fields.len(), item.ident.to_string()));
        visit::visit_item_struct(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        fn flatten(tree: &syn::UseTree, before: &str, found: &mut Vec<String>) {
            match tree {
                syn::UseTree::Path(part) => {
                    flatten(&part.tree, &format!("{before}{}::", part.ident), found);
                }
                syn::UseTree::Group(group) => {
                    group.items.iter().for_each(|part| flatten(part, before, found));
                }
                syn::UseTree::Name(name) => found.push(format!("{before}{}", name.ident)),
                syn::UseTree::Rename(name) => found.push(format!("{before}{}", name.ident)),
                syn::UseTree::Glob(_) => found.push(format!("{before}*")),
            }
        }
        flatten(&item.tree, "", &mut self.imports);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
    }

    fn visit_expr_if(&mut self, item: &'ast syn::ExprIf) {
        self.visit_expr(&item.cond);
        self.deeper(|this| this.visit_block(&item.then_branch));
        match item.else_branch.as_ref().map(|(_, other)| &**other) {
            Some(syn::Expr::If(next)) => self.visit_expr_if(next),
            Some(syn::Expr::Block(other)) => self.deeper(|this| this.visit_block(&other.block)),
            Some(other) => self.visit_expr(other),
            None => {}
        }
    }

    fn visit_expr_match(&mut self, item: &'ast syn::ExprMatch) {
        let over_verbs = item.arms.iter().any(|arm| names_a_verb(&arm.pat));
        if over_verbs
            && item
                .arms
                .iter()
                .any(|arm| arm.guard.is_none() && takes_the_rest(&arm.pat))
        {
            let line = item.span().start().line;
            self.wildcards
                .push((line, "a match over Verb with a wildcard".to_owned()));
        }
        self.visit_expr(&item.expr);
        self.deeper(|this| item.arms.iter().for_each(|arm| this.visit_arm(arm)));
    }

    fn visit_expr_loop(&mut self, item: &'ast syn::ExprLoop) {
        self.looped(item.span().start().line, |this| {
            visit::visit_expr_loop(this, item);
        });
    }

    fn visit_expr_while(&mut self, item: &'ast syn::ExprWhile) {
        self.looped(item.span().start().line, |this| {
            visit::visit_expr_while(this, item);
        });
    }

    fn visit_expr_for_loop(&mut self, item: &'ast syn::ExprForLoop) {
        self.visit_expr(&item.expr);
        self.deeper(|this| this.visit_block(&item.body));
    }

    fn visit_expr_closure(&mut self, item: &'ast syn::ExprClosure) {
        if let syn::Expr::Block(body) = &*item.body {
            self.deeper(|this| this.visit_block(&body.block));
        } else {
            self.visit_expr(&item.body);
        }
    }

    fn visit_expr_assign(&mut self, item: &'ast syn::ExprAssign) {
        if let (Some(within), syn::Expr::Path(left)) = (&mut self.within, &*item.left)
            && left.path.is_ident("after")
        {
            within.pages = true;
        }
        visit::visit_expr_assign(self, item);
    }

    fn visit_expr_method_call(&mut self, item: &'ast syn::ExprMethodCall) {
        let name = item.method.to_string();
        let line = item.method.span().start().line;
        match name.as_str() {
            "meta" | "put_meta" | "delete_meta" => self.meta.push((line, format!(".{name}()"))),
            "applies" => self.applies += 1,
            _ => {}
        }
        if let syn::Expr::Path(receiver) = &*item.receiver
            && receiver.path.is_ident("tx")
            && WRITES.iter().any(|prefix| name.starts_with(prefix))
        {
            self.store_writes += 1;
        }
        if name == "next_page" {
            // The walk of `snapshot/pages.rs`: what it reads is not moved by hand.
            let within = self.within.take();
            visit::visit_expr_method_call(self, item);
            self.within = within;
            return;
        }
        if let Some(within) = &mut self.within {
            within.pages |= name == "raw_scan" || name.starts_with("scan_");
        }
        visit::visit_expr_method_call(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.verbs += usize::from(is_variant(path, &["Verb"]));
        if let Some(within) = &mut self.within {
            within.pages |= path.segments.last().is_some_and(|last| last.ident == "PAGE");
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let name = item
            .path
            .segments
            .last()
            .map_or_else(String::new, |last| last.ident.to_string());
        let (verbs, inner) = tokens(item.tokens.clone());
        self.verbs += verbs;
        self.json += inner.iter().filter(|name| *name == "json").count() + usize::from(name == "json");
        if name == "matches" && verbs > 0 {
            let line = item.span().start().line;
            self.matches.push((line, "matches! over Verb".to_owned()));
        }
    }
}

/// True for a variant of one of these enums; not for their functions.
fn is_variant(path: &syn::Path, enums: &[&str]) -> bool {
    let mut names = path.segments.iter().rev().map(|part| part.ident.to_string());
    names.next().is_some_and(|name| is_variant_name(&name))
        && names.next().is_some_and(|name| enums.contains(&name.as_str()))
}

/// `CreateUser`: neither a function nor a constant.
fn is_variant_name(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase)
}

/// A verb, and what is asked of one.
const OF_VERBS: [&str; 3] = ["Verb", "Act", "GuardClass"];

fn names_a_verb(pattern: &syn::Pat) -> bool {
    struct Names(bool);
    impl<'ast> Visit<'ast> for Names {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.0 |= is_variant(path, &OF_VERBS);
        }
    }
    let mut names = Names(false);
    names.visit_pat(pattern);
    names.0
}

fn takes_the_rest(pattern: &syn::Pat) -> bool {
    match pattern {
        syn::Pat::Wild(_) => true,
        // `None` is written as a name, too.
        syn::Pat::Ident(name) => {
            name.subpat.is_none() && name.ident.to_string().starts_with(char::is_lowercase)
        }
        syn::Pat::Tuple(parts) => parts.elems.iter().all(takes_the_rest),
        _ => false,
    }
}

/// What a macro's tokens hold: how many `Verb::`, and the names of the macros called.
fn tokens(stream: TokenStream) -> (usize, Vec<String>) {
    let all: Vec<TokenTree> = stream.into_iter().collect();
    let (mut verbs, mut macros) = (0, Vec::new());
    for (at, token) in all.iter().enumerate() {
        let is =
            |at: usize, sign: char| matches!(all.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign);
        match token {
            TokenTree::Ident(name) => {
                let variant =
                    matches!(all.get(at + 3), Some(TokenTree::Ident(of)) if is_variant_name(&of.to_string()));
                verbs += usize::from(name == "Verb" && is(at + 1, ':') && is(at + 2, ':') && variant);
                if is(at + 1, '!')
                    && matches!(all.get(at + 2), Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::None)
                {
                    macros.push(name.to_string());
                }
            }
            TokenTree::Group(group) => {
                let (more, inner) = tokens(group.stream());
                verbs += more;
                macros.extend(inner);
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    (verbs, macros)
}
