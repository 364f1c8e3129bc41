"""Tests of reading what the server says of a session."""

from dataclasses import asdict

import pytest

from support import contract_cases
from taskweaver.kernel.runtime_protocol import read_session_fields


@pytest.mark.parametrize("case", contract_cases("session-fields.json"))
def test_metadata_is_read_as_the_contract_says(case):
    fields = read_session_fields(case["metadata"])

    assert (None if fields is None else asdict(fields)) == case["fields"]
