"""Learns a byte-level BPE with Hugging Face tokenizers, encodes the text with it and with tiktoken, and prints MB/s as a
line of JSON."""
import argparse
import json
import os
import time


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--text", required=True)
    p.add_argument("--vocab", type=int, default=10000)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(a.threads)  # before the import
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    import tiktoken
    import tokenizers
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    text = open(a.text, encoding="utf-8", newline="").read()
    megabytes = len(text.encode()) / 1e6

    def speed(work):
        start = time.perf_counter()
        work()
        return megabytes / (time.perf_counter() - start)

    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learning = speed(lambda: learned.train([a.text], trainers.BpeTrainer(vocab_size=a.vocab, initial_alphabet=alphabet, show_progress=False)))
    encoding = speed(lambda: learned.encode(text))

    # A vocabulary spells each byte as a printable character: itself where it is one, else the next from U+0100 on.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    byte_of = {chr(b): b for b in printable}
    byte_of |= {chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in printable)}
    ranks = {bytes(byte_of[c] for c in token): i for token, i in learned.get_vocab().items()}
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
    tik = tiktoken.Encoding("learned", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    tik.encode_ordinary(text[:1000])
    print(json.dumps({"threads": a.threads, "tokenizers": tokenizers.__version__, "tiktoken": tiktoken.__version__,
                      "tokenizers_learning": learning, "tokenizers_encoding": encoding,
                      "tiktoken_encoding": speed(lambda: tik.encode_ordinary(text))}))


main()
