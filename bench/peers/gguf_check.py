"""Checks GGUF files that Parley writes against llama.cpp (llama-cpp-python): that it opens them, cuts text alike, and continues
alike. Writes every model in f32, f16 and bf16.

    python bench/peers/gguf_check.py [--text FILE] DIR [DIR ...]

A directory with a golden.json (greedy continuations by ids, as under fixtures/models) is compared with that; one with a tokenizer
also by text. llama.cpp rounds activations to f16 or bf16 with matrices of that type, so only f32 must agree in every token; of
the others the script says how many of the continuations do.
"""
import argparse, json, pathlib, subprocess, sys, tempfile

import numpy as np
from llama_cpp import Llama


def parley(*args, text=None):
    return subprocess.run([PARLEY, *args], input=text, capture_output=True, text=True, check=True).stdout


def greedy(llm, ids, n):
    """Returns n most probable tokens, and the smallest distance of a logit to the next on the way."""
    llm.reset()
    llm.eval(ids)
    out, margin = [], np.inf
    for _ in range(n):
        logits = np.array(llm._scores[llm.n_tokens - 1])
        best, second = logits.argsort()[::-1][:2]
        margin = min(margin, float(logits[best] - logits[second]))
        out.append(int(best))
        llm.eval([int(best)])
    return out, margin


def check(directory, kind, lines, tmp):
    file = str(pathlib.Path(tmp) / f"{directory.name}.{kind}.gguf")
    notes = json.loads(parley("convert", "gguf", "-m", str(directory), "--out", file, "--type", kind, "--force", "--json"))["notes"]
    llm = Llama(model_path=file, n_ctx=0, logits_all=True, verbose=False, n_threads=2)
    result, good = [], True
    golden = directory / "golden.json"
    if golden.exists() and "cases" in (g := json.loads(golden.read_text())).get("greedy", {}):
        same = [greedy(llm, c["prompt"], len(c["continuation"]))[0] == c["continuation"] for c in g["greedy"]["cases"]]
        result.append(f"{sum(same)} of {len(same)} golden continuations")
        good &= all(same) or kind != "f32"
    if (directory / "tokenizer.json").exists():
        ours = [json.loads(line)["ids"] for line in parley("tokenizer", "encode", "-m", str(directory), "--json", text="\n".join(lines)).splitlines()]
        theirs = [llm.tokenize(line.encode(), add_bos=False, special=False) for line in lines]
        wrong = [line for line, a, b in zip(lines, ours, theirs, strict=True) if a != b]
        result.append(f"{len(lines) - len(wrong)} of {len(lines)} lines cut alike")
        good &= not wrong
        for line in wrong[:3]:
            result.append(f"not {line!r}")
        prompt = "Once upon a time"
        answer = json.loads(parley("generate", "-m", file, "--prompt", prompt, "--max-tokens", "40", "--temperature", "0", "--logprobs", "1", "--json"))
        ids = [t["id"] for t in answer["answers"][0]["logprobs"]]
        other, margin = greedy(llm, llm.tokenize(prompt.encode(), add_bos=True), len(ids))
        result.append(f"continued alike by {len(ids)} tokens" if ids == other else f"continued otherwise (smallest distance {margin:.4f})")
        good &= ids == other or kind != "f32"
    print(f"{'ok' if good else 'DIFFERS':8}{directory.name:16}{kind:6}{'; '.join(result)}", *[f"\n        note: {n}" for n in notes], sep="")
    return good


p = argparse.ArgumentParser()
p.add_argument("--parley", help="the program (default: built from this repository)")
p.add_argument("--text", help="lines to cut (default: this script)", default=__file__)
p.add_argument("directory", nargs="+", type=pathlib.Path)
args = p.parse_args()
with tempfile.TemporaryDirectory() as tmp:
    PARLEY = args.parley or str(pathlib.Path(tmp) / "parley")
    if not args.parley:
        subprocess.run(["go", "build", "-o", PARLEY, "./cmd/parley"], cwd=pathlib.Path(__file__).parents[2], check=True)
    lines = [line for line in pathlib.Path(args.text).read_text().splitlines() if line][:2000]
    results = [check(d.resolve(), kind, lines, tmp) for d in args.directory for kind in ("f32", "f16", "bf16")]
sys.exit(not all(results))
