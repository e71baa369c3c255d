import json

import cv2

from app.pipeline.bench import machine
from app.pipeline.bench.machine import CpuMeter, cpu_model, limited_threads, machine_facts, rss_mb


def test_the_facts_say_what_it_ran_on():
    facts = machine_facts()
    assert facts["cpu"]
    assert facts["cores"] >= 1
    assert facts["ram_gb"] > 0.1
    assert {"numpy", "av", "torch"} <= set(facts["versions"])
    assert json.loads(json.dumps(facts)) == facts


def test_a_processor_without_a_name_is_called_by_its_architecture(monkeypatch):
    monkeypatch.setattr(machine.Path, "read_text", lambda *_: "processor : 0\nBogoMIPS : 108.00\n")
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    assert cpu_model() == "aarch64"


def test_own_and_others_cpu_time_are_told_apart(monkeypatch):
    now = {"at": 0.0, "own": 1.0, "busy": 10.0}
    monkeypatch.setattr(machine.time, "monotonic", lambda: now["at"])
    monkeypatch.setattr(CpuMeter, "_own_s", lambda _: now["own"])
    monkeypatch.setattr(CpuMeter, "_busy_s", lambda _: now["busy"])
    meter = CpuMeter()
    now.update(at=2.0, own=4.0, busy=14.0)
    assert meter.facts() == {"cpu_cores": 1.5, "others_cpu_percent": 50.0}


def test_threads_are_as_before_afterwards():
    before = cv2.getNumThreads()
    with limited_threads(1):
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before


def test_the_process_is_of_a_size():
    assert 10 < rss_mb() < 100_000
