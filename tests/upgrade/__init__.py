"""Whether data survives an upgrade: `make upgrade-test`. Not part of `make test`, as it builds two of everything."""
