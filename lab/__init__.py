"""The toolchain and every image of the stack, built from package mirrors alone.

The last resort, for a machine that reaches neither a registry nor a release download: PyPI, the Go module proxy and
Debian's packages are enough. Start with `lab.plan`, or with `python -m lab` on the command line.
"""
