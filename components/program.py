"""What a Pulumi update runs, for plain `pulumi up` and for `ops` alike."""

import pulumi
from pulumi.runtime import config as runtime_config

from components.stack import MonitoringStack
from config.errors import SettingsError
from config.project import PROJECT
from config.settings import Settings, load
from images.catalogue import image_keys


def declare(settings: Settings) -> dict[str, str]:
    """Declare the stack that `settings` describe, and export its addresses, which it gives by name."""
    outputs = MonitoringStack(settings).outputs
    for name, value in outputs.items():
        pulumi.export(name, value)
    return outputs


def program() -> None:
    """Declare the stack that Pulumi's configuration describes.

    Raises pulumi.RunError, before any resource is declared, when a setting is missing or malformed.
    """
    prefix = f"{PROJECT}:"
    # The raw texts: Config.get() warns for each secret that is read, and knows no list of the keys.
    values = {
        key.removeprefix(prefix): value for key, value in runtime_config.CONFIG.get().items() if key.startswith(prefix)
    }
    encrypted = {key for key in values if runtime_config.is_config_secret(prefix + key)}
    try:
        settings = load(pulumi.get_stack(), values, encrypted=encrypted, images=image_keys())
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    declare(settings)
