"""`ops` as an image, for pipelines: Pulumi, the plugins and the libraries; the program is a checkout beside it."""
