//! What stands in the parentheses of the attribute.

use proc_macro::{Ident, Literal, Span, TokenStream, TokenTree};

use crate::error::Error;

const KNOWN: &str = "known are `seed = 7`, `seeds = 100` and `crate = ::ropewalk::testing`";

/// The options of one test.
#[derive(Default)]
pub(crate) struct Options {
    seed: Option<u64>,
    seeds: Option<u64>,
    path: Option<TokenStream>,
}

impl Options {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self, Error> {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut options = Self::default();
        let is_comma = |token: &TokenTree| is_punct(token, ',');
        let mut parts: Vec<&[TokenTree]> = tokens.split(is_comma).collect();
        if parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        for part in parts {
            options.add(part)?;
        }
        Ok(options)
    }

    /// Where `run_test` and its kin are found.
    pub(crate) fn path(&self) -> TokenStream {
        let default = || tokens("::ropewalk::testing");
        self.path.clone().unwrap_or_else(default)
    }

    /// The calls that tell a `TestCase` what was asked for.
    pub(crate) fn calls(&self) -> TokenStream {
        let seed = self.seed.map(|seed| format!(".seed({seed}u64)"));
        let seeds = self.seeds.map(|seeds| format!(".seeds({seeds}u64)"));
        tokens(&(seed.unwrap_or_default() + &seeds.unwrap_or_default()))
    }

    /// Reads one `name = value`.
    fn add(&mut self, part: &[TokenTree]) -> Result<(), Error> {
        let span = part.first().map_or_else(Span::call_site, TokenTree::span);
        let [TokenTree::Ident(name), equals, value @ ..] = part else {
            return Err(Error::new(
                span,
                format!("an option is `name = value`; {KNOWN}"),
            ));
        };
        if !is_punct(equals, '=') || value.is_empty() {
            return Err(Error::new(span, format!("`{name}` needs a value; {KNOWN}")));
        }
        match name.to_string().as_str() {
            "seed" => once(&mut self.seed, name, whole_number(name, value)?),
            "seeds" => {
                let seeds = whole_number(name, value)?;
                if seeds == 0 {
                    let message = "`seeds` must be at least 1, or nothing is tested";
                    return Err(Error::new(value[0].span(), message));
                }
                once(&mut self.seeds, name, seeds)
            }
            "crate" => once(&mut self.path, name, value.iter().cloned().collect()),
            _ => Err(Error::new(
                span,
                format!("unknown option `{name}`; {KNOWN}"),
            )),
        }
    }
}

fn once<T>(place: &mut Option<T>, name: &Ident, value: T) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(
            name.span(),
            format!("`{name}` is given twice, leave one out"),
        )),
    }
}

fn whole_number(name: &Ident, value: &[TokenTree]) -> Result<u64, Error> {
    let number = match value {
        [TokenTree::Literal(literal)] => literal_number(literal),
        _ => None,
    };
    let message = || format!("`{name}` must be a whole number, as in `{name} = 7`");
    number.ok_or_else(|| Error::new(value[0].span(), message()))
}

/// The value of an integer literal, with underscores, a radix or the suffix `u64` as in Rust.
fn literal_number(literal: &Literal) -> Option<u64> {
    let text = literal.to_string().replace('_', "");
    let text = text.strip_suffix("u64").unwrap_or(&text);
    match text.get(..2) {
        Some("0x") => u64::from_str_radix(&text[2..], 16).ok(),
        Some("0o") => u64::from_str_radix(&text[2..], 8).ok(),
        Some("0b") => u64::from_str_radix(&text[2..], 2).ok(),
        _ => text.parse().ok(),
    }
}

pub(crate) fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// The tokens of a text of ours.
pub(crate) fn tokens(text: &str) -> TokenStream {
    text.parse().expect("the macro writes Rust")
}
