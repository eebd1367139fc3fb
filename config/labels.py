"""The Docker labels by which people, the log agent and `ops` find what belongs to a stack."""

from config.project import PROJECT

PROJECT_LABEL = "monitoring.project"
STACK_LABEL = "monitoring.stack"
SERVICE_LABEL = "monitoring.service"
COMPONENT_LABEL = "monitoring.component"


def stack_labels(stack: str) -> dict[str, str]:
    """Label -> value of everything that belongs to the stack `stack`."""
    return {PROJECT_LABEL: PROJECT, STACK_LABEL: stack}
