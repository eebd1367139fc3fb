"""What the checks of the infrastructure judge without an engine: certificates and free space."""

from datetime import timedelta

import trustme
from cryptography import x509

from ops.validation import infrastructure


def test_a_certificate_that_ends_soon_is_named_with_its_day() -> None:
    soon = trustme.CA(organization_name="Soon").cert_pem.bytes().decode()
    assert infrastructure.certificates("").result == "skip"
    assert infrastructure.certificates(soon).result == "pass"
    [read] = x509.load_pem_x509_certificates(soon.encode())
    end = read.not_valid_after_utc
    assert infrastructure.certificates(soon, end - timedelta(days=31)).result == "pass"
    found = infrastructure.certificates(soon, end - timedelta(days=29))
    assert found.result == "fail"
    assert "O=Soon" in found.detail
    assert f"ends {end:%Y-%m-%d}" in found.detail
    assert "receiverCa" in found.hint


def test_a_disk_without_a_gigabyte_left_fails() -> None:
    assert infrastructure.disk("/", 2 * 1024**3).result == "pass"
    found = infrastructure.disk("/data", 500 * 1024**2)
    assert (found.result, found.detail) == ("fail", "0.5 GiB free on /data")


def test_a_clock_is_not_off_for_as_long_as_its_answer_took() -> None:
    assert infrastructure.clock(1000.0, asked=999.0, answered=1030.0).result == "pass"
    assert infrastructure.clock(1000.0, asked=1005.0, answered=1006.0).detail.startswith("5.0 s ")
    assert infrastructure.clock(1010.0, asked=1005.0, answered=1006.0).result == "fail"
