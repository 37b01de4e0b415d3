"""Which rules of detect-secrets are asked, and when what they match is a secret that a person would agree to.

Chosen are the plugins whose pattern can hardly be anything else: a prefix that one provider gives out, a private key.
Left out, as they also match hashes, sample values and plain words: Artifactory, Cloudant, Discord, IBM, Mailchimp,
SoftLayer, Twilio (account ids, which are no secrets) and public IP addresses. The keyword plugin (a literal given to
something called password) and the entropy plugins (any random-looking string) are too noisy alone; a value that both
agree on is taken. Tokens of providers that machine learning code meets and detect-secrets does not know stand in
``TOKENS``.

The plugins' ``analyze_line`` and ``scan`` go through global settings and may check a secret with its provider over the
network. Here only their patterns and pure functions are called: no state is left behind, threads do not meet, nobody
is asked.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from detect_secrets.filters import heuristic
from detect_secrets.filters.allowlist import is_line_allowlisted
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.keyword import (
    CONFIG_DENYLIST_REGEX_TO_GROUP,
    QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP,
    KeywordDetector,
)
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.util.code_snippet import get_code_snippet

from mlwright.model.contracts import Severity

KEYWORD: Final = KeywordDetector.secret_type
LINE_LIMIT: Final = 500
"""The keyword plugin's patterns take a time that grows with the cube of a line's length and number of keywords."""
KEYWORD_LIMIT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A line that may hold a secret: the text around the sign, the line before it and what follows it."""

    path: str
    line: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule says; the secret itself is not in it."""

    rule: str
    severity: Severity

    def better_than(self, other: "Found") -> bool:
        """Whether this says more of a line: an error, or the name of a provider in place of "a keyword"."""
        if self.severity is not other.severity:
            return self.severity is Severity.ERROR
        return other.rule == KEYWORD != self.rule


class _Token(RegexBasedDetector):
    """A token that detect-secrets has no plugin for."""

    secret_type = ""
    denylist: Iterable[re.Pattern[str]] = ()

    def __init__(self, secret_type: str, pattern: str) -> None:
        self.secret_type = secret_type
        self.denylist = (re.compile(pattern),)


TOKENS: Final = {
    "hf_": _Token("Hugging Face Token", r"hf_[A-Za-z0-9]{34,40}"),
    "wandb": _Token(
        "Weights & Biases Key",
        r"(?i:wandb).{0,40}?(?i:key|login).{0,20}?[\"'=: (]([0-9a-f]{40})(?![0-9A-Za-z])",
    ),
    "aiza": _Token("Google API Key", r"AIza[0-9A-Za-z_\-]{35}"),
    "dapi": _Token("Databricks Token", r"dapi[0-9a-f]{32}(?:-\d)?"),
    "sk-ant-": _Token("Anthropic Key", r"sk-ant-[a-z]+[0-9]{2}-[A-Za-z0-9_\-]{80,}"),
    "github_pat_": _Token("GitHub Token", r"github_pat_[A-Za-z0-9_]{82}"),
}

# The sign of each rule, in lower case: only lines that hold one are looked at.
SIGNS: Final[dict[str, RegexBasedDetector]] = {
    **TOKENS,
    **dict.fromkeys(("akia", "aws"), AWSKeyDetector()),
    "accountkey=": AzureStorageKeyDetector(),
    **dict.fromkeys(("ghp_", "gho_", "ghs_"), GitHubTokenDetector()),
    **dict.fromkeys(("glpat-", "gldt-", "glrt-", "glcbt-"), GitLabTokenDetector()),
    "eyj": JwtTokenDetector(),
    "_authtoken": NpmDetector(),
    "t3blbkfj": OpenAIDetector(),
    **dict.fromkeys(("private key-", "private key b", "putty-user-key-file-2"), PrivateKeyDetector()),
    "pypi-age": PypiTokenDetector(),
    "sg.": SendGridDetector(),
    **dict.fromkeys(("xox", "hooks.slack.com/services/"), SlackDetector()),
    "sq0csp-": SquareOAuthDetector(),
    "k_live_": StripeDetector(),
    "telegram": TelegramBotTokenDetector(),
}
ADDRESS: Final = re.compile(rb"://[^\s/@:'\"<>]{1,100}:[^\s/@'\"<>]{1,200}@[^\s/:'\"]")
"""A URL with a user and a password; compiled apart, as ``://`` alone stands on every third line."""

# The keyword plugin's own words, without those whose values are seldom secret.
KEYWORDS: Final = (
    "api_key", "apikey", "auth_key", "authkey", "service_key", "account_key", "client_key", "private_key",
    "password", "passwd", "pwd", "secret", "db_pass",
)  # fmt: skip

_KEYWORD = KeywordDetector()
_BASE64 = Base64HighEntropyString()
_HEX = HexHighEntropyString()
_BASIC = BasicAuthDetector()

# Weaker claims: a key that is often meant to be public, a token that is often a sample or long over.
_WEAK: Final = frozenset({"Google API Key", JwtTokenDetector.secret_type})
_ENTROPY: Final = 4.0
_HEX_ENTROPY: Final = 3.0
_TOKEN_ENTROPY: Final = 2.8

_PLACEHOLDER = re.compile(
    r"example|sample|dummy|fake|placeholder|change|your|insert|replace|redact|xxx|\.\.\.|\*\*\*|mock|demo|insecure|todo"
    r"|1234567|abcdef|deadbeef|(.)\1{5}|test",
    re.IGNORECASE,
)
# A name that says that its value is about a secret, or is a digest or a public part, and not the secret.
_ABOUT = re.compile(
    r"(?:hash|hashed_secret|digest|sha\d*|md5|checksum|fingerprint|integrity|commit|revision|public|publishable|anon"
    r"|site_?key|_name|_id|_uri|_url|_arn|_path|_file|_version|_ref)s?[\"'\]]*\s*[:=]",
    re.IGNORECASE,
)
_KEY_BODY = re.compile(r"[A-Za-z0-9+/]{40,}")
_CONFIG_SUFFIXES: Final = (".yaml", ".yml", ".ini", ".cfg", ".conf", ".toml", ".properties", ".env")
_LOCAL: Final = re.compile(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[?::1|host\.docker\.internal)|^[^.]*$|\.(?:local|test|example)$"
)
_COMMON: Final = frozenset(
    "tiger password passwd pass pwd secret admin root user guest token key postgres mysql minio minioadmin mlflow"
    " airflow redis rabbitmq mongo default qwerty hunter2 letmein 123 1234 12345 123456 p@ssw0rd username api_key foo"
    " apikey bar".split()
)


def judged(sight: Sight, sign: str) -> Iterator[Found]:
    """What the rule of a sign says about a line, after all filters."""
    if excused(sight):
        return
    plugin = SIGNS[sign]
    for pattern in plugin.denylist:
        for match in pattern.finditer(sight.line):
            value = (
                match.group(match.lastindex or 0)
                if isinstance(plugin, _Token | AWSKeyDetector)
                else match.group()
            )
            if _whole(sight.line, match) and _convincing(plugin, value, sight, match):
                weak = plugin.secret_type in _WEAK
                yield Found(rule=plugin.secret_type, severity=Severity.WARNING if weak else Severity.ERROR)
                return


def judged_address(sight: Sight) -> Iterator[Found]:
    """Whether a line holds a URL with a real password; one for this machine or a local name is a warning."""
    if excused(sight):
        return
    for match in _BASIC.denylist[0].finditer(sight.line):
        password = match.group(1)
        user = match.group()[3:].partition(":")[0]
        host = re.split(r"[/:?\s'\"`),;]", sight.line[match.end() :], maxsplit=1)[0].lower()
        if (
            len(password) < 5
            or password.lower() in _COMMON
            or password.lower().startswith(user.lower())
            or re.search(r"[$%{}<>\[\]()|*\\]", user + password)
            or _PLACEHOLDER.search(password)
            or re.search(r"pass|secret|token|example", password, re.IGNORECASE)
            or heuristic.is_not_alphanumeric_string(password)
            or "example" in host
            or not host
            or host.startswith(("$", "{", "<", "%"))
        ):
            continue
        severity = Severity.WARNING if _LOCAL.search(host) else Severity.ERROR
        yield Found(rule=_BASIC.secret_type, severity=severity)
        return


def judged_keyword(sight: Sight) -> Iterator[Found]:
    """Whether something that is called a secret is given a value that is random, as both kinds of plugins see it."""
    low = sight.line.lower()
    if len(low) > LINE_LIMIT or sum(map(low.count, KEYWORDS)) > KEYWORD_LIMIT or excused(sight):
        return
    if heuristic.is_indirect_reference(sight.line):
        return
    config = sight.path.endswith(_CONFIG_SUFFIXES) or "/.env" in f"/{sight.path}"
    patterns = CONFIG_DENYLIST_REGEX_TO_GROUP if config else QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
    for value in sorted(set(_KEYWORD.analyze_string(sight.line, denylist_regex_to_group=patterns))):
        value = value.strip().strip("\"'")
        if (
            _random(value)
            and not _ABOUT.search(sight.line)
            and not heuristic.is_likely_id_string(value, sight.line)
        ):
            yield Found(rule=KEYWORD, severity=Severity.ERROR)
            return


def excused(sight: Sight) -> bool:
    """Whether the project's people have marked the line, in detect-secrets' or gitleaks' way, as no secret."""
    if "gitleaks:allow" in sight.line:
        return True
    if "secret" not in sight.line and "secret" not in sight.before:
        return False
    around = get_code_snippet([sight.before, sight.line], 2)
    return bool(is_line_allowlisted(sight.path, sight.line, around))


def _convincing(plugin: RegexBasedDetector, value: str, sight: Sight, match: re.Match[str]) -> bool:
    if isinstance(plugin, PrivateKeyDetector):
        # The header alone is what code that looks for keys holds; the body makes it one.
        rest = f"{sight.line[match.end() :]}\n{sight.after}".replace("\\n", "\n").partition("-----END")[0]
        return bool(_KEY_BODY.search(rest))
    if isinstance(plugin, JwtTokenDetector):
        return len(value) > 60 and any(True for _ in plugin.analyze_string(value))
    if isinstance(plugin, SlackDetector | NpmDetector):
        value = value.rpartition("/")[2]
    return (
        not _PLACEHOLDER.search(value)
        and not heuristic.is_sequential_string(value)
        and _BASE64.calculate_shannon_entropy(value) >= _TOKEN_ENTROPY
        and any(each.isdigit() for each in value)
    )


def _whole(line: str, match: re.Match[str]) -> bool:
    """Whether a match stands alone, and is no piece of a longer word, such as an image in base64."""
    before = line[match.start() - 1] if match.start() else " "
    after = line[match.end()] if match.end() < len(line) else " "
    return not re.match(r"[A-Za-z0-9+]", before) and not re.match(r"[A-Za-z0-9+/]", after)


def _random(value: str) -> bool:
    if not 20 <= len(value) <= 200 or _PLACEHOLDER.search(value):
        return False
    if (
        heuristic.is_sequential_string(value)
        or heuristic.is_potential_uuid(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_not_alphanumeric_string(value)
    ):
        return False
    if re.fullmatch(r"[0-9a-fA-F]+", value):
        return len(value) >= 32 and bool(_HEX.calculate_shannon_entropy(value) >= _HEX_ENTROPY)
    if not re.fullmatch(r"[A-Za-z0-9+/=_\-]+", value):
        return False
    # Words between marks, or long ones, are a path or a name, however mixed.
    if re.search(r"(?<![A-Za-z0-9])[a-z]{5,}(?![A-Za-z0-9])|[a-z]{7}", value):
        return False
    digits = sum(each.isdigit() for each in value)
    mixed = any(each.islower() for each in value) and any(each.isupper() for each in value)
    return mixed and digits >= 2 and bool(_BASE64.calculate_shannon_entropy(value) >= _ENTROPY)
