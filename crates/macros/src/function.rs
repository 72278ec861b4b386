//! The function that the attribute stands on: taken apart, checked, and put together again as a test.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::error::Error;
use crate::options::{Options, is_punct, tokens};

const SHAPES: &str = "`fn name(world: &mut World)` or `async fn name(reactor: Handle)`";

/// A function whose signature has been checked.
pub(crate) struct Function {
    /// `#[…]` and the visibility: they go to the outer function, which is the test.
    outer: TokenStream,
    /// From `async` or `fn` to the end of the body, unchanged.
    inner: TokenStream,
    name: Ident,
    is_async: bool,
    /// Where the parameter is, to blame it when it is of the wrong type.
    parameters: Span,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> Result<Self, Error> {
        let item = flattened(item);
        let mut at = 0;
        skip_attributes(&item, &mut at)?;
        skip_visibility(&item, &mut at);
        let (outer, inner) = item.split_at(at);
        let is_async = read_qualifiers(inner, &mut at)?;
        let Some(TokenTree::Ident(name)) = item.get(at) else {
            return Err(not_a_function(&item));
        };
        let parameters = read_parameters(item.get(at + 1), name)?;
        check_body(item.last())?;
        Ok(Self {
            outer: outer.iter().cloned().collect(),
            inner: inner.iter().cloned().collect(),
            name: name.clone(),
            is_async,
            parameters,
        })
    }

    /// The test: the function inside a function without parameters that hands it to the testing crate.
    pub(crate) fn into_test(self, options: &Options) -> TokenStream {
        let mut body = self.inner.clone();
        body.extend(self.call(options));
        let mut test = tokens("#[::core::prelude::v1::test]");
        test.extend(self.outer);
        test.extend(tokens("fn"));
        test.extend([
            TokenTree::from(self.name),
            Group::new(Delimiter::Parenthesis, TokenStream::new()).into(),
            Group::new(Delimiter::Brace, body).into(),
        ]);
        test
    }

    /// `PATH::run_test(PATH::TestCase::new("module::name").seed(7), name)`
    fn call(&self, options: &Options) -> TokenStream {
        let name = self.name.to_string();
        let name = name.trim_start_matches("r#");
        let full_name = format!(r#"::core::concat!(::core::module_path!(), "::", "{name}")"#);
        let mut arguments = options.path();
        arguments.extend(tokens(&format!("::TestCase::new({full_name})")));
        arguments.extend(options.calls());
        arguments.extend(tokens(","));
        arguments.extend([TokenTree::from(self.blamed_name())]);

        let mut call = options.path();
        call.extend(tokens(if self.is_async {
            "::run_async_test"
        } else {
            "::run_test"
        }));
        call.extend([TokenTree::from(Group::new(
            Delimiter::Parenthesis,
            arguments,
        ))]);
        call
    }

    /// The function's name, at the place of its parameters: if they are wrong, that is what the compiler underlines.
    fn blamed_name(&self) -> Ident {
        let mut name = self.name.clone();
        name.set_span(name.span().located_at(self.parameters));
        name
    }
}

/// The tokens with the invisible groups opened that `macro_rules` puts around its fragments.
fn flattened(tokens: TokenStream) -> Vec<TokenTree> {
    let mut flat = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                flat.extend(flattened(group.stream()));
            }
            token => flat.push(token),
        }
    }
    flat
}

fn skip_attributes(item: &[TokenTree], at: &mut usize) -> Result<(), Error> {
    while let [hash, TokenTree::Group(attribute), ..] = &item[*at..]
        && is_punct(hash, '#')
    {
        if attribute.stream().to_string() == "test" {
            let message =
                "leave out `#[test]`: `#[ropewalk::test]` makes the function a test already";
            return Err(Error::new(attribute.span(), message));
        }
        *at += 2;
    }
    Ok(())
}

fn skip_visibility(item: &[TokenTree], at: &mut usize) {
    if item.get(*at).is_some_and(|token| is_word(token, "pub")) {
        *at += 1;
        *at += usize::from(
            item.get(*at)
                .is_some_and(|token| group(token, Delimiter::Parenthesis)),
        );
    }
}

/// Moves `at` behind `fn` and tells whether the function is async.
fn read_qualifiers(item: &[TokenTree], at: &mut usize) -> Result<bool, Error> {
    let mut is_async = false;
    for token in item {
        *at += 1;
        match token {
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "fn" => return Ok(is_async),
                "async" => is_async = true,
                word @ ("const" | "unsafe" | "extern") => {
                    let message = format!("a test cannot be `{word}`; write {SHAPES}");
                    return Err(Error::new(token.span(), message));
                }
                _ => break,
            },
            _ => break,
        }
    }
    Err(not_a_function(item))
}

/// The place of the one parameter.
fn read_parameters(token: Option<&TokenTree>, name: &Ident) -> Result<Span, Error> {
    let parameters = match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => group,
        Some(token) => {
            let message = format!("a test cannot be generic; write {SHAPES}");
            return Err(Error::new(token.span(), message));
        }
        None => return Err(Error::new(name.span(), format!("a test is {SHAPES}"))),
    };
    let stream = flattened(parameters.stream());
    if stream.is_empty() {
        let message = format!(
            "a test in a simulated world takes it: {SHAPES}; one without a world is a plain `#[test]`"
        );
        return Err(Error::new(parameters.span(), message));
    }
    if let Some(token) = stream.iter().find(|token| is_word(token, "self")) {
        let message = format!("a test is a free function: {SHAPES}");
        return Err(Error::new(token.span(), message));
    }
    match second_parameter(&stream) {
        None => Ok(parameters.span()),
        Some(token) => {
            let message = format!("a test has one parameter: {SHAPES}");
            Err(Error::new(token.span(), message))
        }
    }
}

/// The first token behind a comma that is not inside angle brackets.
fn second_parameter(stream: &[TokenTree]) -> Option<&TokenTree> {
    let mut depth = 0;
    for (at, token) in stream.iter().enumerate() {
        let is_arrow = at > 0 && is_punct(&stream[at - 1], '-');
        if is_punct(token, '<') {
            depth += 1;
        } else if is_punct(token, '>') && !is_arrow {
            depth -= 1;
        } else if is_punct(token, ',') && depth == 0 {
            return stream.get(at + 1);
        }
    }
    None
}

fn check_body(last: Option<&TokenTree>) -> Result<(), Error> {
    match last {
        Some(token) if group(token, Delimiter::Brace) => Ok(()),
        last => {
            let span = last.map_or_else(Span::call_site, TokenTree::span);
            Err(Error::new(span, "a test needs a body"))
        }
    }
}

fn not_a_function(item: &[TokenTree]) -> Error {
    let span = item.first().map_or_else(Span::call_site, TokenTree::span);
    Error::new(
        span,
        format!("`#[ropewalk::test]` stands on a function: {SHAPES}"),
    )
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

fn group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}
