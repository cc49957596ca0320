from __future__ import annotations

import pytest

from modelvc.modelfiles.chat_templates import judge_template
from modelvc.modelfiles.facts import Severity

ORDINARY = """{% if tools is not none %}{{ tools | tojson(indent=2) }}{% endif %}
{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + eos_token }}
{%- if loop.first and messages[0]['role'] != 'system' %}{{ raise_exception('no') }}{% endif %}{% endfor %}
{% set ns = namespace(found=false) %}{{ strftime_now("%d %b %Y") }}{{ x.split('</think>')[-1] }} snake_case _a_ __"""


def test_an_ordinary_template():
    assert judge_template(ORDINARY) is None


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id') }}",
        "{{ x['\\x5f\\x5fclass\\x5f\\x5f'] }}",
        "{{ x['\\u005f_class_\\u005f'] }}",
        "{{ x['\\137\\137class'] }}",
        "{{ x|attr('cla' + 'ss') }}",
        "{{ x | attr ( name ) }}",
        "{{ x['__cl' ~ 'ass__'].mro }}",
    ],
)
def test_a_template_that_leaves_its_language(text: str):
    found = judge_template(ORDINARY + text)
    assert found
    assert found.severity is Severity.KNOWN_BAD
    assert found.what.startswith("its chat template uses ")
