"""Fixtures of all tests."""

import pytest

from support import Kernel


@pytest.fixture(scope="module")
def kernel():
    """A kernel that the tests of a file share."""
    shared = Kernel()
    try:
        yield shared
    finally:
        shared.close()


@pytest.fixture
def fresh_kernel():
    """A kernel of the test's own."""
    own = Kernel()
    try:
        yield own
    finally:
        own.close()
