"""Paired comparisons with what people would use instead. These machines are noisy: ratios count, not seconds."""
