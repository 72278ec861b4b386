//! Medians, quantiles and ratios of paired runs. Pure numbers; no clock, no process.

/// The middle value (the mean of the two middle ones), or `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The smallest value that at least `share` (0 to 1) of the sorted values do not exceed.
pub(crate) fn quantile(sorted: &[u32], share: f64) -> Option<u32> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// `ours` divided by `base` of the same lap, for each lap that has both.
///
/// The machine changes its speed between laps, hardly within one: so each is divided by what ran beside
/// it, and only then is a middle taken. A lap in which either is missing (left out because something else
/// ran) does not count.
pub(crate) fn paired_ratios(ours: &[Option<f64>], base: &[Option<f64>]) -> Vec<f64> {
    let both = ours
        .iter()
        .zip(base)
        .filter_map(|(ours, base)| Some(((*ours)?, (*base)?)));
    both.filter(|(_, base)| *base > 0.0)
        .map(|(ours, base)| ours / base)
        .collect()
}

/// Half the distance between the quartiles, as a part of the median: how far apart ordinary values are.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = median(&sorted).filter(|middle| *middle > 0.0)?;
    let quartile = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    Some((quartile(0.75) - quartile(0.25)) / 2.0 / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_takes_the_middle_whatever_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 5.0, 2.0]), Some(3.5));
    }

    #[test]
    fn one_wild_run_does_not_move_the_median() {
        assert_eq!(median(&[4.0, 4.1, 900.0]), Some(4.1));
    }

    #[test]
    fn quantile_is_a_value_that_occurred() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&sorted, 0.50), Some(50));
        assert_eq!(quantile(&sorted, 0.99), Some(99));
        assert_eq!(quantile(&sorted, 1.0), Some(100));
        assert_eq!(quantile(&sorted, 0.0), Some(1));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_ratio_is_taken_within_each_lap() {
        // The machine was twice as slow in the second lap: both were, so the ratio stays.
        let ours = [Some(4.2), Some(8.4), Some(4.2)];
        let base = [Some(4.0), Some(8.0), Some(4.0)];
        let ratio = median(&paired_ratios(&ours, &base)).unwrap();
        assert!((ratio - 1.05).abs() < 1e-9);
    }

    #[test]
    fn a_lap_with_one_side_missing_does_not_count() {
        assert_eq!(
            paired_ratios(&[Some(6.0), Some(9.0)], &[Some(3.0), None]),
            [2.0]
        );
        assert!(paired_ratios(&[None], &[Some(1.0)]).is_empty());
        assert!(paired_ratios(&[Some(1.0)], &[Some(0.0)]).is_empty());
    }

    #[test]
    fn spread_sees_the_ordinary_values_only() {
        assert_eq!(spread(&[3.0, 3.0]), Some(0.0));
        assert_eq!(spread(&[8.0, 9.0, 10.0, 11.0, 900.0]), Some(0.1));
        assert_eq!(spread(&[]), None);
    }
}
