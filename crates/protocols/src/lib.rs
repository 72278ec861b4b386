//! Ropewalk's generic protocols and policies: lines, length prefixes, netstrings, time-outs, limits, shaping.
