from contextlib import contextmanager, nullcontext

import pytest
import torch

from app.pipeline.gpu.graphs import Aside, Replay
from app.pipeline.gpu.lanes import Lane, Mark

CUDA = torch.device("cuda", 0)


class Stream:
    """A CUDA stream that writes down what it waits for."""

    device = CUDA

    def __init__(self, device=None):
        self.waited = []

    def wait_stream(self, other):
        self.waited.append(other)

    def wait_event(self, event):
        self.waited.append(event)


class Event:
    def __init__(self, blocking=False):
        self.stream = None
        self.is_over = False

    def record(self, stream):
        self.stream = stream

    def synchronize(self):
        self.is_over = True


class Graph:
    def __init__(self):
        self.replays = 0

    def replay(self):
        self.replays += 1


@pytest.fixture
def driver(monkeypatch):
    """As much of torch.cuda as streams and graphs need, without a card; the graphs made, and the current stream."""
    graphs, current = [], [Stream()]

    @contextmanager
    def stream(new):
        current.append(new)
        yield
        current.pop()

    def graph():
        graphs.append(Graph())
        return graphs[-1]

    for name, fake in {
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": graph,
        "stream": stream,
        "graph": nullcontext,
        "device": nullcontext,
        "current_stream": lambda device=None: current[-1],
        "synchronize": lambda device=None: None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return graphs, current


def test_a_cpu_runs_the_call_itself():
    calls = []
    replay = Replay(lambda: calls.append(1) or len(calls), torch.device("cpu"))
    assert calls == []
    assert (replay(), replay(), replay.failure) == (1, 2, "")


def test_a_captured_call_is_replayed_and_not_called_again(driver):
    graphs, _ = driver
    calls = []
    replay = Replay(lambda: calls.append(1) or "picture", CUDA)
    made = len(calls)
    assert [replay(), replay()] == ["picture", "picture"]
    assert len(calls) == made
    assert [graph.replays for graph in graphs] == [2]
    assert replay.failure == ""


def test_what_can_not_be_captured_is_called(driver, monkeypatch):
    def refuse(graph):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    replay = Replay(lambda: "picture", CUDA)
    assert replay() == "picture"
    assert replay.failure == "operation not permitted when stream is capturing"


def test_work_beside_begins_after_what_was_asked_before_and_is_waited_for(driver):
    _, current = driver
    main, aside = current[0], Aside(CUDA)
    with aside.beside():
        beside = current[-1]
    aside.join()
    assert beside is not main
    assert beside.waited == [main]
    assert main.waited == [beside]
    with Aside(torch.device("cpu")).beside():
        assert current == [main]


def test_a_mark_is_waited_for_by_the_host_or_by_another_lane(driver):
    lane, other = Lane(CUDA), Lane(CUDA)
    mark = lane.mark()
    other.after(mark)
    (event,) = other.stream.waited
    assert event.stream is lane.stream
    assert not event.is_over
    mark.wait()
    assert event.is_over
    Mark(None).wait()
