//! Finding where a run of allowed bytes ends: tables for short words, eight bytes at a time for long ones.
//!
//! Not for: what the byte behind the run means.
//!
//! A word of eight bytes is judged by arithmetic on all at once: `x - n` borrows into the top bit of each byte
//! below `n`, and `x ^ c` is zero where a byte is `c`. A borrow runs upwards only, so the *lowest* marked byte is always
//! truly marked, and only that one is looked at. Vector instructions by name would need `unsafe`; for long values the compiler
//! finds those that every processor has, as a plain loop over sixteen bytes asks whether any is odd, not which.

use crate::cost;

const TOKEN: u8 = 1;
const HOST: u8 = 2;

/// Which classes each byte is in.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        // RFC 9110 5.6.2: tchar.
        let mark = matches!(
            c,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        if c.is_ascii_alphanumeric() || mark {
            classes[byte] |= TOKEN;
        }
        // RFC 3986 3.2.2: unreserved. No host has one of the sub-delims in its name; whoever sends one is after
        // somebody who splits there. A percent sign is judged with what follows it.
        let mark = matches!(c, b'-' | b'.' | b'_' | b'~');
        if c.is_ascii_alphanumeric() || mark {
            classes[byte] |= HOST;
        }
        byte += 1;
    }
    classes
}

/// Whether `byte` may stand in a token (RFC 9110 5.6.2).
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TOKEN != 0
}

/// Whether `byte` may stand in the value of a field (RFC 9110 5.5): tab, space, visible, or above ASCII.
#[inline]
pub(crate) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether `byte` may stand in a request target: visible ASCII but `#`, as a fragment is never sent (RFC 9110 7.1).
#[inline]
pub(super) fn is_target(byte: u8) -> bool {
    byte > b' ' && byte < 0x7f && byte != b'#'
}

/// Where the bytes that may stand unencoded in the name of a host and begin at `from` end (RFC 3986 3.2.2).
#[inline]
pub(super) fn host_end(bytes: &[u8], from: usize) -> usize {
    rest_end(bytes, from, from, |byte| {
        CLASSES[usize::from(byte)] & HOST != 0
    })
}

/// Where the token bytes that begin at `from` end.
#[inline]
pub(super) fn token_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = bytes[at..].first_chunk() {
        match lowest(!plain(u64::from_le_bytes(*word))) {
            8 => at += 8,
            found if is_token(word[found]) => at += found + 1,
            found => return spent(from, at + found),
        }
    }
    rest_end(bytes, from, at, is_token)
}

/// Where the bytes of a field's value that begin at `from` end.
#[inline]
pub(super) fn text_end(bytes: &[u8], from: usize) -> usize {
    let blocks = bytes[from..].as_chunks().0.iter();
    let clean = blocks.take_while(|block| is_clean(block)).count();
    let mut at = from + clean * BLOCK_BYTES;
    while let Some(word) = bytes[at..].first_chunk() {
        let x = u64::from_le_bytes(*word);
        match lowest(below(x, b' ') | equal(x, 0x7f)) {
            8 => at += 8,
            found if word[found] == b'\t' => at += found + 1,
            found => return spent(from, at + found),
        }
    }
    rest_end(bytes, from, at, is_text)
}

/// Where the bytes of a request target that begin at `from` end.
#[inline]
pub(super) fn target_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = bytes[at..].first_chunk() {
        let x = u64::from_le_bytes(*word);
        match lowest(below(x, b'!') | x | equal(x, 0x7f) | equal(x, b'#')) {
            8 => at += 8,
            found => return spent(from, at + found),
        }
    }
    rest_end(bytes, from, at, is_target)
}

/// Where the blanks that begin at `from` end.
#[inline]
pub(super) fn blank_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(b' ' | b'\t') = bytes.get(at) {
        at += 1;
    }
    spent(from, at)
}

/// Whether two words of equal length are the same without case. `known` has letters, digits and dashes only, `token`
/// is one: then a bit makes all the difference there may be.
#[inline]
pub(super) fn is_same_token(token: &[u8], known: &[u8]) -> bool {
    if let (Some(a), Some(b)) = (token.last_chunk(), known.last_chunk()) {
        let words = token.as_chunks().0.iter().zip(known.as_chunks().0);
        return words.fold(is_same_word(a, b), |same, (a, b)| same & is_same_word(a, b));
    }
    let bytes = token.iter().zip(known);
    bytes.fold(true, |same, (a, b)| same & ((a | 0x20) == (b | 0x20)))
}

#[inline(always)]
fn is_same_word(a: &[u8; 4], b: &[u8; 4]) -> bool {
    let low = u32::from_le_bytes([0x20; 4]);
    u32::from_le_bytes(*a) | low == u32::from_le_bytes(*b) | low
}

/// Bytes that were found to be ASCII, as text.
pub(super) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("only ASCII passed the scan")
}

fn rest_end(bytes: &[u8], from: usize, at: usize, allowed: impl Fn(u8) -> bool) -> usize {
    let run = bytes[at..].iter().position(|&byte| !allowed(byte));
    spent(from, run.map_or(bytes.len(), |run| at + run))
}

/// Counts a look at the bytes from `from` to `end`, and at the one behind.
#[inline(always)]
fn spent(from: usize, end: usize) -> usize {
    cost::spend(end - from + 1);
    end
}

/// So many bytes the compiler judges by vector instructions of any processor.
const BLOCK_BYTES: usize = 16;

/// Whether a block has neither control characters, tabs included, nor DEL.
#[inline(always)]
fn is_clean(block: &[u8; BLOCK_BYTES]) -> bool {
    let odd = |byte: u8| u8::from((byte < b' ') | (byte == 0x7f));
    block.iter().fold(0, |any, &byte| any | odd(byte)) == 0
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks bytes below `limit`; exact up to the lowest marked byte.
#[inline(always)]
fn below(x: u64, limit: u8) -> u64 {
    x.wrapping_sub(each(limit)) & !x
}

/// Marks letters and dashes, of which most names are, exactly: no sum carries into the next byte.
#[inline(always)]
fn plain(x: u64) -> u64 {
    let low = (x | each(0x20)) & each(0x7f);
    let letter = (low + each(0x80 - b'a')) & !(low + each(0x80 - b'z' - 1));
    let other = x ^ each(b'-');
    let dash = !(((other & each(0x7f)) + each(0x7f)) | other);
    (letter | dash) & !x
}

/// Marks bytes equal to `byte`; exact up to the lowest marked byte.
#[inline(always)]
fn equal(x: u64, byte: u8) -> u64 {
    below(x ^ each(byte), 1)
}

/// The index of the lowest byte whose top bit is set, 8 if there is none.
#[inline(always)]
fn lowest(marks: u64) -> usize {
    (marks & each(0x80)).trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place of a word, and with neighbours that borrow.
    #[test]
    fn words_and_bytes_agree() {
        type Scan = fn(&[u8], usize) -> usize;
        type Class = fn(u8) -> bool;
        let scans: [(Scan, Class); 3] = [
            (text_end, is_text),
            (target_end, is_target),
            (token_end, is_token),
        ];
        for (end, allowed) in scans {
            for (byte, neighbour) in
                (0..=255).flat_map(|byte| [(byte, b'!'), (byte, b'-'), (byte, b'~')])
            {
                for place in 0..43 {
                    let mut bytes = [neighbour; 43];
                    bytes[place] = byte;
                    let expected = if allowed(byte) { 43 } else { place };
                    assert_eq!(end(&bytes, 0), expected, "{byte} at {place}");
                    assert_eq!(end(&bytes, place), expected, "{byte} from {place}");
                }
            }
        }
    }

    #[test]
    fn the_classes_are_those_of_the_standards() {
        let tokens =
            b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let hosts = b"-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for byte in 0..=255 {
            assert_eq!(is_token(byte), tokens.contains(&byte), "{byte}");
            assert_eq!(host_end(&[byte], 0) == 1, hosts.contains(&byte), "{byte}");
        }
    }
}
