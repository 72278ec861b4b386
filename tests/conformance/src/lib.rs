//! Stamps the conformance suite on every driver; see the tests.
