import pytest

from stage import Stage


@pytest.fixture(scope="session")
def stage_process():
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture
def stage(stage_process):
    stage_process.reset()
    return stage_process
