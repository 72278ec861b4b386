//! The web on Ropewalk: a site of resources, static files, sessions, and a client.
