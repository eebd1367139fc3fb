# How pint checks the rules, offline. What it could ask a running Prometheus, tests/rules/test_live.py asks.

rule {
  match {
    kind = "alerting"
  }
  label "priority" {
    required = true
    value    = "P1|P2|P3|none"
    severity = "bug"
  }
  annotation "summary" {
    required = true
    severity = "bug"
  }
  annotation "description" {
    required = true
    severity = "bug"
  }
  annotation "runbook_url" {
    required = true
    severity = "bug"
  }
  annotation "dashboard_url" {
    required = true
    severity = "bug"
  }
}

rule {
  match {
    kind = "recording"
  }
  name "[a-z_]+:[a-z0-9_]+:[a-z0-9_]+" {
    severity = "bug"
  }
}
