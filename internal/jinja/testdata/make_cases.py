"""Writes cases.json: what Jinja renders templates to, in the environment that transformers sets up for chat templates.

    python make_cases.py > cases.json        (needs transformers and jinja2)

A case is [template, what it renders to, or null where it fails].
"""
import json
import sys
from datetime import datetime
from unittest import mock

from transformers.utils import chat_template_utils

VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  Héllo <b>  \n"},
        {"role": "assistant", "content": "Hi", "tool_calls": [{"name": "f", "arguments": {"z": 1, "a": [1, 2.5, None, True, "é\n"]}}]},
    ],
    "nothing": None, "yes": True, "three": 3, "half": 0.5, "word": "straße", "words": ["b", "A", "a", "c", "B"],
    "d": {"b": 1, "a": {"c": [1, 2]}, "items": "shadow"}, "numbers": [3, -1, 2.5, True], "empty": [],
}

# One a line.
TEMPLATES = r'''
{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 // -2 }} {{ 7 // 2.0 }} {{ -7.5 % 2 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 3 }} {{ 2 ** -1 }} {{ -2 ** 2 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ nothing + "a" }}
{{ "a" + 1 }}
{{ "a" ~ 1 ~ nothing ~ 2.0 ~ yes ~ undefined_thing }}
{{ x.y }}
{{ x.y.z }}
{{ messages[0].missing }}|{{ messages[0].missing is defined }}
{{ messages[0].missing.more }}
{{ nothing.x }}
{{ messages[9] }}|{{ messages[-1].role }}
{{ 0.1 + 0.2 }} {{ 1e16 }} {{ 1/3 }} {{ 1e-5 }} {{ 0.0001 }} {{ 123456789012345680.0 }} {{ 1e300 * 1e10 }} {{ 100.0 }} {{ 1.5e3 }}
{{ ["it's", 'say "x"', "a\nb", "é\u200b", "both ' and \""] }}
{{ "%s-%d %05.2f %x %r %% %5s|%-5s|" % ("a", 3, 3.14159, 255, "q", "r", "l") }}
{{ "%s" % 5 }} {{ "%s %s" % (1,) }}
{{ "%s"|format("x") }} {{ "%(a)s"|format(a=1) }}
{{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ words|sort(reverse=true) }} {{ words|unique|list }} {{ words|unique(case_sensitive=true)|list }}
{{ words|max }} {{ words|min }} {{ numbers|max }} {{ numbers|min }} {{ numbers|sum }} {{ empty|max }} {{ empty|sum }}
{{ numbers|sort }} {{ [1, "a"]|sort }}
{{ d|tojson }} {{ d|tojson(indent=2) }} {{ messages|tojson }} {{ d|tojson(sort_keys=true) }} {{ word|tojson(ensure_ascii=true) }}
{{ d|tojson(indent=4, separators=(",", ":")) }} {{ {}|tojson(indent=2) }} {{ []|tojson(indent=2) }} {{ {1: 2, none: true, 1.5: 0}|tojson }} {{ "</script>&'\""|tojson }} {{ 1e20|tojson }} {{ (1, 2)|tojson }}
{{ missing|tojson }}
{{ d|items|list }} {{ d.items()|list }} {{ d["items"] }} {{ d.get("b") }} {{ d.get("q") }} {{ d.get("q", 5) }} {{ d.keys()|list }} {{ d.values()|list|length }}
{{ d|dictsort }} {{ {"b": 1, "A": 2}|dictsort }} {{ {"b": 1, "A": 2}|dictsort(by="value", reverse=true) }}
{{ "é"|length }} {{ "éa"[0] }} {{ "éabc".find("c") }} {{ "abc"[-2] }} {{ "abc"[5] }}|{{ "abc"[1:] }} {{ "abcdef"[::2] }} {{ "abc"[::-1] }} {{ "abc"[-2:] }} {{ "abc"[:-1] }} {{ "abc"[5:1] }} {{ words[1:3] }} {{ words[::-1] }} {{ words[-100:100] }} {{ words[3:0:-2] }}
{{ "a b  c ".split() }} {{ "a b  c".split(" ") }} {{ "a b  c".split(" ", 1) }} {{ " a  b c ".split(none, 1) }} {{ "".split() }} {{ "".split(",") }} {{ "a,b,c".rsplit(",", 1) }} {{ "a b c".rsplit(none, 1) }}
{{ "a\nb\r\nc\n".splitlines() }} {{ "a\nb".splitlines(true) }} {{ "a-b-c".partition("-") }} {{ "a-b-c".rpartition("-") }} {{ "abc".partition("-") }}
{{ "a".split("") }}
{{ 1 if false }}|{{ true and "x" }}|{{ false or none }}|{{ 0 or "z" }}|{{ "" and "q" }}|
{% for i in range(5) if i % 2 %}{{ loop.index }}/{{ loop.length }}:{{ i }}:{{ loop.previtem }}:{{ loop.nextitem }}:{{ loop.first }}{{ loop.last }}{{ loop.revindex }};{% else %}no{% endfor %}
{% for i in [] %}x{% else %}none{% endfor %}{% for i in missing %}x{% else %}none{% endfor %}
{% for i in nothing %}x{% endfor %}
{% for i in three %}x{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for c in "éa" %}{{ loop.index }}{{ c }}{% endfor %}
{% for i in range(3) %}{% for j in range(2) %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in [1,1,2] %}{{ loop.changed(i) }}{{ loop.cycle("a", "b") }}{% endfor %}
{% for x in [{"n": 1, "c": [{"n": 2, "c": []}]}] recursive %}[{{ x.n }}{{ loop.depth }}{{ loop(x.c) }}]{% endfor %}
{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}
{% set ns = namespace(a=1, l=[]) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.a }} {{ ns.l }} {{ ns.q is defined }}
{% set messages.x = 1 %}
{% set ns = namespace(_a=1) %}
{% set x %}a{{ three }}b{% endset %}[{{ x }}]{% set y | upper %}abc{% endset %}{{ y }}{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% with a = 1, b = three %}{{ a + b }}{% endwith %}{{ a is defined }}
{%- macro m(x, y=2) -%}{{ x }}{{ y }}{{ caller is defined }}{{ varargs }}{{ kwargs }}{%- endmacro -%}{{ m(1) }}{{ m(1, 3) }}{{ m(1, y=3) }}{{ m(1, 2, 3, z=4) }}{{ m() }}
{%- macro m(x) -%}{{ x }}{%- endmacro -%}{{ m(1, 2) }}
{%- macro m(x) -%}{{ x }}{%- endmacro -%}{{ m(z=2) }}
{%- macro m(x) -%}{{ x }}{{ caller(x + 1) }}{%- endmacro -%}{% call(u) m(1) %}<{{ u }}>{% endcall %}{{ m.name }}
{%- macro f(n) -%}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{%- endmacro -%}{{ f(3) }}{% set z = 5 %}{% macro g() %}{{ z }}{% endmacro %}{% set z = 6 %}{{ g() }}
{%- macro f() -%}{{ f() }}{%- endmacro -%}{{ f() }}
{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ "1" == 1 }} {{ none == missing }} {{ [1] == [1.0] }} {{ (1,) == [1] }} {{ {"a": 1} == {"a": 1} }} {{ not none }} {{ not not 3 }}
{{ 1 < "a" }}
{{ none < 1 }}
{{ missing < 1 }}
{{ "a" "b" 'c' }} {{ "tab\there \x41 \u00e9 \101 \q \\ \' \"" }}
{{ "b" in "abc" }} {{ 2 in numbers }} {{ "a" in d }} {{ "z" not in d }} {{ "x" in missing }} {{ not "x" in "xyz" }}
{{ "x" in none }}
{{ 1 in "abc" }}
{{ undefinedfn() }}
{{ "a"() }}
{{ (1,2) }} {{ (1,) }} {{ () }} {{ 1, 2 }} {{ [1, [2, "x"], {"a": none}] }} {{ {"a": 1, 2: "b"} }} {{ [] }} {{ {} }} {{ [1, 2,] }}
{{ "ΑΣ".lower() }} {{ word.upper() }} {{ "hello wORLD it's o-k (x"|title }} {{ "hello wORLD it's"|title }} {{ "it's o-k".title() }} {{ "hELLO"|capitalize }} {{ "éa".capitalize() }} {{ "aB".swapcase() }}
{% raw %}{{ x }} {% if %}{% endraw %}|{%- raw -%}  x  {%- endraw -%}|
{% filter upper %}abc{{ three }}{% endfilter %}{% filter replace("a", "b")|upper %}aaa{% endfilter %}
{{ "  a ".strip() }}|{{ "xxaxx".strip("x") }}|{{ "xxa".lstrip("x") }}|{{ " a\u3000"|trim }}|{{ "axx".rstrip("x") }}|{{ "--a-"|trim("-") }}|
{{ "abc".startswith("a") }} {{ "abc".endswith(("x", "c")) }} {{ "abc".replace("b", "x") }} {{ "aaa".replace("a", "b", 2) }} {{ "aaa"|replace("a", "b", 1) }} {{ "abcabc".count("b") }} {{ "abc".index("c") }} {{ "a".join(["x", "y"]) }} {{ "x".zfill(3) }} {{ "-5".zfill(4) }} {{ "ab".center(6, "*") }} {{ "ab".center(5, "*") }} {{ "a".ljust(3, ".") }}{{ "a".rjust(3, ".") }} {{ "abc".removeprefix("a") }} {{ "abc".removesuffix("c") }}
{{ "abc".index("z") }}
{{ "a".startswith(1) }}
{{ "{} {0}".format(1) }}
{{ "{} {}".format("a", 2) }} {{ "{1}{0}{x}".format("a", "b", x=3) }} {{ "{{}}".format() }}
{{ "12".isdigit() }} {{ "1a".isdigit() }} {{ "ab".isalpha() }} {{ "".isalpha() }} {{ " ".isspace() }} {{ "AB".isupper() }} {{ "aB".islower() }} {{ "é".isascii() }} {{ "a1".isalnum() }}
{{ dict(a=1, b=2) }} {{ dict([("x", 1)], y=2) }} {{ dict({"q": 1}) }}
{{ range(3)|list }} {{ range(1, 4)|list }} {{ range(5, 0, -2)|list }}
{{ range(200000)|list|length }}
{{ words|join(", ") }} {{ messages|join("/", attribute="role") }} {{ [1, none, 2.5]|join("-") }} {{ "abc"|join(".") }} {{ messages|map(attribute="role")|join }}
{{ ["a","bb"]|map("length")|list }} {{ ["a","b"]|map("upper")|join }} {{ [1, 2]|map("string")|list }} {{ messages|map(attribute="tool_calls", default="none")|list|length }} {{ ["a-b"]|map("replace", "-", "+")|list }} {{ messages|map(attribute="content")|map("trim")|list }}
{{ messages|selectattr("role", "equalto", "user")|list|length }} {{ messages|rejectattr("role", "in", ["user", "system"])|map(attribute="role")|list }} {{ numbers|select("gt", 2)|list }} {{ numbers|reject("odd")|list }} {{ [0, 1, "", "a"]|select|list }} {{ messages|selectattr("tool_calls")|list|length }} {{ messages|selectattr("tool_calls", "defined")|list|length }}
{{ [1,2,3]|first }} {{ [1,2,3]|last }} {{ []|first }}| {{ "abc"|first }} {{ "abc"|last }} {{ [3,1]|reverse|list }} {{ "abc"|reverse }} {{ d|length }} {{ d|list }} {{ three|string + "x" }}
{{ "3"|int }} {{ "3.9"|int }} {{ "x"|int }} {{ "x"|int(7) }} {{ 3.9|int }} {{ "ff"|int(base=16) }} {{ none|int }} {{ "1.5"|float }} {{ "x"|float }} {{ 2|float }} {{ -3|abs }} {{ 2.567|round(2) }} {{ 2.5|round }} {{ 2.1|round(0, "ceil") }} {{ 2.9|round(method="floor") }} {{ 3|round }}
{{ missing|default("q") }} {{ ""|default("q") }} {{ ""|default("q", true) }} {{ none|d("x") }} {{ missing|d }}| {{ d.y|default("z") }}
{{ x.y|default("z") }}
{{ [1,2,3,4,5]|batch(2)|list }} {{ [1,2,3]|batch(2, 0)|list }} {{ [1,2,3,4,5]|slice(2)|list }} {{ [1,2,3,4,5]|slice(3, "x")|list }}
{% for g, l in messages|groupby("role") %}{{ g }}{{ l|length }}{% endfor %}
{{ "a\nb\n\nc"|indent }}|{{ "a\nb"|indent(2, true) }}|{{ "a\n\nb"|indent("> ", blank=true) }}
{{ "a b c d"|wordcount }} {{ "hello world foo"|truncate(11) }} {{ "hello world foo bar"|truncate(9, true) }} {{ "hello world foo bar"|truncate(9, false, "..", 0) }} {{ "aaa bbb ccc ddd"|wordwrap(7) }}
{{ "<a href='x'>&"|e }} {{ "<b>"|safe }} {{ "a b/ü?"|urlencode }} {{ ["<", "&"]|join|escape }}
{{ messages is mapping }} {{ d is mapping }} {{ [] is sequence }} {{ "a" is sequence }} {{ 3 is divisibleby 3 }} {{ 3 is divisibleby(2) }} {{ x is not none }} {{ none is none }} {{ 3 is number }} {{ true is number }} {{ true is integer }} {{ 3 is integer }} {{ 3.0 is float }} {{ true is boolean }} {{ "a" is string }} {{ 2 is even }} {{ 3 is odd }} {{ "ab" is lower }} {{ "AB" is upper }} {{ 1 is sameas 1 }} {{ true is true }} {{ 1 is true }} {{ range is callable }} {{ 1 is in [1, 2] }} {{ 1 is eq 1 }} {{ 2 is gt 1 }} {{ [] is iterable }} {{ 3 is iterable }} {{ "upper" is filter }} {{ "odd" is test }} {{ missing is undefined }}
{{ 'x' if y is defined and y else 'z' }} {{ "a" if yes else "b" if nothing else "c" }} {{ ("p" if not yes else "q") ~ ("r" if yes) }}
{{ 3|string|length }} {{ -three }} {{ +three }} {{ - 2 }} {{ 2 - -2 }} {{ -2|abs }} {{ (-2)|abs }} {{ "a" * 3 }} {{ 2 * [1] }} {{ [1] + [2] }} {{ 1_000 }} {{ 0x1F }} {{ 2 * 3 ~ "x" }} {{ 10 - 3 - 2 }} {{ 2 ** 2 ** 3 }} {{ 7 // 2 * 2 }}
{{ -"a" }}
{{ 1 + 2 * 3 ~ "x" }}
{{ [1] + (2,) }}
{{ words.append(1) }}
{{ d.update({"k": 1}) }}
{{ messages[0]["content"] ~ messages[1]['role'] ~ messages.0.role }} {{ d.a.c.1 }} {{ d["a"]["c"][0] }}
{{ [1,2,3].index(2) }} {{ [1,1].count(1) }} {{ words|length > 2 and "many" or "few" }}
{% if messages %}m{% elif nothing %}n{% else %}o{% endif %}{% if not messages %}m{% elif nothing %}n{% else %}o{% endif %}{% if nothing is none %}k{% endif %}
{# comment #}a{#- b -#}  c {# d #}
{{ cycler("a", "b").next() }}{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set j = joiner("|") %}{{ j() }}a{{ j() }}b
{{ strftime_now("%Y-%m-%d %H:%M:%S %j %A %B %p %I %y %U %W %e %-d %-I %%") }}
{{ raise_exception("stop " ~ three) }}
{% generation %}x{{ three }}{% endgeneration %}y{% generation %}{% set q = 1 %}{% endgeneration %}{{ q is defined }}
{% block b %}in{% endblock %}{% block c %}in2{% endblock c %}{% autoescape true %}&{% endautoescape %}
{% do 1 %}
{% unknown %}
{% if x %}
{{ 1 +
{{ "abc }}
{% for x in %}{% endfor %}
{% endif %}
{{ x|nosuch }}
{{ x is nosuch }}
{% break %}
{{ (1 }}
{{ [1) }}
{{ 1 2 }}
{% include "x" %}
{{ {"a": {"b": 1}}["a"].b }}{{ {"a":{}} }}{{ {'x': '}}'} }}
{{ "%}" }}{{ '{{' }}{% if "%}" %}ok{% endif %}
{{ messages | length }}{{ messages|length-1 }}{{ messages[1:]|length }}{{ (messages|last).role }}{{ messages[-1]['tool_calls'][0]["arguments"]|tojson }}
{{ "a" if three > 2 else "b" }}{{ three > 2 and three < 4 }}{{ three in [1, 2, 3] and "x" }}{{ not three in [1] }}
{{ words[three] }}{{ words[three - 1:] }}{{ words[nothing:2] }}
{{ loop }}
{{ messages[0].content.split("e")[-1].lstrip("x") }}{{ "</think>" in messages[0].content }}
{{ namespace(a=1).a }}{{ [[1, 2], [3]]|map("first")|list }}{{ [[1, 2], [3]]|map("sum")|sum }}{{ [{"a": {"b": 2}}]|map(attribute="a.b")|list }}{{ [[5, 6]]|map(attribute=1)|list }}
{{ true|tojson }}{{ none|tojson }}{{ 1.0|tojson }}{{ "é\u2028\x7f\x01"|tojson }}{{ "é😀\x7f"|tojson(ensure_ascii=true) }}
'''.strip("\n")

# Those of more than one line.
JOINED = [
    "{% for m in messages -%}\n  {{ m.role }}\n{%- endfor %}\n{% for m in messages %}\n    {% if m.role == 'user' %}\n  user\n    {% endif %}\n    {{ m.role }}\n{% endfor %}",
    "{%+ if yes %} a {%+ endif %}\n  {%+ if yes %}b{% endif +%}\nc\n   {{- 'x' -}}   \n y {%- if yes -%}  z  {%- endif -%}  w", "{{ 'new\\\nline' }}",
    "a\n  {%+ if yes %}b{% endif %}\nc", "  {% if yes %}\n  x\n  {% endif %}\n  y\n", "{{ three }}\n\n", "x\n", "{% for i in [1, 2] %}\n  {{ i }}\n{% endfor %}\nend",
    "{%- for m in messages %}\n    {{- m.role + '\\n' }}\n{%- endfor %}\n", "a {# c #}\nb\n  {# d #}\ne", "{% raw %}\n  {{ x }}\n  {% endraw %}\nz", "\r\na\r\n{% if yes %}\r\nb\r\n{% endif %}\r\n",
    "  \t{% set x = 1 %}  \n{{ x }}  {% set y = 2 %}\n {{ y }}", "{{ 'a\nb' }}", "{%\nif\nyes\n%}ok{%\nendif\n%}", "{% if yes -%}\n\n   a\n\n{%- else +%}\n b {% endif %}", "{# a\n b #}\n{# c -#}\n\n x",
    "{{\n 1,\n 2\n}}", "{% set x = {\n 'a': 1,\n} %}{{ x }}", "{{ '''a''' }}", "{{ 1.e }}", "{{- ' a' -}}\n b", "{% if yes %}{{- 'a' }}\n{%- endif +%}\nb", "\n\n{{ 1 }}", "{% endraw %}", "{{ a.b.c is defined }}", "{{ a is defined }}",
    "{% macro m() %}\n  x\n{% endmacro %}\n[{{ m() }}]", "{% set t %}\n  x\n{% endset %}\n[{{ t }}]", "\u00a0{% if yes %}a{% endif %}", "x \u2003{%- if yes %}a{% endif -%}\u3000b",
]


class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 15, 4, 5)


def main():
    cases = []
    with mock.patch.object(chat_template_utils, "datetime", Clock, create=True):
        for template in TEMPLATES.split("\n") + JOINED:
            try:
                rendered = chat_template_utils._compile_jinja_template(template).render(**VARIABLES)
            except Exception as error:
                print(f"{template!r}: {type(error).__name__}: {error}", file=sys.stderr)
                rendered = None
            cases.append([template, rendered])
    json.dump({"variables": VARIABLES, "now": "2024-07-06T15:04:05", "cases": cases}, sys.stdout, ensure_ascii=False, indent=0)
    print()


main()
