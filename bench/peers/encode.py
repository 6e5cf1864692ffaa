"""Encodes a text line by line on one thread with shipped tokenizers: a tokenizer.json by Hugging Face tokenizers, a .tiktoken file by
tiktoken, with GPT-2's pattern. Prints MB/s of each as a line of JSON."""
import argparse
import json
import os
import time


def encoder(path):
    if path.endswith(".tiktoken"):
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe
        pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
        t = tiktoken.Encoding("shipped", pat_str=pattern, mergeable_ranks=load_tiktoken_bpe(path), special_tokens={})
        return lambda lines: [t.encode_ordinary(line) for line in lines]
    from tokenizers import Tokenizer
    return Tokenizer.from_file(path).encode_batch


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--text", required=True)
    p.add_argument("tokenizer", nargs="+")
    a = p.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before the import
    text = open(a.text, encoding="utf-8", newline="").read()
    lines = text.split("\n")
    for path in a.tokenizer:
        encode = encoder(path)
        start = time.perf_counter()
        encode(lines)
        print(json.dumps({"tokenizer": path, "encoding": len(text.encode()) / 1e6 / (time.perf_counter() - start)}), flush=True)


main()
