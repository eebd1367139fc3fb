"""Secrets of the known shapes, made at random from a fixed seed, and harmless texts that look like them."""

import base64
import json
import random
import string

_ALNUM = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits
_URLSAFE = _ALNUM + "-_"
_HEX = "0123456789abcdef"


def secrets(count: int, seed: int = 13) -> list[tuple[str, str]]:
    """`count` pairs of (line, the secret in it), of every shape in turn. None of them is a key of anything."""
    draw = random.Random(seed)

    def some(letters: str, length: int) -> str:
        return "".join(draw.choice(letters) for _ in range(length))

    def jwt() -> str:
        parts = ({"alg": "HS256", "typ": "JWT"}, {"role": "service_role", "jti": some(_HEX, 12)})
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*encoded, some(_URLSAFE, 43)])

    def password() -> str:
        return some(_ALNUM + "!$%^*()-_+.?", 14)

    shapes = (
        lambda: ("connecting to postgres://app:{}@db:5432/app?sslmode=disable", password()),
        lambda: ("cache is redis://:{}@redis:6379/0", password()),
        lambda: ("dsn host=db user=app password={} dbname=app", some(_ALNUM, 16)),
        lambda: ("env POSTGRES_PASSWORD={}", some(_ALNUM, 16)),
        lambda: ('{{"msg": "login", "password": "{}"}}', some(_ALNUM, 12)),
        lambda: ('{{"msg": "body {{\\\\"password\\\\":\\\\"{}\\\\"}}"}}', some(_ALNUM, 12)),
        lambda: ("STATEMENT:  CREATE ROLE app LOGIN PASSWORD '{}'", password()),
        lambda: ("Authorization: Bearer {}", some(_URLSAFE, 40)),
        lambda: ("GET /rest/v1/prices apikey={}", jwt()),
        lambda: ("token is {} and valid", jwt()),
        lambda: ("authorization: Basic {}", base64.b64encode(some(_ALNUM, 18).encode()).decode()),
        lambda: ("upload with {} failed", "AKIA" + some(_UPPER, 16)),
        lambda: ("session {}", "ASIA" + some(_UPPER, 16)),
        lambda: ("aws_secret_access_key = {}", some(_ALNUM + "/+", 40)),
        lambda: ("slack said invalid_auth for {}", "xoxb-" + some(string.digits, 12) + "-" + some(_ALNUM, 24)),
        lambda: (
            "POST https://hooks.slack.com/services/{} 200",
            f"T{some(_UPPER, 8)}/B{some(_UPPER, 8)}/{some(_ALNUM, 24)}",
        ),
        lambda: ("clone with {}", "ghp_" + some(_ALNUM, 36)),
        lambda: ("using {}", "github_pat_" + some(_ALNUM, 22) + "_" + some(_ALNUM, 59)),
        lambda: ("stripe key {} refused", "sk_live_" + some(_ALNUM, 24)),
        lambda: ("webhook secret {}", "whsec_" + some(_ALNUM, 32)),
        lambda: ("supabase key {}", "sb_secret_" + some(_URLSAFE, 31)),
        lambda: ("cli token {}", "sbp_" + some(_HEX, 40)),
        lambda: ("pagerduty routing_key={}", some(_HEX, 32)),
        lambda: ("PagerDuty: Authorization: Token token={}", some(_ALNUM, 20)),
        lambda: ("maps key {}", "AIza" + some(_URLSAFE, 35)),
        lambda: ("oauth {}", "GOCSPX-" + some(_URLSAFE, 28)),
        lambda: ("oauth {}", "ya29." + some(_URLSAFE, 60)),
        lambda: ("openai {}", "sk-proj-" + some(_URLSAFE, 48)),
        lambda: ("openai {}", "sk-" + some(_ALNUM, 48)),
        lambda: ("mail {}", f"SG.{some(_URLSAFE, 22)}.{some(_URLSAFE, 43)}"),
        lambda: ("POST https://api.telegram.org/bot{}/sendMessage", f"{some(string.digits, 10)}:{some(_URLSAFE, 35)}"),
        lambda: ("POST https://discord.com/api/webhooks/1234567890/{}", some(_URLSAFE, 68)),
        lambda: ("key -----BEGIN PRIVATE KEY-----{}-----END PRIVATE KEY-----", some(_ALNUM + "+/", 64)),
    )
    made = []
    for number in range(count):
        line, secret = shapes[number % len(shapes)]()
        made.append((f"{number:03} {line.format(secret)}", secret))
    return made


def harmless(count: int, seed: int = 14) -> list[str]:
    """`count` lines that must arrive as they are."""
    draw = random.Random(seed)

    def some(letters: str, length: int) -> str:
        return "".join(draw.choice(letters) for _ in range(length))

    shapes = (
        lambda: 'FATAL:  password authentication failed for user "app"',
        lambda: "password: incorrect, try again",
        lambda: "the token of user 17 has expired",
        lambda: "tokens: 17, tokens_per_second=4.2",
        lambda: f"commit {some(_HEX, 40)} deployed",
        lambda: f"request {some(_HEX, 8)}-{some(_HEX, 4)}-{some(_HEX, 4)}-{some(_HEX, 4)}-{some(_HEX, 12)} done",
        lambda: f"md5 {some(_HEX, 32)} matches",
        lambda: f"image sha256:{some(_HEX, 64)}",
        lambda: f"transfer to 0x{some(_HEX, 40)}",
        lambda: "GET http://kong:8100/metrics?x=1 200",
        lambda: "see https://example.org:8443/docs/page#part",
        lambda: "mail to ops@example.org from http://a:80/ done",
        lambda: "Bearer of bad news",
        lambda: "basic set-up done",
        lambda: "sk-short is no key, nor is sk_test_x",
        lambda: f"AKIA is a prefix; {some(_UPPER, 20)} is none",
        lambda: "eyJ is how JSON begins in base64",
        lambda: f"base64 {base64.b64encode(some(_ALNUM, 30).encode()).decode()}",
        lambda: "xoxo from the team",
        lambda: "ghp_ and github_pat_ are prefixes",
        lambda: "secret=",
        lambda: 'keys: ["primary_key", "foreign_key"]',
        lambda: "KEY (id)=(17) already exists",
        lambda: f"user_id={draw.randrange(10**9)} session_count={draw.randrange(100)}",
        lambda: '{"level":"info","msg":"password changed","user":"app"}',
        lambda: "SELECT password FROM users WHERE id = $1",
        lambda: "2026-11-24T20:00:00.000Z level=info msg=ready",
        lambda: f'10.0.0.{draw.randrange(255)} - - "GET /api/v1/prices/{draw.randrange(9999)} HTTP/1.1" 200',
        lambda: "ratio 4:5@home",
        lambda: "-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----",
    )
    return [f"{number:03} {shapes[number % len(shapes)]()}" for number in range(count)]
