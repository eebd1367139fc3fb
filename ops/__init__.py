"""The command line around the Pulumi program: bring up, preview, check, take down."""
