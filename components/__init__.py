"""The stack's Pulumi components, one a file.

`container.py` says what a container is; `service.py` makes one that stays, `once.py` one that runs once.
"""
