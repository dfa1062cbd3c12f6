//! Shannon entropy, the measure of how random a value looks.

/// Bits per byte of the value's own distribution of bytes; 0 for an empty value.
pub(crate) fn shannon_bits(value: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for &byte in value.iter().take(usize::from(u16::MAX)) {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total: f32 = counts.iter().map(|&count| f32::from(count)).sum();
    if total == 0.0 {
        return 0.0;
    }
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let share = f32::from(count) / total;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_orders_values() {
        assert!(shannon_bits(b"") == 0.0);
        assert!(shannon_bits(b"aaaaaaaa") == 0.0);
        assert!((shannon_bits(b"abcdabcd") - 2.0).abs() < 0.001);
        assert!(shannon_bits(b"q8Zr1LwX0vTn5KyB") > 3.9);
    }
}
