"""Tests of Alertmanager with the configuration of a stack."""
