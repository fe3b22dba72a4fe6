"""Reward processors from their settings."""

from clawstream.processors.rewards import prompts, rules, voting
from clawstream.processors.rewards.calls import Endpoint
from clawstream.processors.rewards.hints import Hints
from clawstream.processors.rewards.judges import Combine, Judge, Parse
from clawstream.processors.rewards.scorer import Over, Scorer
from clawstream.processors.rewards.services import Service
from clawstream.processors.rewards.settings import (
    HintsSettings,
    JsonSchemaSettings,
    JudgeSettings,
    JudgingSettings,
    LengthSettings,
    NextStateJudgeSettings,
    ProcessorSettings,
    RegexSettings,
    RemoteSettings,
    RuleSettings,
    ServiceSettings,
)
from clawstream.processors.rewards.teacher import Teacher


def build(settings: ProcessorSettings) -> Scorer:
    """The reward processor that ``settings`` describe. Raises ``RewardError``."""
    match settings:
        case RuleSettings():
            return _rule(settings)
        case RegexSettings():
            return rules.Matches(settings.source, settings.expected, pattern=settings.pattern)
        case JsonSchemaSettings():
            return rules.JsonSchema(settings.source, settings.expected, schema=settings.schema_)
        case LengthSettings():
            return rules.Length(settings.source, max_tokens=settings.max_tokens, buffer_tokens=settings.buffer_tokens)
        case ServiceSettings():
            return Service(
                settings.source,
                settings.over,
                _endpoint(settings),
                style=settings.style,
                model=settings.model,
                label=settings.label,
                concurrency=settings.max_in_flight,
            )
        case NextStateJudgeSettings():
            return _judge(settings, "next_state", prompts.NEXT_STATE, voting.sign_vote, voting.majority)
        case JudgeSettings():
            return _judge(settings, settings.over, prompts.QUALITY, voting.boxed, voting.mean, settings.expected)
        case HintsSettings():
            return _hints(settings)


def _rule(settings: RuleSettings) -> Scorer:
    if settings.kind == "exact_match":
        return rules.ExactMatch(settings.source, settings.expected, extract=settings.extract)
    rule = rules.Numeric if settings.kind == "numeric" else rules.Maths
    return rule(settings.source, settings.expected, extract=settings.extract, tolerance=settings.tolerance)


def _hints(settings: HintsSettings) -> Scorer:
    url = settings.teacher_url
    teacher = Teacher(_endpoint(settings, url), settings.teacher_model) if url else None
    return Hints(
        settings.source,
        _judge(settings, "next_state", prompts.HINT, voting.boxed, voting.majority),
        teacher,
        min_chars=settings.min_chars,
        min_votes=settings.min_votes,
        select=settings.select,
        value=settings.value,
    )


def _judge(
    settings: JudgingSettings, over: Over, prompt: str, parse: Parse, combine: Combine, expected: str = "expected"
) -> Judge:
    return Judge(
        settings.source,
        over,
        _endpoint(settings),
        prompts.template(prompt, settings.prompt),
        model=settings.model,
        parse=parse,
        combine=combine,
        votes=settings.votes,
        quorum=settings.quorum,
        sampling=settings.sampling,
        max_chars=settings.max_chars,
        concurrency=settings.max_in_flight,
        expected=expected,
    )


def _endpoint(settings: RemoteSettings, url: str = "") -> Endpoint:
    return Endpoint(
        url or settings.url,
        key=settings.key,
        max_in_flight=settings.max_in_flight,
        timeout_seconds=settings.timeout_seconds,
        tries=settings.tries,
    )
