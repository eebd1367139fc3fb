r"""The secrets that are masked in every line, whatever its source.

Each group of an expression (RE2) is replaced by `[masked <name>]`. What is not masked on purpose: a password that
stands in prose (`password: hunter2`, `the password hunter2`), a key of unknown shape without a name beside it, and
characters of a password in an address after a `/`, which an address cannot hold unless it is written as `%2F`.
What is masked beyond secrets: any value of at least 16 characters after the word Bearer or Basic, and whatever is
assigned to a name such as `password`, be it the name of a file.

Where a shape begins with letters of its own, so does its expression: the search then only stops at these letters.
"""

from dataclasses import dataclass

# Names whose values are secrets.
_NAME = (
    r"(?:pass(?:word|wd|phrase)|secret|api[_-]?key|(?:access|auth|refresh|id)[_-]?token|access[_-]?key"
    r"|private[_-]?key|service[_-]?(?:role[_-]?)?key|routing[_-]?key|integration[_-]?key)"
)


@dataclass(frozen=True)
class Mask:
    """One kind of secret: its name, and the expression whose groups are masked."""

    name: str
    expression: str

    @property
    def replacement(self) -> str:
        """What is put in place of the secret."""
        return f"[masked {self.name}]"


MASKS = (
    # The shapes that services give to their keys.
    Mask("jwt", r"(eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*)"),
    Mask("aws-key", r"(AKIA[A-Z0-9]{16})\b"),
    Mask("aws-key", r"(ASIA[A-Z0-9]{16})\b"),
    Mask("slack-token", r"(xox[abeoprs]-[A-Za-z0-9-]{10,})"),
    Mask("slack-webhook", r"hooks\.slack\.com/[a-z]+/([A-Za-z0-9_/-]{20,})"),
    Mask("github-token", r"(gh[opsur]_[A-Za-z0-9]{36,})"),
    Mask("github-token", r"(github_pat_[A-Za-z0-9_]{22,})"),
    Mask("stripe-key", r"((?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,})"),
    Mask("stripe-key", r"(whsec_[A-Za-z0-9+/=]{24,})"),
    Mask("supabase-key", r"(sb_secret_[A-Za-z0-9_-]{20,})"),
    Mask("supabase-key", r"(sbp_[a-f0-9]{40})"),
    Mask("google-key", r"(AIza[A-Za-z0-9_-]{35})"),
    Mask("google-key", r"(GOCSPX-[A-Za-z0-9_-]{28})"),
    Mask("google-key", r"(ya29\.[A-Za-z0-9_-]{20,})"),
    Mask("openai-key", r"(sk-(?:proj|svcacct|admin|ant)-[A-Za-z0-9_-]{20,})"),
    Mask("openai-key", r"(sk-[A-Za-z0-9]{40,})"),
    Mask("sendgrid-key", r"(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"),
    Mask("telegram-token", r"/bot([0-9]{8,10}:[A-Za-z0-9_-]{35})"),
    Mask("discord-webhook", r"/api/webhooks/[0-9]+/([A-Za-z0-9_-]{60,})"),
    Mask("private-key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----([^-]+)"),
    # What stands where a secret stands.
    Mask("password", r"://[^\s:/@\"'<>]*:([^\s/\"'<>]+)@"),
    Mask("token", r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/=-]{16,})"),
    Mask("token", r"(?i)\btoken\s+token=\"?([A-Za-z0-9_+-]{16,})"),
    # An assignment: name=value, "name": "value" (also inside a string, where each quote is \"), name 'value' in SQL.
    Mask("password", rf"(?i){_NAME}\w*\\*[\"']?\s*=\s*\\*(?:\"([^\"\\]+)|'([^'\\]+)|([^\s\"'\\&,;\[][^\s\"'\\&,;]*))"),
    Mask("password", rf"(?i){_NAME}\w*\\*[\"']\s*:\s*\\*[\"']([^\"'\\\[][^\"'\\]*)"),
    Mask("password", r"(?i)\bpassword\s+'([^']+)'"),
)
