//! What holds for every text that is taken for an endpoint string; the property tests and the fuzz target check it.

use ropewalk_core::endpoint::{
    ClientEndpoint, ClientString, DatagramString, Description, EndpointError, ServerEndpoint,
    ServerString, quote,
};

/// Every way to read it gives a value that is shown as a string with the same meaning, or an error that points into the text.
pub(crate) fn every_text_is_understood_or_its_fault_is_shown(text: &str) {
    match Description::parse(text) {
        Ok(description) => assert_eq!(description.to_string(), text),
        Err(error) => points_into(text, &error),
    }
    match text.parse::<ServerString>() {
        Ok(string) => assert_eq!(string.listening().unwrap().to_string(), text),
        Err(error) => points_into(text, &error),
    }
    match text.parse::<ClientString>() {
        Ok(string) => {
            let shown = string.destination().unwrap().to_string();
            let again = shown.destination().unwrap();
            assert_eq!(again.to_string(), shown, "{text:?}");
        }
        Err(error) => points_into(text, &error),
    }
    if let Err(error) = text.parse::<DatagramString>() {
        points_into(text, &error);
    }
}

/// A quoted text is one field, wherever it stands.
pub(crate) fn a_quoted_text_is_one_field(text: &str) {
    let quoted = quote(text);
    let mut description = Description::parse(&format!("x:{quoted}:key={quoted}:y")).unwrap();
    assert_eq!(description.positional::<String>("first").unwrap(), text);
    assert_eq!(description.required::<String>("key").unwrap(), text);
    assert_eq!(description.positional::<String>("last").unwrap(), "y");
    description.finish().unwrap();
}

fn points_into(text: &str, error: &EndpointError) {
    assert_eq!(error.text(), text);
    assert!(text.get(error.place()).is_some(), "{error:?}");
    let line = error.to_string();
    assert!(!line.contains(char::is_control), "{line:?}");
    assert_eq!(format!("{error:#}").lines().count(), 3);
}
