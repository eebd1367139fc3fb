"""A small vocabulary of panels, with which the pages are written.

Each takes a title, a description (what it shows, and what a bad value means), PromQL or LogQL, and a unit of Grafana's.
A `Limit` is drawn where an alert has one. `links` are the next places to look; without any, a page leads to its logs.
"""
