//! Stamps the conformance suite on every driver.
