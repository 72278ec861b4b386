//! Credentials: who says to be whom, what proves it, and what the proven one may use.
