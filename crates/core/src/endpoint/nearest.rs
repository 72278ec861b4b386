//! "Did you mean": the known word that a mistyped one is closest to.

/// A longer word is no slip of the finger, and comparing it would cost its length.
const LONGEST_WORD: usize = 32;

/// The known word that `word` was probably meant to be, whatever its case: for errors that say what would be right.
///
/// ```
/// use ropewalk_core::endpoint::nearest;
///
/// let known = ["lines".to_owned(), "limits".to_owned()];
/// assert_eq!(nearest("limit", &known), Some("limits"));
/// assert_eq!(nearest("nothing like it", &known), None);
/// ```
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a String>) -> Option<&'a str> {
    let word = word.to_lowercase();
    if word.is_empty() || word.len() > LONGEST_WORD {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (slips(&word, &candidate.to_lowercase()), candidate))
        .filter(|(slips, candidate)| *slips <= (candidate.len() / 3).max(1))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate.as_str())
}

/// The type that goes by another name in Twisted.
pub(super) fn elsewhere<'a>(kind: &str, known: &'a [String]) -> Option<&'a str> {
    let ours = match kind {
        "ssl" => "tls",
        "haproxy" => "proxy",
        "tcp4" | "tcp6" => "tcp",
        _ => return None,
    };
    let found = known.iter().find(|known| *known == ours);
    found.map(String::as_str)
}

/// How many letters were missed, added, changed or swapped. A word cut short or run on counts as one slip.
fn slips(word: &str, meant: &str) -> usize {
    let cut = word.len() > 1 && meant.starts_with(word);
    let run_on = meant.len() > 1 && word.starts_with(meant);
    if (cut || run_on) && word != meant {
        1
    } else {
        distance(word, meant)
    }
}

/// The optimal string alignment distance: Levenshtein's, with a swap of neighbours as one step.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=right.len()).collect();
    for (i, &a) in left.iter().enumerate() {
        let mut new = vec![i + 1];
        for (j, &b) in right.iter().enumerate() {
            let changed = old[j] + usize::from(a != b);
            let mut least = changed.min(old[j + 1] + 1).min(new[j] + 1);
            if i > 0 && j > 0 && a == right[j - 1] && left[i - 1] == b {
                least = least.min(older[j - 1] + 1);
            }
            new.push(least);
        }
        older = std::mem::replace(&mut old, new);
    }
    old[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(word: &str) -> Option<String> {
        let known = ["tcp", "unix", "backlog", "reuse_port", "bind"].map(String::from);
        nearest(word, &known).map(String::from)
    }

    #[test]
    fn a_slip_finds_the_word() {
        for (word, right) in [
            ("tpc", "tcp"),
            ("tc", "tcp"),
            ("TCP", "tcp"),
            ("tcp6", "tcp"),
            ("backlg", "backlog"),
            ("back-log", "backlog"),
            ("reuseport", "reuse_port"),
            ("reusePort", "reuse_port"),
            ("bindAddress", "bind"),
        ] {
            assert_eq!(meant(word).as_deref(), Some(right), "{word}");
        }
    }

    #[test]
    fn another_word_finds_none() {
        for word in ["", "8000", "localhost", "x", "timeout", &"tcp".repeat(20)] {
            assert_eq!(meant(word), None, "{word}");
        }
    }

    #[test]
    fn distance_counts_steps() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("same", "same"), 0);
    }
}
