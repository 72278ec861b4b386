//! The attribute macro behind ropewalk::test.
