"""Where the time goes."""

import numpy as np
import pytest

from local.loadtest.breakdown import Breakdown
from local.loadtest.run import Run
from local.loadtest.stats import summarize
from tests.support.runs import add_stages, make_run, steady


def broken_down(run: Run) -> Breakdown:
    breakdown = summarize(run).breakdown
    assert breakdown is not None
    return breakdown


def means(breakdown: Breakdown) -> dict[str, float]:
    return {stage.name: stage.mean_ms for stage in breakdown.stages}


def test_stages_add_up_to_the_latency() -> None:
    run = make_run(steady(10, 1), [0.1] * 10, lateness=0.001)
    add_stages(run, connecting=0.002, sending=0.003, queue=0.04, decode=0.01, infer=0.02)
    breakdown = broken_down(run)
    assert means(breakdown) == pytest.approx(
        {
            "lateness": 1,
            "connecting": 2,
            "sending": 3,
            "queue": 40,
            "decode": 10,
            "infer": 20,
            "rest": 25,
        }
    )
    assert sum(stage.share for stage in breakdown.stages) == pytest.approx(1, abs=0.001)
    assert next(s for s in breakdown.stages if s.name == "queue").share == 0.396


def test_medians_and_means_are_of_answered_requests() -> None:
    run = make_run(steady(4, 1), [0.1] * 4, failure=["", "", "", "timeout"])
    add_stages(run, infer=np.array([0.01, 0.02, 0.06, 99]))
    infer = next(stage for stage in broken_down(run).stages if stage.name == "infer")
    assert (infer.median_ms, infer.mean_ms) == pytest.approx((20, 30))


def test_a_server_without_timing_has_only_what_the_client_measures() -> None:
    run = make_run(steady(10, 1), [0.1] * 10)
    add_stages(run, connecting=0.002, sending=0.003)
    assert means(broken_down(run)) == pytest.approx(
        {"lateness": 0, "connecting": 2, "sending": 3, "rest": 95}
    )


def test_limit_of_a_server_without_timing_is_not_blamed_on_the_network() -> None:
    run = make_run(steady(10, 1), [0.1] * 10)
    add_stages(run, connecting=0.002, sending=0.003)
    breakdown = broken_down(run)
    assert breakdown.limit.startswith("The service or the network is the limit: 95.0 ms of 100.0")
    assert breakdown.note(breakdown.stages[-1]) == "network, and the service"


def test_timing_longer_than_its_request_is_left_out() -> None:
    # given: one of ten responses with the duration of another request
    run = make_run(steady(10, 1), [0.1] * 10)
    add_stages(run, sending=0.005, queue=0.01, infer=np.array([2.0] + [0.05] * 9))
    found = means(broken_down(run))
    assert found == pytest.approx(
        {"lateness": 0, "sending": 5, "queue": 9, "infer": 45, "rest": 41}, abs=0.001
    )


def test_timing_that_is_always_too_long_counts_as_none() -> None:
    run = make_run(steady(10, 1), [0.1] * 10)
    add_stages(run, sending=0.005, queue=0.5, infer=2)
    breakdown = broken_down(run)
    assert means(breakdown) == pytest.approx({"lateness": 0, "sending": 5, "rest": 95})
    assert breakdown.limit.startswith("The service or the network is the limit")


def test_requests_over_open_connections_do_not_connect() -> None:
    run = make_run(steady(10, 1), [0.1] * 10)
    add_stages(run, sending=0.003)
    assert means(broken_down(run)) == pytest.approx({"lateness": 0, "sending": 3, "rest": 97})


def test_sending_to_a_full_service_is_queueing() -> None:
    # given: a body that the service leaves unread for 60 ms
    run = make_run(steady(10, 1), [0.1] * 10)
    add_stages(run, sending=0.065, queue=0.06, decode=0.01, infer=0.02)
    assert means(broken_down(run)) == pytest.approx(
        {"lateness": 0, "sending": 10, "queue": 60, "decode": 10, "infer": 20, "rest": 0}
    )


@pytest.mark.parametrize(
    ("stage", "sentence", "advice"),
    [
        ("connecting", "Connecting is the limit: 60.0 ms of 100.0 ms", "--keep-alive"),
        ("sending", "The network is the limit: sending takes 60.0 ms", "smaller images"),
        ("queue", "The queue of the service is the limit: 60.0 ms", "more cores or instances"),
        ("decode", "Decoding is the limit: 60.0 ms", "smaller images"),
        ("infer", "Inference is the limit: 60.0 ms", "a smaller model"),
        ("rest", "The network and the server's other work are the limit: 75.0 ms", "nearer"),
    ],
)
def test_the_longest_stage_is_the_limit(stage: str, sentence: str, advice: str) -> None:
    run = make_run(steady(10, 1), [0.1] * 10)
    short = dict.fromkeys(("connecting", "sending", "queue", "decode", "infer"), 0.005)
    add_stages(run, **(short if stage == "rest" else {**short, stage: 0.06}))
    limit = broken_down(run).limit
    assert limit.startswith(sentence)
    assert advice in limit


@pytest.mark.parametrize("stage", ["connecting", "rest"])
def test_no_advice_to_keep_connections_open_that_were_kept_open(stage: str) -> None:
    run = make_run(steady(10, 1), [0.1] * 10, connections="keep-alive")
    add_stages(run, infer=0.01, connecting=0.06 if stage == "connecting" else 0.001)
    limit = broken_down(run).limit
    assert "nearer" in limit
    assert "--keep-alive" not in limit


def test_many_rejections_are_a_full_queue() -> None:
    # given: of fifty requests, one rejected; the others took most of their time for inference
    run = make_run(steady(50, 1), [0.1] * 50, failure=["status 503"] + [""] * 49)
    add_stages(run, queue=0.001, decode=0.001, infer=0.09)
    limit = broken_down(run).limit
    assert limit.startswith("The queue of the service is the limit: 1 of 50 requests were rejected")


def test_the_client_is_the_limit_before_anything_else() -> None:
    run = make_run(steady(10, 1), [0.1] * 10, lateness=0.02)
    add_stages(run, queue=0.06)
    assert broken_down(run).limit.startswith("The client was the limit: ")


def test_nothing_is_broken_down_without_answers() -> None:
    run = make_run(steady(2, 1), [0.1] * 2, failure=["timeout"] * 2)
    assert summarize(run).breakdown is None
