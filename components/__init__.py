"""The stack's Pulumi components: one ComponentResource a file; only `service.py` and `config_writer.py` make containers."""
