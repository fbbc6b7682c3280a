//! Medians and percentiles.

/// The value below which this share of the sorted samples lies (nearest rank).
pub(crate) fn percentile<T: Copy + PartialOrd>(samples: &mut [T], share: f64) -> Option<T> {
    samples.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let rank = (share * samples.len() as f64).ceil() as usize;
    samples.get(rank.saturating_sub(1).min(samples.len().saturating_sub(1))).copied()
}

/// The middle value.
pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    percentile(&mut sorted, 0.5)
}
