//! How does an `async fn main` become a program, and an `async fn` a test?
//!
//! ```text
//!  #[lone::main(budget = 7)]              fn main() -> T {
//!  async fn main() -> T {       ──►         let __body = async move { TYPED { BODY } };
//!      BODY                                 ::lone::__private::run_main(
//!  }                                            ::lone::Builder::new().budget(7), __body)
//!                                       }
//! ```
//!
//! Invariants:
//! - **The user's tokens are the user's**: attributes, docs, visibility, name, return type,
//!   where-clause and body pass through with their spans, so rustc's errors point to them.
//! - **No list of settings**: a `key = value` becomes a method call whose name has the span of the
//!   key; the builder alone knows which keys exist, and rustc says so.
//! - **One error at a time**: an expansion that fails is one `compile_error!` at the culprit,
//!   inside a function of the same name, so that nothing else is reported as missing.
//! - **Hygiene**: our locals have mixed-site spans; the user's code cannot see them.
//!
//! Cost: no dependency. It is built in well under a second; `syn` and `quote` would add seconds.
//!
//! What this file deliberately does not do: parse types, expressions or the body.

#![forbid(unsafe_code)]

use proc_macro::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};

/// Runs an `async fn main` on a loop of its own and returns what it returns.
///
/// ```text
/// #[lone::main]
/// async fn main() -> std::io::Result<()> {
///     let page = std::fs::read_to_string("page.html")?;
///     lone::sleep(Duration::from_millis(10)).await;
///     Ok(())
/// }
/// ```
///
/// The loop is built by `lone::Builder::new()`. The function takes no parameters; its return
/// type is one that a plain `fn main` may have, `!` included.
///
/// # Arguments
/// Settings of the builder, separated by commas:
///
/// ```text
/// #[lone::main(start_paused, budget = 7, crate = "my_crate::lone")]
/// ```
///
/// - `key = value` calls `.key(value)`, for every method of the builder that takes one argument.
///   A value that has a comma outside of brackets goes in parentheses.
/// - `key` alone means `key = true`.
/// - `crate = "a::path"`, or `crate = a::path`, says where `lone` is found if not at `::lone`: for
///   crates that re-export it.
///
/// # Errors
/// A compile error, at the token to change: the item is not an `async fn`, has parameters, or is
/// `const`, `unsafe` or `extern`; an argument is malformed; the builder has no method of that name.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(&MAIN, args, item)
}

/// Makes an `async fn` a test that runs on a loop of its own.
///
/// ```text
/// #[lone::test(start_paused)]
/// #[should_panic(expected = "too late")]
/// async fn an_hour_passes_at_once() {
///     lone::sleep(Duration::from_secs(3600)).await;
///     panic!("too late");
/// }
/// ```
///
/// The loop is built by `lone::Builder::new()`. `#[test]` is added; every other attribute
/// (`#[should_panic]`, `#[ignore]`, `#[cfg(..)]`) stays and means what it always means. The test
/// may return a `Result` and use `?`.
///
/// # Arguments
/// Those of [`main`](macro@main).
///
/// # Errors
/// A compile error as from [`main`](macro@main), or if the function already has a `#[test]`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand(&TEST, args, item)
}

/// What differs between the two attributes.
struct Flavour {
    name: &'static str,
    expansion: &'static str,
    if_a_test: &'static str,
}

const MAIN: Flavour = Flavour {
    name: "#[lone::main]",
    expansion: "$before $signature {
        let __body = async move { $typed $body };
        $krate::__private::run_main($krate::Builder::new() $calls, __body)
    }",
    if_a_test: "a test takes #[lone::test] instead of #[lone::main]",
};

const TEST: Flavour = Flavour {
    name: "#[lone::test]",
    expansion: "#[::core::prelude::v1::test] $before $signature {
        let __body = async move { $typed $body };
        $krate::__private::run_test($krate::Builder::new() $calls, __body)
    }",
    if_a_test: "#[lone::test] adds it",
};

/// Never runs, but is checked first: it gives the async block its type before the body has a `?` or
/// a `return` whose types depend on it, as the signature does for a real `async fn`.
const TYPED: &str = "#[allow(unreachable_code)] if false {
    let __output: $output = loop {};
    return __output;
}";

/// What is wrong, where, and what to do about it; `$me` in the text stands for the attribute.
struct Problem(Span, String);

fn problem<T>(span: Span, text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem(span, text.into()))
}

fn expand(flavour: &Flavour, args: TokenStream, item: TokenStream) -> TokenStream {
    let function = Function::parse(flavour, item.clone());
    match function.and_then(|function| Ok((function, Settings::parse(args)?))) {
        Ok((function, settings)) => function.expand(flavour, &settings),
        Err(Problem(span, text)) => report(span, &text.replace("$me", flavour.name), item),
    }
}

/// The compile error, in a stand-in for the function, or else before the item as it is.
fn report(span: Span, text: &str, item: TokenStream) -> TokenStream {
    let text = TokenTree::from(Literal::string(text)).into();
    let error = template("::core::compile_error! { $text }", span, &[("text", &text)]);
    let mut from_fn = item.clone().into_iter().skip_while(|t| !is_word(t, "fn"));
    match from_fn.nth(1) {
        Some(TokenTree::Ident(name)) => {
            let parts = [("name", &TokenTree::from(name).into()), ("error", &error)];
            template("#[allow(dead_code)] fn $name() { $error }", span, &parts)
        }
        _ => [error, item].into_iter().collect(),
    }
}

/// An `async fn`, cut where the expansion needs it.
struct Function {
    /// Attributes, those from inside the body included, and visibility.
    before: TokenStream,
    /// From `fn` to the end of the where-clause.
    signature: TokenStream,
    /// The type after `->`; `()` if there is none.
    output: TokenStream,
    /// The braces and what they hold, but for inner attributes.
    body: TokenStream,
}

impl Function {
    fn parse(flavour: &Flavour, item: TokenStream) -> Result<Self, Problem> {
        let mut tokens = item.into_iter();
        let (mut before, fn_token) = parse_head(flavour, &mut tokens)?;
        let fn_span = fn_token.span();
        let mut signature = vec![fn_token];
        signature.extend(tokens);
        let body = signature.pop().and_then(|t| group(t, Delimiter::Brace));
        let Some(body) = body else {
            return problem(fn_span, "$me needs a function with a body");
        };
        let parameters = |t: &TokenTree| group(t.clone(), Delimiter::Parenthesis);
        if let Some(list) = signature.iter().find_map(parameters)
            && !list.stream().is_empty()
        {
            return problem(list.span(), "remove the parameters: $me passes none");
        }
        let after_list = signature.iter().skip_while(|t| parameters(t).is_none());
        let arrow_and_type = after_list.skip(1).take_while(|t| !is_word(t, "where"));
        let mut output: TokenStream = arrow_and_type.skip(2).cloned().collect();
        if output.is_empty() {
            output = template("()", ours(body.span()), &[]);
        }
        Ok(Self {
            output,
            body: lift_inner_attributes(&body, &mut before),
            signature: signature.into_iter().collect(),
            before,
        })
    }

    fn expand(&self, flavour: &Flavour, settings: &Settings) -> TokenStream {
        let untyped = self.output.to_string() == "!" || has_word(&self.output, "impl");
        let typed = if untyped { "" } else { TYPED };
        let at_output = ours(first_span(&self.output));
        let parts = [
            ("before", &self.before),
            ("signature", &self.signature),
            ("typed", &template(typed, at_output, &[("output", &self.output)])),
            ("body", &self.body),
            ("krate", &settings.krate),
            ("calls", &settings.calls),
        ];
        template(flavour.expansion, ours(first_span(&self.body)), &parts)
    }
}

/// Reads as far as `fn`: attributes and visibility are kept, `async` is dropped.
fn parse_head(
    flavour: &Flavour,
    tokens: &mut impl Iterator<Item = TokenTree>,
) -> Result<(TokenStream, TokenTree), Problem> {
    let mut kept = TokenStream::new();
    let (mut is_async, mut unwanted) = (false, None);
    for token in tokens {
        let (span, word) = (token.span(), token.to_string());
        match (&token, word.as_str()) {
            (TokenTree::Ident(_), "fn") => {
                if let Some((span, word)) = unwanted {
                    let text = format!("remove `{word}`: $me takes a plain `async fn`");
                    return problem(span, text);
                }
                if !is_async {
                    return problem(span, "write `async fn`: $me runs an async function");
                }
                return Ok((kept, token));
            }
            (TokenTree::Ident(_), "async") => is_async = true,
            (TokenTree::Ident(_), "const" | "unsafe" | "extern") => {
                unwanted.get_or_insert((span, word));
            }
            (TokenTree::Literal(_), _) => {} // the ABI after an unwanted `extern`
            (TokenTree::Ident(_), "pub") | (TokenTree::Punct(_), "#") => kept.extend([token]),
            (TokenTree::Group(attribute), _) => {
                check_attribute(flavour, attribute)?;
                kept.extend([token]);
            }
            _ => return problem(span, "put $me on an `async fn`: this is no function"),
        }
    }
    problem(Span::call_site(), "put $me on an `async fn`")
}

/// A second test attribute would run the test twice.
fn check_attribute(flavour: &Flavour, attribute: &Group) -> Result<(), Problem> {
    let tokens = attribute.stream().into_iter();
    let path = tokens.take_while(|token| !matches!(token, TokenTree::Group(_)));
    if path.last().is_some_and(|name| is_word(&name, "test")) {
        let why = match attribute.stream().to_string().as_str() {
            "test" => flavour.if_a_test,
            _ => "one test attribute is enough",
        };
        return problem(attribute.span(), format!("remove #{attribute}: {why}"));
    }
    Ok(())
}

/// Moves `#![..]` from the top of the body to the function: an async block cannot have any.
///
/// The braces stay where they are but become ours, else a body that is one expression gets the lint
/// `unused_braces`.
fn lift_inner_attributes(body: &Group, before: &mut TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let mut rest = tokens.as_slice();
    while let [hash, bang, attribute, after @ ..] = rest
        && is_punct(hash, '#')
        && is_punct(bang, '!')
    {
        before.extend([hash.clone(), attribute.clone()]);
        rest = after;
    }
    let mut lifted = Group::new(Delimiter::Brace, rest.iter().cloned().collect());
    lifted.set_span(ours(body.span()));
    TokenTree::from(lifted).into()
}

/// The arguments of the attribute.
struct Settings {
    /// Where `lone` is found.
    krate: TokenStream,
    /// `.key(value)` for each of the other settings.
    calls: TokenStream,
}

impl Settings {
    fn parse(args: TokenStream) -> Result<Self, Problem> {
        let mut krate = template("::lone", Span::mixed_site(), &[]);
        let mut calls = TokenStream::new();
        let mut tokens = args.into_iter();
        while let Some(key) = tokens.next() {
            let span = key.span();
            if !matches!(key, TokenTree::Ident(_)) {
                return problem(span, format!("expected `key = value`, found `{key}`"));
            }
            let value = parse_value(&key, &mut tokens)?;
            if is_word(&key, "crate") {
                krate = parse_path(span, value)?;
                continue;
            }
            let value = value.unwrap_or_else(|| template("true", span, &[]));
            let parts = [("key", &TokenStream::from(key)), ("value", &value)];
            calls.extend(template(".$key($value)", span, &parts));
        }
        Ok(Self { krate, calls })
    }
}

/// Reads from behind the key to behind the next comma; `None` for a key alone.
fn parse_value(
    key: &TokenTree,
    tokens: &mut impl Iterator<Item = TokenTree>,
) -> Result<Option<TokenStream>, Problem> {
    match tokens.next() {
        Some(equals) if is_punct(&equals, '=') => {
            let mut value: Vec<_> = tokens.take_while(|t| !is_punct(t, ',')).collect();
            if let [TokenTree::Group(whole)] = value.as_mut_slice() {
                whole.set_span(ours(whole.span())); // no lint about these parentheses
            }
            if value.is_empty() {
                return problem(equals.span(), format!("write a value: `{key} = value`"));
            }
            Ok(Some(value.into_iter().collect()))
        }
        Some(other) if !is_punct(&other, ',') => {
            let text = format!("expected `,` or `= value` after `{key}`, found `{other}`");
            problem(other.span(), text)
        }
        _ => Ok(None),
    }
}

/// The value of `crate`: a path, bare, or in a string as other crates' attributes want it.
fn parse_path(key: Span, value: Option<TokenStream>) -> Result<TokenStream, Problem> {
    let value = value.unwrap_or_default();
    let span = value.clone().into_iter().next().map_or(key, |t| t.span());
    let text = value.to_string();
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let path = match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(text) if text.chars().all(in_path) => template(text, span, &[]),
        Some(_) => TokenStream::new(),
        None => value,
    };
    let is_literal = |token| matches!(token, TokenTree::Literal(_));
    if path.is_empty() || path.clone().into_iter().any(is_literal) {
        return problem(span, "write a path: `crate = \"path::to::lone\"`");
    }
    Ok(path)
}

/// Our `quote!`: the tokens of `text`, all with `span`, and each `$name` replaced by its part.
fn template(text: &str, span: Span, parts: &[(&str, &TokenStream)]) -> TokenStream {
    let tokens = text.parse().expect("a template is made of Rust tokens");
    fill(tokens, span, parts)
}

fn fill(tokens: TokenStream, span: Span, parts: &[(&str, &TokenStream)]) -> TokenStream {
    let mut tokens = tokens.into_iter();
    let mut filled = TokenStream::new();
    while let Some(mut token) = tokens.next() {
        if is_punct(&token, '$') {
            let name = tokens.next().map(|name| name.to_string());
            let part = parts.iter().find(|part| Some(part.0) == name.as_deref());
            let (_, part) = part.expect("a template names only parts that it is given");
            filled.extend((*part).clone());
            continue;
        }
        if let TokenTree::Group(group) = &token {
            let inside = fill(group.stream(), span, parts);
            token = Group::new(group.delimiter(), inside).into();
        }
        token.set_span(span);
        filled.extend([token]);
    }
    filled
}

/// `span` as a place, but with the hygiene of a macro: lints about style leave it alone.
fn ours(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

fn first_span(tokens: &TokenStream) -> Span {
    let first = tokens.clone().into_iter().next();
    first.map_or_else(Span::call_site, |token| token.span())
}

/// The group with this delimiter, taken out of the invisible ones in which `macro_rules!` wraps.
fn group(token: TokenTree, delimiter: Delimiter) -> Option<Group> {
    match token {
        TokenTree::Group(found) if found.delimiter() == delimiter => Some(found),
        TokenTree::Group(outer) if outer.delimiter() == Delimiter::None => {
            let inside = outer.stream().into_iter().next();
            inside.and_then(|token| group(token, delimiter))
        }
        _ => None,
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_word(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word.to_string() == wanted)
}

fn has_word(tokens: &TokenStream, wanted: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => has_word(&group.stream(), wanted),
        token => is_word(&token, wanted),
    })
}
