"""Tests without a running stack."""
