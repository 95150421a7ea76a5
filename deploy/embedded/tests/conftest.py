"""The installed runtime: `make setup` makes it; here it is made if that was not done."""

import pytest

from deploy.embedded.cache import cache_folder
from deploy.embedded.install import install
from deploy.embedded.runtime import Runtime


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    return install(cache_folder(), print)
