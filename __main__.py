"""The Pulumi program: settings in, one monitoring stack, outputs out."""

from components.program import program

program()
