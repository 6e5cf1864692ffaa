"""Translates with CTranslate2 and prints sentences per second as lines of JSON, one for each number of beams.

The model is a directory in the layout of transformers (as Parley saves it); it is converted first. Cutting text into
tokens is not counted."""
import argparse
import json
import tempfile
import time

import ctranslate2
from transformers import AutoTokenizer


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("-m", "--model", required=True)
    p.add_argument("--src", required=True, help="file of sentences")
    p.add_argument("--beam", type=int, nargs="+", default=[1, 5])
    p.add_argument("--compute", default="float32")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--out", help="write the translations to OUT.BEAM")
    a = p.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(a.model)
    lines = open(a.src, encoding="utf-8").read().splitlines()
    sentences = [tokenizer.convert_ids_to_tokens(tokenizer.encode(line)) for line in lines]
    with tempfile.TemporaryDirectory() as converted:
        ctranslate2.converters.TransformersConverter(a.model).convert(converted, force=True)
        translator = ctranslate2.Translator(converted, device="cpu", compute_type=a.compute, inter_threads=1, intra_threads=a.threads)
        for beam in a.beam:
            how = dict(beam_size=beam, max_batch_size=4096, batch_type="tokens")
            translator.translate_batch(sentences[:50], **how)
            start = time.perf_counter()
            found = translator.translate_batch(sentences, **how)
            seconds = time.perf_counter() - start
            if a.out:
                with open(f"{a.out}.{beam}", "w", encoding="utf-8") as f:
                    for r in found:
                        ids = tokenizer.convert_tokens_to_ids(r.hypotheses[0])
                        f.write(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) + "\n")
            print(json.dumps({"peer": f"CTranslate2 {ctranslate2.__version__}", "beam": beam, "compute": a.compute, "threads": a.threads,
                              "sentences_per_s": len(lines) / seconds}), flush=True)


main()
