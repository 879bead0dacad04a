"""The findings as text."""

from collections.abc import Sequence
from textwrap import fill
from typing import Final

from local.aws_check.account import Account
from local.aws_check.checks import CONCURRENCY_QUOTA, USUAL_CONCURRENCY, Finding, increase
from local.common.markdown import aligned_table

_WIDTH: Final = 100
_WORDS: Final = {True: "yes", False: "NO", None: "see below"}


def report(account: Account, findings: Sequence[Finding]) -> str:
    """The whole report, ending in a newline."""
    head = (
        f"Account {account.number} in {account.region}: {account.concurrency} concurrent "
        f"executions, {account.unreserved} of them not reserved."
    )
    rows = [
        (each.name, each.value, each.limit, _WORDS[each.fits]) for each in findings if each.value
    ]
    table = aligned_table(("parameter", "value", "at most", "fits"), rows)
    notes = [_advice(each) for each in findings if each.advice]
    if account.concurrency < USUAL_CONCURRENCY and not any(
        CONCURRENCY_QUOTA in note for note in notes
    ):
        notes.append(_new_account(account))
    notes += map(_wrapped, account.notes)
    return "\n\n".join([head, table, *notes]) + "\n"


def _advice(finding: Finding) -> str:
    if not finding.value:
        return _wrapped(f"The parameters do not fit together: {finding.advice}")
    verdict = "does not fit" if finding.fits is False else "fits, but"
    return _wrapped(f"{finding.name}={finding.value} {verdict}: {finding.advice}")


def _new_account(account: Account) -> str:
    return _wrapped(
        f"{account.concurrency} concurrent executions are the quota of a new account; "
        f"{USUAL_CONCURRENCY} are usual. AWS raises it with use, or on request: "
        f"{increase(USUAL_CONCURRENCY, account)}"
    )


def _wrapped(text: str) -> str:
    """Lines of at most `_WIDTH` characters; a command gets a separate line, unbroken."""
    words, _, command = text.partition(": aws ")
    if not command:
        return fill(text, _WIDTH)
    return f"{fill(f'{words}:', _WIDTH)}\n  aws {command}"
