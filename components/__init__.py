"""The stack's Pulumi components, one a file; only `service.py` and `config_writer.py` make containers."""
