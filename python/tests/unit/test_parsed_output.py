"""Tests of the JSON text that is made of a value's text."""

import json

import pytest

from support import contract_cases
from taskweaver.kernel.parsed_output import parsed_output


@pytest.mark.parametrize("case", contract_cases("output-literals.json"), ids=lambda case: case["text"] or "empty")
def test_text_becomes_the_json_of_the_contract(case):
    assert parsed_output(case["text"]) == case["output"]


def test_a_hundred_levels_are_json_and_one_more_is_text():
    deep = "[" * 100 + "]" * 100
    deeper = "[" * 102 + "]" * 102

    assert parsed_output(deep) == deep
    assert parsed_output(deeper) == json.dumps(deeper)


def test_a_text_too_long_to_parse_stays_text():
    text = "[" + "1, " * 400_000 + "1]"

    assert parsed_output(text) == json.dumps(text)


def test_a_lone_surrogate_in_the_text_is_written_out():
    assert json.loads(parsed_output("<\ud800>")) == "<\\ud800>"


def test_an_escape_that_python_does_not_know_gives_no_warning():
    assert json.loads(parsed_output(r"'\d'")) == r"\d"
