//! Sans-I/O grammars of Ropewalk: lines, length prefixes, netstrings.
