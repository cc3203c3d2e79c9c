"""The stage the tests play on: the program vendors, started once, and its control address."""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

TESTDATA = Path(__file__).parent.parent / "testdata"
SCENARIOS = json.loads((TESTDATA / "scenarios.json").read_text())
PIXEL = (TESTDATA / "pixel.png").read_bytes()
PAGE = (TESTDATA / "page.pdf").read_bytes()
ALL = SCENARIOS["every"]  # the models behind which each vendor stands alone
SIGHTED = [model for model in ALL if model not in SCENARIOS["blind"]]  # those that take images


class Stage:
    def __init__(self):
        self.process = subprocess.Popen([os.environ["VENDORS"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            pytest.exit("got nothing from the program vendors, want its addresses", returncode=1)
        self.__dict__.update(json.loads(line))  # gateway, control

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.control + path, data)) as answer:
            return json.load(answer)

    def reset(self):
        self.call("/reset", {})

    def fault(self, vendor, kind, once=False):
        self.call("/fault", {"vendor": vendor, "kind": kind, "once": once})

    def replies(self, vendor, *replies):
        self.call("/replies", {"vendor": vendor, "replies": replies})

    def journal(self, vendor):
        return self.call(f"/journal?vendor={vendor}")

    def counts(self):
        return {vendor: len(self.journal(vendor)) for vendor in ("openai", "anthropic")}

    def cancelled_within(self, vendor, left, seconds):
        """Wait until the vendor has seen its client leave, and tell whether that was soon after left."""
        until = time.time() + 5
        while time.time() < until:
            seen = self.journal(vendor)
            if seen and seen[-1]["cancelled"]:
                return seen[-1]["cancelled"] / 1000 - left < seconds
            time.sleep(0.05)
        return False


def vendor_of(model):
    return model.split("-")[0]


def run_tool(name, arguments):
    return SCENARIOS["tools"]["results"][name].format(**arguments)
