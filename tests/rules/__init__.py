"""Tests of the rules: the cases in cases/ are read by promtool, the rest by pytest."""
