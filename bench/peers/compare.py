"""Runs Parley and a peer in turn and prints the median of the ratios of their speeds: Parley's over the peer's.

Run it from the root of the repository, on an otherwise idle machine. README.md says what to install."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def output(command, stdin=None):
    with open(stdin or os.devnull, "rb") as f:
        done = subprocess.run(command, stdin=f, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def peer(script, *arguments, python=sys.executable):
    """The last lines of JSON that a script prints."""
    lines = output([python, os.path.join(HERE, script), *arguments]).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


class Parley:
    def __init__(self, binary, threads):
        self.binary, self.threads = binary, threads

    def figures(self, *arguments):
        report = json.loads(output([self.binary, "bench", *arguments, "--json", "--quiet", "--threads", str(self.threads)]))
        return report["figures"]


def figure(figures, threads, unit, name=None):
    """The median of the figure of that unit (and name) for so many threads."""
    for f in figures:
        if f["unit"] == unit and f["threads"] == threads and (name is None or f["name"].startswith(name)):
            return f["value"]["median"]
    raise SystemExit(f"parley bench gives no figure in {unit} for {threads} threads")


class Pairs:
    """Speeds of Parley and a peer, in pairs measured one after the other."""

    def __init__(self):
        self.pairs = {}

    def add(self, what, unit, parley, other):
        self.pairs.setdefault((what, unit), []).append((parley, other))
        print(f"  {what}: {parley:.1f} and {other:.1f} {unit}, ratio {parley / other:.2f}", flush=True)

    def summary(self):
        print("\nmedians of", max(map(len, self.pairs.values())), "rounds")
        for (what, unit), pairs in self.pairs.items():
            ratios = [p / o for p, o in pairs]
            p, o = (statistics.median(side) for side in zip(*pairs))
            print(f"  {what}: {statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f}); {p:.1f} and {o:.1f} {unit}")


def train(a, parley, pairs):
    own = figure(parley.figures("train", "--data", a.data, "--updates", str(a.updates)), a.threads, "sentences/s", "mean of all updates")
    for what, extra in ("training, PyTorch", []), ("training, PyTorch compiled", ["--compile"]):
        [found] = peer("mt_train.py", "--data", a.data, "--updates", str(a.updates), "--threads", str(a.threads), *extra)
        pairs.add(what, "sentences/s", own, found["sentences_per_s"])


def stopping_first(model, copy):
    """A copy of a model directory whose beam search stops as CTranslate2's does: when as many hypotheses as beams have ended."""
    shutil.copytree(model, copy)
    path = os.path.join(copy, "generation_config.json")
    with open(path, encoding="utf-8") as f:
        generation = json.load(f)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(generation | {"early_stopping": True}, f)
    return copy


def translate(a, parley, pairs):
    with tempfile.TemporaryDirectory() as d:
        model = stopping_first(a.model, f"{d}/model")
        figures = parley.figures("decode", "-m", model, "--src", a.src, "--repeats", "1")
        for found in peer("mt_translate.py", "-m", model, "--src", a.src, "--threads", str(a.threads), "--out", f"{d}/peer"):
            beam = found["beam"]
            name = "greedy" if beam == 1 else f"beam {beam}"
            pairs.add(f"translating, CTranslate2 {name}", "sentences/s", figure(figures, a.threads, "sentences/s", name), found["sentences_per_s"])
            own = output([parley.binary, "translate", "-m", model, "--beams", str(beam), "--quiet"], stdin=a.src).splitlines()
            other = open(f"{d}/peer.{beam}", encoding="utf-8").read().splitlines()
            same = sum(x.strip() == y.strip() for x, y in zip(own, other, strict=True))
            print(f"    the same translation of {same} of {len(own)} sentences")
            if a.ref:
                with open(f"{d}/parley.{beam}", "w", encoding="utf-8") as f:
                    f.write("".join(line + "\n" for line in own))
                print(output([parley.binary, "eval", "bleu", "--tokenize", "none", "--ref", a.ref, f"{d}/peer.{beam}", f"{d}/parley.{beam}"]).rstrip())


def shipped(a, parley, pairs):
    for path in a.tokenizer:
        own = figure(parley.figures("tokenizer", "--text", a.text, "--tokenizer", path, "--repeats", "1"), 1, "MB/s")
        [found] = peer("encode.py", "--text", a.text, path)
        pairs.add(f"encoding with {os.path.join(os.path.basename(os.path.dirname(path)), os.path.basename(path))}", "MB/s", own, found["encoding"])


def tokenizer(a, parley, pairs):
    if a.tokenizer:
        return shipped(a, parley, pairs)
    figures = parley.figures("tokenizer", "--text", a.text, "--repeats", "1")
    [found] = peer("bpe.py", "--text", a.text, "--threads", str(a.threads))
    one = figure(figures, 1, "MB/s", "encoding")
    pairs.add(f"learning on {a.threads} threads, tokenizers", "MB/s", figure(figures, a.threads, "MB/s", "learning"), found["tokenizers_learning"])
    pairs.add("encoding on one thread, tiktoken", "MB/s", one, found["tiktoken_encoding"])
    pairs.add("encoding on one thread, tokenizers", "MB/s", one, found["tokenizers_encoding"])


def lm(a, parley, pairs):
    shape = ["--preset", a.preset, *(["--batch", str(a.batch)] if a.batch else []), *(["--ctx", str(a.ctx)] if a.ctx else [])]
    # Short windows: what the processor can do at most is not wanted here, and measuring it lowers the clock for the next update.
    own = parley.figures("train", *shape, "--repeats", str(a.updates), "--window", "1ms", *(["--arithmetic", "bf16"] if a.bf16 else []))
    batch, context = {"gpt2": (4, 64), "small": (8, 256), "char": (12, 64)}[a.preset]
    shape = ["--preset", a.preset, "--batch", str(a.batch or batch), "--ctx", str(a.ctx or context)]
    for what, extra in ("eager", []), ("compiled", ["--compile"]):
        if what in a.against:
            [found] = peer(os.path.join(a.peers, "gpt_torch.py"), *shape, *extra, *(["--bf16"] if a.bf16 else []), "--steps", str(a.updates), "--threads", str(a.threads), python=a.python)
            pairs.add(f"training {a.preset}, PyTorch {what}", "tokens/s", figure(own, a.threads, "tokens/s"), found["tokens_per_s"])


def decode(a, parley, pairs):
    model = ["-m", a.model] if a.model else ["--shape", a.shape]
    own = parley.figures("decode", *model, "--precision", a.precision, "--arithmetic", a.arithmetic, "--repeats", "3")
    weights = ["--gguf", a.gguf] if a.gguf else ["--shape", a.shape, "--dir", a.weights, "--quant", *(["F32"] if a.precision == "f32" else ["F16", "BF16"])]
    found = peer(os.path.join(a.peers, "llama_cpp_bench.py"), *weights, "--threads", str(a.threads), python=a.python)
    for what, key in ("prompt", "prompt_tok_s"), ("one stream", "decode_tok_s"), ("8 streams", "decode8_tok_s"):
        best = max(found, key=lambda f: f[key])
        value = [f for f in own if f["unit"] == "tokens/s" and what in f["name"]][0]["value"]["median"]
        pairs.add(f"{what}, llama.cpp {best['quant']}", "tokens/s", value, best[key])


def main():
    p = argparse.ArgumentParser(description=__doc__)
    kinds = p.add_subparsers(required=True)
    for name, run in ("train", train), ("translate", translate), ("tokenizer", tokenizer), ("lm", lm), ("decode", decode):
        k = kinds.add_parser(name)
        k.set_defaults(run=run)
        k.add_argument("--rounds", type=int, default=5)
        k.add_argument("--threads", type=int, default=2)
        k.add_argument("--parley", help="the program (default: built now, which needs Go)")
        if name == "train":
            k.add_argument("--data", required=True, help="directory of Multi30K")
            k.add_argument("--updates", type=int, default=30)
        elif name == "translate":
            k.add_argument("-m", "--model", required=True, help="model directory")
            k.add_argument("--src", required=True, help="file of sentences")
            k.add_argument("--ref", help="file of references, to print BLEU of both")
        elif name == "tokenizer":
            k.add_argument("--text", required=True)
            k.add_argument("--tokenizer", nargs="+", help="files to encode with, a tokenizer.json or .tiktoken, instead of learning one")
        else:
            k.add_argument("--peers", default=os.path.join(HERE, "../../../shared/peers"), help="directory of the peers' scripts")
            k.add_argument("--python", default=sys.executable, help="the Python that runs them")
        if name == "lm":
            k.add_argument("--preset", choices=["gpt2", "small", "char"], default="gpt2")
            k.add_argument("--batch", type=int)
            k.add_argument("--ctx", type=int)
            k.add_argument("--bf16", action="store_true", help="multiply in bfloat16, both")
            k.add_argument("--updates", type=int, default=5)
            k.add_argument("--against", nargs="+", choices=["eager", "compiled"], default=["eager", "compiled"])
        elif name == "decode":
            k.add_argument("--shape", default="smollm2-135m")
            k.add_argument("--precision", choices=["f32", "bf16"], default="f32")
            k.add_argument("--arithmetic", choices=["f32", "bf16"], default="f32", help="of Parley; llama.cpp's follows its weights")
            k.add_argument("-m", "--model", help="a model directory for Parley instead of the shape, and --gguf the same for llama.cpp")
            k.add_argument("--gguf")
            k.add_argument("--weights", default=os.path.join(tempfile.gettempdir(), "peers"), help="where llama.cpp's random weights are kept")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        binary = a.parley
        if not binary:
            binary = os.path.join(d, "parley")
            subprocess.run(["go", "build", "-o", binary, "./cmd/parley"], check=True, cwd=os.path.join(HERE, "../.."))
        pairs = Pairs()
        for i in range(a.rounds):
            print("round", i + 1)
            a.run(a, Parley(os.path.abspath(binary), a.threads), pairs)
        pairs.summary()


main()
