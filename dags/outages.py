"""How a partner's outage looks in Airflow: a plain sentence and a retry that fits the kind of error, no trace.

``hub.jobs`` raises ``PartnerAway`` with a kind; each kind has one exception here, and ``PULL_RETRIES`` says what
follows from it. Only what is neither (a fault of ours) shows a traceback and follows the task's own retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowException, AirflowSkipException


class PartnerUnreachable(AirflowException):
    """The partner does not answer, or answers that it cannot at the moment."""


class PartnerTooBusy(AirflowException):
    """The partner's stated rate is reached."""


class PartnerRefusesUs(AirflowException):
    """The partner answers, and does not let us in: a person must act."""


PULL_RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            PartnerRefusesUs, RetryAction.FAIL, reason="对方拒绝访问：重试无益，请核对地址、证书和授权"
        ),
        RetryRule(PartnerTooBusy, RetryAction.RETRY, timedelta(minutes=2), reason="对方限流：两分钟后再取"),
        RetryRule(
            PartnerUnreachable, RetryAction.RETRY, timedelta(seconds=30), reason="对方暂不可达：半分钟后再试"
        ),
    ]
)
_BY_KIND: dict[str, type[AirflowException]] = {
    "unreachable": PartnerUnreachable,
    "busy": PartnerTooBusy,
    "refused": PartnerRefusesUs,
    "not_configured": AirflowSkipException,
    "paused": AirflowSkipException,
    "breaker_open": AirflowSkipException,
}


@contextmanager
def outage_in_plain_words() -> Iterator[None]:
    """Turn the hub's ``PartnerAway`` into the exception that Airflow and its readers understand."""
    from hub.jobs import PartnerAway

    try:
        yield
    except PartnerAway as away:
        raise _BY_KIND.get(away.kind, PartnerUnreachable)(str(away)) from None
