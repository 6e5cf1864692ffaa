"""Trains Transformer-Tiny (Wu et al. 2021) on Multi30K in PyTorch and prints sentences per second as a line of JSON.

Written for speed on a processor: fused attention and Adam, sentences of like length together, padding kept out of the
vocabulary layer, and torch.compile on request."""
import argparse
import json
import math
import random
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

PAD, START, END = 0, 1, 2
WIDTH, HIDDEN, HEADS, LAYERS, DROPOUT = 128, 256, 4, 4, 0.3


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.keys_values = nn.Linear(WIDTH, 2 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x, memory, mask=None, causal=False):
        n, length, _ = x.shape
        split = lambda t: t.view(n, -1, HEADS, WIDTH // HEADS).transpose(1, 2)
        k, v = self.keys_values(memory).chunk(2, dim=-1)
        y = F.scaled_dot_product_attention(split(self.query(x)), split(k), split(v), attn_mask=mask, is_causal=causal)
        return self.out(y.transpose(1, 2).reshape(n, length, WIDTH))


class Block(nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder
        self.self_attention, self.norm1 = Attention(), nn.LayerNorm(WIDTH)
        if decoder:
            self.cross_attention, self.norm2 = Attention(), nn.LayerNorm(WIDTH)
        self.up, self.down, self.norm3 = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x, memory, mask):
        drop = lambda t: F.dropout(t, DROPOUT, self.training)
        if self.decoder:
            x = self.norm1(x + drop(self.self_attention(x, x, causal=True)))
            x = self.norm2(x + drop(self.cross_attention(x, memory, mask)))
        else:
            x = self.norm1(x + drop(self.self_attention(x, x, mask)))
        return self.norm3(x + drop(self.down(F.relu(self.up(x)))))


class TransformerTiny(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)
        angle = torch.arange(512)[:, None] * torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10000) / WIDTH))
        self.register_buffer("positions", torch.cat([angle.sin(), angle.cos()], dim=1))
        self.encoder = nn.ModuleList(Block(False) for _ in range(LAYERS))
        self.decoder = nn.ModuleList(Block(True) for _ in range(LAYERS))

    def embed(self, ids):
        return F.dropout(self.embedding(ids) * math.sqrt(WIDTH) + self.positions[: ids.size(1)], DROPOUT, self.training)

    def forward(self, source, inputs, targets):
        mask = (source != PAD)[:, None, None, :]
        memory = self.embed(source)
        for block in self.encoder:
            memory = block(memory, None, mask)
        x = self.embed(inputs)
        for block in self.decoder:
            x = block(x, memory, mask)
        real = targets != PAD
        return F.cross_entropy(F.linear(x[real], self.embedding.weight), targets[real], label_smoothing=0.1)


def batches(source, target, budget):
    """Pair numbers, those of like length together, so many that padding included no side exceeds the budget."""
    found, batch, longest = [], [], 0
    for i in sorted(range(len(source)), key=lambda i: (len(target[i]), len(source[i]))):
        longest = max(longest, len(source[i]), len(target[i]))
        if batch and longest * (len(batch) + 1) > budget:
            found.append(batch)
            batch, longest = [], max(len(source[i]), len(target[i]))
        batch.append(i)
    found.append(batch)
    random.shuffle(found)
    return found


def padded(rows):
    x = torch.full((len(rows), max(map(len, rows))), PAD)
    for i, row in enumerate(rows):
        x[i, : len(row)] = torch.tensor(row)
    return x


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True, help="directory of Multi30K")
    p.add_argument("--updates", type=int, default=30)
    p.add_argument("--warmup", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--compile", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    random.seed(1)

    lines = lambda language: open(f"{a.data}/train.lc.norm.tok.{language}", encoding="utf-8").read().splitlines()
    texts = lines("en"), lines("fr")
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(texts[0] + texts[1], trainers.BpeTrainer(
        vocab_size=10000, special_tokens=["<pad>", "<s>", "</s>", "<unk>"], show_progress=False))
    source, target = ([e.ids + [END] for e in tokenizer.encode_batch(t)] for t in texts)

    model = TransformerTiny(tokenizer.get_vocab_size())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, betas=(0.9, 0.98), fused=True)
    loss_of = torch.compile(model, dynamic=True) if a.compile else model
    update = sentences = tokens = 0
    start = None
    while update < a.warmup + a.updates:
        for batch in batches(source, target, 4096):
            if update == a.warmup:
                start, sentences, tokens = time.perf_counter(), 0, 0
            y = [target[i] for i in batch]
            for group in optimizer.param_groups:
                group["lr"] = 0.005 * min((update + 1) / 2000, (2000 / (update + 1)) ** 0.5)
            loss = loss_of(padded([source[i] for i in batch]), padded([[START] + t[:-1] for t in y]), padded(y))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item()
            sentences += len(batch)
            tokens += sum(map(len, y))
            update += 1
            if update == a.warmup + a.updates:
                break
    seconds = time.perf_counter() - start
    print(json.dumps({"peer": f"PyTorch {torch.__version__}", "compile": a.compile, "threads": a.threads,
                      "sentences_per_s": sentences / seconds, "target_tokens_per_s": tokens / seconds}))


main()
